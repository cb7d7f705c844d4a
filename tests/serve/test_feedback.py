"""Judgements: kept for good, counted rightly, taken away as a folder that evaluation reads."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.commands import run
from tests.index import made_index
from tests.serve import made_search
from tests.serve.made_search import QUESTION

from biencoder.errors import OutputError
from biencoder.evaluate.judged_set import read_judged_set
from biencoder.index.build import index_folder
from biencoder.serve.search import feedback
from biencoder.serve.search.feedback import FILE, Judgement, JudgementFile, judged_key

ONE = Judgement(
    time="2026-11-21T12:00:00.000+00:00",
    question="how?",
    grade=1,
    index="index",
    model="mini",
    fingerprint="0",
    mode="hybrid",
    document="0",
    passage="0",
    source="a.txt",
    title="",
    heading="",
    page=None,
    start=0,
    end=4,
    text="So it goes.",
)
Json = dict[str, Any]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sources and their index. Read, never write."""
    folder = tmp_path_factory.mktemp("judged")
    made_search.write_index(folder)
    return folder


@pytest.fixture
def client(place: Path, tmp_path: Path) -> Iterator[TestClient]:
    with made_search.client(made_search.service(place / "index", feedback=tmp_path)) as talking:
        yield talking


def ask(client: TestClient, question: str = QUESTION) -> list[Json]:
    body = {"query": question, "mode": "lexical"}
    hits: list[Json] = client.post("/v1/search", json=body).json()["hits"]
    return hits


def judge(client: TestClient, hit: Json, grade: int | None, question: str = QUESTION) -> None:
    body = {"query": question, "passage": hit["id"], "grade": grade, "mode": "lexical"}
    answer = client.post("/v1/feedback", json=body)
    assert answer.status_code == 200, answer.text


def unpack(client: TestClient, folder: Path) -> Path:
    answer = client.get("/v1/feedback/export")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"] == 'attachment; filename="judgements.zip"'
    zipfile.ZipFile(io.BytesIO(answer.content)).extractall(folder)
    return folder / "judgements"


def test_the_last_word_counts_and_null_takes_back(tmp_path: Path) -> None:
    file = JudgementFile(tmp_path)
    for grade in (1, 0):
        file.add(replace(ONE, grade=grade))
    file.add(replace(ONE, question="why?"))
    assert [found.grade for found in file.standing().values()] == [0, 1]
    file.add(replace(ONE, grade=None))
    assert list(file.standing()) == [judged_key("why?", "a.txt", ONE.text)]
    assert len((tmp_path / FILE).read_text().splitlines()) == 4


def test_blanks_make_no_other_question_and_no_other_passage() -> None:
    assert judged_key(" how \n so?", "a", "b  c\nd") == judged_key("how so?", "a", "b c d")
    assert judged_key("how so?", "a", "b c d") != judged_key("how so?", "b", "b c d")


def test_a_judgement_is_on_the_disk_when_it_is_told_as_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []
    fsync = os.fsync

    def noted(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").resolve())
        fsync(handle)

    monkeypatch.setattr(os, "fsync", noted)
    folder = tmp_path / "feedback"
    JudgementFile(folder).add(ONE)
    assert synced == [folder / FILE, folder, tmp_path]


def test_a_line_that_was_cut_off_harms_no_other(tmp_path: Path) -> None:
    file = JudgementFile(tmp_path)
    file.add(ONE)
    with (tmp_path / FILE).open("a") as cut:
        cut.write('{"time": "2026')
    assert len(file.standing()) == 1
    file.add(replace(ONE, question="why?"))
    for fresh in (file, JudgementFile(tmp_path)):
        assert len(fresh.standing()) == 2
        assert fresh.damaged == 1


@pytest.mark.parametrize("change", [{"grade": 4}, {"grade": True}, {"text": 3}, {"question": None}])
def test_a_line_that_is_no_judgement_is_counted_and_passed_over(
    tmp_path: Path, change: Json
) -> None:
    (tmp_path / FILE).write_text(
        json.dumps(asdict(ONE) | change) + "\n[]\n" + json.dumps(asdict(ONE)) + "\n"
    )
    file = JudgementFile(tmp_path)
    assert len(file.standing()) == 1
    assert file.damaged == 2


def test_what_another_process_adds_is_seen_and_a_new_file_is_read_anew(tmp_path: Path) -> None:
    mine, other = JudgementFile(tmp_path), JudgementFile(tmp_path)
    mine.add(ONE)
    assert len(mine.standing()) == 1
    other.add(replace(ONE, question="why?"))
    assert len(mine.standing()) == 2
    (tmp_path / FILE).unlink()
    assert mine.standing() == {}
    other.add(replace(ONE, question="when?"))
    assert [found.question for found in mine.standing().values()] == ["when?"]


def test_no_search_waits_for_a_judgement_that_is_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = JudgementFile(tmp_path)
    file.add(ONE)
    writing, written = threading.Event(), threading.Event()

    def slow(path: Path) -> None:
        writing.set()
        assert written.wait(30)

    monkeypatch.setattr(feedback, "sync_file", slow)
    writer = threading.Thread(target=file.add, args=(replace(ONE, question="why?"),))
    writer.start()
    assert writing.wait(30)
    reader = threading.Thread(target=file.standing)
    reader.start()
    reader.join(10)
    waited = reader.is_alive()
    written.set()
    for thread in (writer, reader):
        thread.join()
    assert not waited


def test_what_stands_is_copied_only_when_something_was_added(tmp_path: Path) -> None:
    file = JudgementFile(tmp_path)
    file.add(ONE)
    before = file.standing()
    assert file.standing() is before
    file.add(replace(ONE, question="why?"))
    assert (len(before), len(file.standing())) == (1, 2)
    # Of a line that was cut off nothing is taken in.
    with file.path.open("ab") as cut:
        cut.write(b'{"time"')
    after = file.standing()
    assert file.standing() is after
    assert len(after) == 2


def _add_many(folder: Path, name: str) -> None:
    file = JudgementFile(folder)
    for number in range(50):
        file.add(replace(ONE, question=f"{name} {number}", text="long " * 2000))


def test_two_writers_never_mix_their_lines(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_add_many, args=(tmp_path, name)) for name in "ab"]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
        assert writer.exitcode == 0
    file = JudgementFile(tmp_path)
    assert len(file.standing()) == 100
    assert file.damaged == 0


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(OutputError, match="could not be written"):
        JudgementFile(tmp_path / "taken").add(ONE)


def test_a_grade_comes_back_with_the_next_search(client: TestClient) -> None:
    first, second, *_ = ask(client)
    judge(client, first, 1)
    judge(client, second, 0)
    assert [hit["grade"] for hit in ask(client)[:3]] == [1, 0, None]
    assert {hit["grade"] for hit in ask(client, "part of the kettle")} == {None}
    judge(client, first, None)
    assert ask(client)[0]["grade"] is None
    summary = client.get("/v1/feedback").json()
    assert (summary["judgements"], summary["relevant"]) == (1, 0)
    assert summary["questions"] == [{"query": QUESTION, "relevant": 0, "irrelevant": 1}]


@pytest.mark.parametrize(
    ("body", "status", "param"),
    [
        ({"passage": "0", "grade": 1}, 400, "query"),
        ({"query": "q", "passage": "0"}, 400, "grade"),
        ({"query": "q", "passage": "0", "grade": 4}, 400, "grade"),
        ({"query": "q", "passage": "0", "grade": True}, 400, "grade"),
        ({"query": "q", "passage": "0", "grade": "up"}, 400, "grade"),
        ({"query": "q", "passage": 3, "grade": 1}, 400, "passage"),
        ({"query": "q", "passage": "../0", "grade": 1}, 404, "passage"),
        ({"query": "q", "grade": 1}, 404, "passage"),
    ],
)
def test_what_is_no_judgement_is_refused_and_not_kept(
    client: TestClient, tmp_path: Path, body: Json, status: int, param: str
) -> None:
    answer = client.post("/v1/feedback", json=body)
    assert (answer.status_code, answer.json()["error"]["param"]) == (status, param)
    assert not (tmp_path / FILE).exists()


def test_no_other_site_judges_in_a_persons_name(client: TestClient) -> None:
    body = {"query": QUESTION, "passage": ask(client)[0]["id"], "grade": 1}
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 200)):
        answer = client.post("/v1/feedback", json=body, headers={"sec-fetch-site": site})
        assert answer.status_code == status


@pytest.mark.parametrize(
    ("origin", "host", "site", "status"),
    [
        # Over plain http from another machine a browser says no more than its origin.
        ("https://evil.example", "desk.lan:8000", None, 403),
        ("http://desk.lan:9000", "desk.lan:8000", None, 403),
        ("null", "desk.lan:8000", None, 403),
        ("https://evil.example", "desk.lan:8000", "none", 403),
        ("http://desk.lan:8000", "desk.lan:8000", None, 200),
        ("http://Desk.lan:8000", "desk.LAN:8000", None, 200),
        ("http://[::1]:8000", "[::1]:8000", None, 200),
        # A proxy asks by the inner name: the browser vouches for it, or the person who named it.
        ("https://desk.example", "127.0.0.1:8000", "same-origin", 200),
        ("http://search.example:8080", "127.0.0.1:8000", None, 200),
        # The site that was named as one whose pages may ask.
        ("https://notes.example", "desk.lan:8000", "cross-site", 200),
        # No browser.
        (None, "desk.lan:8000", None, 200),
    ],
)
def test_a_page_judges_only_at_the_address_it_came_from(
    place: Path, tmp_path: Path, origin: str | None, host: str, site: str | None, status: int
) -> None:
    settings: Json = {"host": "0.0.0.0", "allowed_hosts": ("search.example",)}
    settings |= {"cors_origin": "https://notes.example"}
    served = made_search.service(place / "index", feedback=tmp_path, **settings)
    with made_search.client(served) as client:
        body = {"query": QUESTION, "passage": ask(client)[0]["id"], "grade": 1}
        sent = {"origin": origin, "host": host, "sec-fetch-site": site}
        headers = {name: value for name, value in sent.items() if value is not None}
        answer = client.post("/v1/feedback", json=body, headers=headers)
    assert answer.status_code == status, answer.text
    assert status == 200 or answer.json()["error"]["code"] == "cross_site"
    assert (tmp_path / FILE).exists() == (status == 200)


def test_without_a_relevant_passage_there_is_nothing_to_take_away(client: TestClient) -> None:
    judge(client, ask(client)[0], 0)
    answer = client.get("/v1/feedback/export")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_the_export_is_a_judged_set_over_every_passage(client: TestClient, tmp_path: Path) -> None:
    first, second, *_ = ask(client)
    bees = ask(client, "where do\tbees dance?")[0]
    judge(client, first, 2)
    judge(client, second, 0)
    judge(client, bees, 1, " where do\tbees  dance? ")
    found = read_judged_set(unpack(client, tmp_path / "out"))
    assert len(found.documents) == client.get("/v1/search").json()["indices"][0]["passages"]
    assert sorted(found.queries.values()) == [QUESTION, "where do bees dance?"]
    by_text = {found.queries[query]: dict(grades) for query, grades in found.qrels.items()}
    assert by_text[QUESTION] == {first["id"]: 2, second["id"]: 0}
    assert by_text["where do bees dance?"] == {bees["id"]: 1}
    assert found.notes == {}
    documents = {document.id: document for document in found.documents}
    assert documents[first["id"]].title == "Kettle > Reset the kettle"
    assert documents[first["id"]].text == first["text"]
    assert documents[bees["id"]].title == ""


def test_equal_judgements_give_equal_bytes(client: TestClient) -> None:
    judge(client, ask(client)[0], 1)
    once, again = (client.get("/v1/feedback/export").content for _ in range(2))
    assert once == again


def test_the_export_goes_straight_into_evaluate(client: TestClient, tmp_path: Path) -> None:
    judge(client, ask(client)[0], 1)
    folder = unpack(client, tmp_path / "out")
    code, out, err = run("evaluate", "--data", folder, "--json", "--output", tmp_path / "results")
    assert code == 0, err
    assert '"ndcg@10": 1.0' in json.dumps(json.loads(out))


def test_judgements_outlive_another_cutting_where_the_text_is_the_same(tmp_path: Path) -> None:
    place = tmp_path / "grown"
    made_search.write_index(place)
    served = made_search.service(place / "index", feedback=tmp_path)
    with made_search.client(served) as client:
        kept = ask(client, "where do bees dance?")[0]
        judge(client, kept, 1, "where do bees dance?")
        judge(client, ask(client)[0], 1)
    options = replace(made_search.OPTIONS, chunk_tokens=200)
    index_folder(place / "sources", place / "other", options, embedder=made_index.mini())
    served = made_search.service(place / "other", feedback=tmp_path)
    with made_search.client(served) as client:
        hit = ask(client, "where do bees dance?")[0]
        assert hit["id"] != kept["id"]
        assert hit["grade"] == 1
        assert client.get("/v1/feedback").json()["not_in_index"] == 1
        found = read_judged_set(unpack(client, tmp_path / "out"))
        assert list(found.qrels.values()) == [{hit["id"]: 1}]
