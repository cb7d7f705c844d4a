"""Searching and reading over the wire: what is found, what is refused, what is never given out."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Route
from starlette.testclient import TestClient
from tests.index import made_index
from tests.serve import made_search
from tests.serve.made_search import QUESTION, CountingEngine

import biencoder.serve
from biencoder import Index
from biencoder.errors import IndexDamagedError
from biencoder.index.filters import And, Filter
from biencoder.serve.app import build_app
from biencoder.serve.search import asked, search, served_index
from biencoder.serve.search.asked import read_filter
from biencoder.serve.search.marks import parts, plain, shown
from biencoder.serve.service import Service

WEB = Path(biencoder.serve.__file__).parent / "search" / "web"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources and their index. Read, never write."""
    folder = tmp_path_factory.mktemp("served")
    made_search.write_index(folder)
    return folder


@pytest.fixture(scope="module")
def served(place: Path) -> Service:
    return made_search.service(
        place / "index", feedback=place / "feedback", engines=[CountingEngine()]
    )


@pytest.fixture(scope="module")
def client(served: Service) -> Iterator[TestClient]:
    with made_search.client(served) as talking:
        yield talking


def ask(client: TestClient, **body: Any) -> Json:
    answer = client.post("/v1/search", json={"query": QUESTION, **body})
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def refused(client: TestClient, **body: Any) -> tuple[int, str, str]:
    answer = client.post("/v1/search", json=body)
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_the_wire_finds_what_the_library_finds(client: TestClient, place: Path, mode: Any) -> None:
    found = ask(client, mode=mode, top_k=7)
    index = Index.open(place / "index", embedder=made_index.mini())
    expected = index.search(QUESTION, mode=mode, top_k=7)
    assert [hit["id"] for hit in found["hits"]] == [hit.id for hit in expected]
    assert [hit["score"] for hit in found["hits"]] == pytest.approx([hit.score for hit in expected])
    assert found["hits"][0]["heading"] == "Kettle > Reset the kettle"
    assert (found["mode"], found["model"], found["index"]) == (mode, "mini", "index")


def test_the_older_address_answers_alike(client: TestClient) -> None:
    answer = client.post("/api/search", json={"query": QUESTION}).json()
    assert answer["hits"] == ask(client)["hits"]


def test_a_snippet_comes_in_parts_and_never_as_markup(client: TestClient) -> None:
    best = ask(client, query="how do walruses greet browsers?")["hits"][0]
    assert best["source"] == "notes/hostile.txt"
    whole = "".join(part["text"] for part in best["snippet"])
    assert whole == made_search.TEXTS["notes/hostile.txt"]
    marked = [part["text"] for part in best["snippet"] if part["match"]]
    assert marked == ["walruses greet browsers"]


def test_words_are_marked_by_their_stem_and_in_scripts_without_spaces() -> None:
    found = parts("Streams of a JSON line; streamed.", "how do I stream json lines?")
    assert [part["text"] for part in found if part["match"]] == ["Streams", "JSON line", "streamed"]
    found = parts("他在北京大学学习。", "北京的天气")
    assert [part["text"] for part in found if part["match"]] == ["北京"]
    assert parts("", "anything") == []


def test_a_snippet_is_free_of_the_marks_of_markdown() -> None:
    text = "## Title { #title }\n\n/// note\n\nUse `Header` and **not** [that](x.md), 2 * 3 * 4.\n\n///"
    assert plain(text).split() == [
        "Title",
        "Use",
        "Header",
        "and",
        "not",
        "that,",
        "2",
        "*",
        "3",
        "*",
        "4.",
    ]
    assert shown("# Lakes\n\nWater.", "q", markdown=True) == [{"text": "Water.", "match": False}]
    assert shown("# Lakes", "q", markdown=True) == [{"text": "Lakes", "match": False}]


@pytest.mark.parametrize(
    "wanted",
    [
        "year > 2000",
        [{"column": "year", "operator": ">", "value": 2000}],
        [{"column": "year", "operator": "in", "value": [2024, 1]}],
        [
            {"column": "source", "operator": "starts_with", "value": "animals"},
            {"column": "title", "value": "Moths"},
        ],
    ],
)
def test_filters_are_text_or_conditions_and_mean_the_same(client: TestClient, wanted: Any) -> None:
    for mode in ("dense", "hybrid"):
        hits = ask(client, query="moths and lamps", filter=wanted, mode=mode)["hits"]
        assert [hit["source"] for hit in hits] == ["animals.jsonl#../r2"]
        assert hits[0]["metadata"] == {"year": 2024}


@pytest.mark.parametrize(
    ("wanted", "phrase"),
    [
        ("yeer > 3", "there is no column yeer"),
        ("year >", "expected a value"),
        ([{"column": "year", "operator": "like", "value": 1}], "known: =, !=, <"),
        ([{"column": "year", "value": "x' OR '1'='1"}], "holds whole numbers"),
        ([{"column": "x' OR '1'='1", "value": 1}], "cannot be a column's name"),
        ([{"column": "year", "operator": "in", "value": 3}], "in takes an array"),
        ([3], "a condition is an object, not a number"),
        ({"year": 3}, "a text or an array of conditions"),
    ],
)
def test_a_filter_that_cannot_be_is_refused_in_the_parsers_words(
    client: TestClient, wanted: Any, phrase: str
) -> None:
    status, code, message = refused(client, query="x", filter=wanted)
    assert (status, code) == (400, "invalid_filter")
    assert phrase in message


def test_a_filter_of_too_many_conditions_is_refused_before_any_is_built(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(condition: object) -> None:
        raise AssertionError("it was built")

    monkeypatch.setattr(asked, "_condition", build)
    condition = {"column": "year", "value": 1}
    status, code, message = refused(client, query="x", filter=[condition] * 1001)
    assert (status, code) == (400, "invalid_filter")
    assert "1,001 conditions, more than 1,000" in message
    lists = [{"column": "year", "operator": "in", "value": [1] * 5001}] * 2
    status, code, message = refused(client, query="x", filter=lists)
    assert (status, code) == (400, "invalid_filter")
    assert "10,002 values, more than 10,000" in message


def test_conditions_become_one_node_without_copies(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def join(*sides: object) -> None:
        raise AssertionError("all before is copied for each condition")

    monkeypatch.setattr(Filter, "__and__", join)
    conditions = [{"column": "year", "operator": "!=", "value": number} for number in range(1000)]
    found = read_filter(conditions, {"year": "integer"})
    assert isinstance(found, And)
    assert len(found.terms) == 1000


def test_a_filter_is_read_beside_the_loop(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers: list[str] = []

    def read(*given: Any) -> None:
        readers.append(threading.current_thread().name)

    monkeypatch.setattr(search, "read_filter", read)
    ask(client, filter="year > 2000", mode="lexical")
    assert [name.split("_")[0] for name in readers] == ["search"]


def test_a_hostile_value_is_only_a_value(client: TestClient) -> None:
    condition = {"column": "source", "operator": "=", "value": "x' OR '1'='1"}
    for mode in ("dense", "lexical"):
        assert ask(client, filter=[condition], mode=mode)["hits"] == []


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({}, 400, "invalid_request", "query"),
        ({"query": 3}, 400, "invalid_request", "query"),
        ({"query": " \n"}, 400, "empty_input", "query"),
        ({"query": "a" * 10_001}, 400, "invalid_request", "query"),
        ({"query": "a", "top_k": 0}, 400, "invalid_request", "top_k"),
        ({"query": "a", "top_k": 101}, 400, "invalid_request", "top_k"),
        ({"query": "a", "top_k": True}, 400, "invalid_request", "top_k"),
        ({"query": "a", "mode": "fuzzy"}, 400, "invalid_request", "mode"),
        ({"query": "a", "fusion": "sum"}, 400, "invalid_request", "fusion"),
        ({"query": "a", "index": "../secret"}, 404, "not_found", None),
    ],
)
def test_a_body_that_cannot_be_is_refused(
    client: TestClient, body: Json, status: int, code: str, param: str | None
) -> None:
    answer = client.post("/v1/search", json=body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)


def test_the_served_model_answers_for_its_own_index_and_words_need_none(place: Path) -> None:
    engine = CountingEngine()
    served = made_search.service(place / "index", feedback=place / "feedback", engines=[engine])
    with made_search.client(served) as client:
        ask(client, mode="lexical")
        assert engine.asked == []
        ask(client, mode="dense")
        assert engine.asked == [QUESTION]


def test_a_newer_version_is_served_as_soon_as_it_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served_index, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(served_index, "_PATIENCE_SECONDS", 30.0)
    index = made_search.write_index(tmp_path)
    served = made_search.service(index, feedback=tmp_path / "feedback")
    with made_search.client(served) as client:
        before = ask(client, query="zyzzogeton", mode="lexical")
        assert before["hits"] == []
        made_search.add_source(tmp_path, "rare.txt", "The zyzzogeton is a leafhopper.")
        after = ask(client, query="zyzzogeton", mode="lexical")
        assert [hit["source"] for hit in after["hits"]] == ["rare.txt"]
        assert after["version"] > before["version"]


def test_a_damaged_index_says_so_and_names_no_place_of_the_machine(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = made_search.service(place / "index", feedback=place / "feedback")

    def broken(*_: object) -> None:
        raise IndexDamagedError(f"{place} cannot be read")

    assert served.searching is not None
    monkeypatch.setattr(served.searching.index(None), "search", broken)
    with made_search.client(served) as client:
        status, code, message = refused(client, query="kettle", mode="lexical")
    assert (status, code) == (500, "index_error")
    assert str(place) not in message


def test_too_many_searches_are_refused_and_told_when_to_come_back(place: Path) -> None:
    served = made_search.service(place / "index", feedback=place / "feedback")
    assert served.searching is not None
    served.searching._threads._places = threading.BoundedSemaphore(1)
    served.searching._threads._places.acquire()
    with made_search.client(served) as client:
        answer = client.post("/v1/search", json={"query": "x", "mode": "lexical"})
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


def test_a_search_that_takes_too_long_ends(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = CountingEngine()

    async def never(*_: object, **__: object) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(engine, "embed", never)
    served = made_search.service(
        place / "index", feedback=place / "feedback", engines=[engine], request_timeout=0.05
    )
    with made_search.client(served) as client:
        status, code, _ = refused(client, query="x", mode="dense")
    assert (status, code) == (504, "timeout")


def test_a_search_ends_with_its_client(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = CountingEngine()
    ended: list[str] = []

    async def never(*_: object, **__: object) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("the question is dropped")

    monkeypatch.setattr(engine, "embed", never)
    served = made_search.service(place / "index", feedback=place / "feedback", engines=[engine])
    messages = iter(
        [
            {"type": "http.request", "body": b'{"query": "x", "mode": "dense"}'},
            {"type": "http.disconnect"},
        ]
    )

    async def receive() -> Any:
        return next(messages)

    scope = {"type": "http", "method": "POST", "path": "/v1/search", "headers": []}
    assert served.searching is not None
    with pytest.raises(ClientDisconnect):
        asyncio.run(search._search(served, served.searching, Request(scope, receive)))
    assert ended == ["the question is dropped"]


def test_two_indices_are_asked_by_name(place: Path) -> None:
    both = [place / "index", place / "index"]
    served = made_search.service(both, feedback=place / "feedback")
    with made_search.client(served) as client:
        described = client.get("/v1/search").json()
        assert [index["name"] for index in described["indices"]] == ["index", "index-2"]
        assert ask(client, index="index-2", mode="lexical")["index"] == "index-2"


def test_what_can_be_searched_is_described(client: TestClient) -> None:
    (index,) = client.get("/v1/search").json()["indices"]
    assert (index["documents"], index["model"], index["dimensions"]) == (7, "mini", 384)
    columns = {column["name"]: column for column in index["columns"]}
    assert columns["year"] == {"name": "year", "type": "integer", "values": [1959, 2024]}
    assert "guides/lamp.md" in columns["source"]["values"]
    assert columns["id"]["values"] == []


def documents(client: TestClient) -> dict[str, Json]:
    return {found["source"]: found for found in client.get("/v1/documents").json()["data"]}


def test_documents_are_listed_page_by_page(client: TestClient) -> None:
    everything = list(documents(client))
    assert everything == sorted(everything)
    assert len(everything) == 7
    walked: list[str] = []
    after = ""
    more = True
    while more:
        page = client.get("/v1/documents", params={"limit": 3, "after": after}).json()
        walked += [found["source"] for found in page["data"]]
        after, more = page["data"][-1]["id"], page["has_more"]
    assert walked == everything
    part = client.get("/v1/documents", params={"contains": "PUMP"}).json()["data"]
    assert [(found["source"], found["pages"]) for found in part] == [("manual.pdf", 2)]


def test_a_document_opens_around_the_passage_that_was_found(client: TestClient) -> None:
    hit = ask(client, query="order number of part 8 of the kettle")["hits"][0]
    assert hit["heading"] == "Kettle > Part 8"
    read = client.get(f"/v1/documents/{hit['document']}", params={"passage": hit["id"], "limit": 3})
    opened = read.json()
    assert hit["id"] in [passage["id"] for passage in opened["texts"]]
    assert opened["first"] + 3 == opened["passages"]
    whole = client.get(f"/v1/documents/{hit['document']}").json()
    assert [passage["number"] for passage in whole["texts"]] == list(range(whole["passages"]))
    text = made_search.TEXTS["guides/kettle.md"]
    for passage in whole["texts"]:
        assert text[passage["start"] : passage["end"]] == passage["text"]


def test_a_document_that_is_not_there_is_not_found(client: TestClient) -> None:
    for path in ("/v1/documents/0", "/v1/documents/..%2f..%2fetc%2fpasswd", "/v1/documents/0/file"):
        assert client.get(path).status_code == 404
    known = documents(client)["notes/bees.txt"]["id"]
    assert client.get(f"/v1/documents/{known}", params={"passage": "0"}).status_code == 404
    for limit in ("0", "1001", "x", "²", "9" * 5000):
        assert client.get("/v1/documents", params={"limit": limit}).status_code == 400


def test_a_source_file_is_given_as_a_download_only(client: TestClient, place: Path) -> None:
    manual = documents(client)["manual.pdf"]
    assert manual["file"] is True
    answer = client.get(f"/v1/documents/{manual['id']}/file")
    assert answer.content == (place / "sources/manual.pdf").read_bytes()
    assert answer.headers["content-disposition"] == 'attachment; filename="manual.pdf"'
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    row = documents(client)["animals.jsonl#r1"]
    answer = client.get(f"/v1/documents/{row['id']}/file")
    assert answer.content == (place / "sources/animals.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("wanted", "status", "code"),
    [
        ("bytes=999999-", 416, "range_not_satisfiable"),
        ("lines=1-2", 400, "invalid_request"),
        ("nonsense", 400, "invalid_request"),
    ],
)
def test_a_range_that_a_file_does_not_have_is_refused_as_everything_is(
    client: TestClient, wanted: str, status: int, code: str
) -> None:
    path = f"/v1/documents/{documents(client)['notes/bees.txt']['id']}/file"
    answer = client.get(path, headers={"range": wanted})
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    if status == 416:
        assert answer.headers["content-range"] == "bytes */37"
    part = client.get(path, headers={"range": "bytes=0-3"})
    assert (part.status_code, part.content) == (206, b"Bees")


def test_no_file_outside_the_indexed_folder_is_ever_given(tmp_path: Path) -> None:
    index = made_search.write_index(tmp_path)
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    bees = tmp_path / "sources/notes/bees.txt"
    bees.unlink()
    bees.symlink_to(secret)
    (tmp_path / "sources/manual.pdf").unlink()
    # A row's id may be any text, also one that climbs.
    (tmp_path / "sources/animals.jsonl#..").mkdir()
    (tmp_path / "sources/r2").write_text("not indexed")
    (tmp_path / "sources/animals.jsonl").unlink()
    served = made_search.service(index, feedback=tmp_path / "feedback")
    with made_search.client(served) as client:
        for source in ("notes/bees.txt", "manual.pdf", "animals.jsonl#../r2"):
            found = documents(client)[source]
            assert found["file"] is False
            assert client.get(f"/v1/documents/{found['id']}/file").status_code == 404


def test_every_route_but_health_asks_for_the_key(place: Path) -> None:
    served = made_search.service(place / "index", feedback=place / "feedback", api_keys=("right",))
    assert served.searching is not None
    paths = [route.path for route in served.searching.routes(served)]
    assert "/" in paths
    with made_search.client(served) as client:
        for path in paths:
            for method in ("GET", "POST"):
                assert (
                    client.request(method, path.replace("{", "").replace("}", "")).status_code
                    == 401
                )
        assert client.get("/", headers={"authorization": "Bearer right"}).status_code == 200


def test_the_page_runs_nothing_that_is_not_its_own(client: TestClient) -> None:
    answer = client.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'self'")
    assert "unsafe" not in policy
    assert answer.headers["referrer-policy"] == "no-referrer"
    html = answer.text
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|javascript:", html)
    for path in re.findall(r'(?:src|href)="(web/[^"#]+)', html):
        served = client.get(f"/{path}")
        assert served.status_code == 200
        assert served.headers["content-security-policy"] == policy
        assert (
            client.get(f"/{path}", headers={"if-none-match": served.headers["etag"]}).status_code
            == 304
        )


@pytest.mark.parametrize("state", ["starting", "draining"])
def test_the_page_is_there_before_the_models_are(place: Path, state: Any) -> None:
    served = made_search.service(place / "index", feedback=place / "feedback")
    served.state = state
    with made_search.client(served) as client:
        assert client.get("/").status_code == 200
        assert client.get("/web/app.js").status_code == 200
        assert client.get("/v1/search").status_code == 503


def test_the_page_needs_no_other_server_and_writes_no_html() -> None:
    for path in WEB.iterdir():
        text = path.read_text(encoding="utf-8")
        foreign = set(re.findall(r"https?://[^\s\"')]+", text)) - {"http://www.w3.org/2000/svg"}
        assert foreign == set(), path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", text)
        assert len(text.splitlines()) <= 300, path.name


@pytest.mark.parametrize(
    "name", ["", "nothing.js", "..%2fsearch.py", "%2e%2e/search.py", "page.py"]
)
def test_no_other_file_is_served_with_the_page(client: TestClient, name: str) -> None:
    assert client.get(f"/web/{name}").status_code == 404


def test_every_route_of_the_page_is_a_get_or_a_post(served: Service) -> None:
    app = build_app(served)
    methods = {m for route in app.routes if isinstance(route, Route) for m in route.methods or ()}
    assert methods == {"GET", "HEAD", "POST"}
