"""Searching an index of page images over the wire: pictures from the index only, shares that add up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.serve import made_pages, made_search
from tests.serve.made_pages import QUESTION, decoded
from tests.serve.made_search import CountingEngine

from biencoder.serve.search.feedback import judged_key
from biencoder.serve.search.page import POLICY
from biencoder.serve.service import Service


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Read, never write."""
    return made_pages.write_index(tmp_path_factory.mktemp("pictured"))


def service(index: Path, feedback: Path, **settings: Any) -> Service:
    engine = CountingEngine(made_pages.model())
    return made_search.service(index, feedback=feedback, engines=[engine], **settings)


@pytest.fixture
def client(index: Path, tmp_path: Path) -> Iterator[TestClient]:
    with made_search.client(service(index, tmp_path)) as found:
        yield found


def search(client: TestClient, **fields: Any) -> list[dict[str, Any]]:
    response = client.post("/v1/search", json={"query": QUESTION, "mode": "dense"} | fields)
    assert response.status_code == 200, response.text
    hits: list[dict[str, Any]] = response.json()["hits"]
    return hits


def picture_of(hit: dict[str, Any]) -> str:
    return f"/v1/documents/{hit['document']}/pages/{hit['id']}/image"


def test_every_share_of_a_pages_score_is_told_and_together_they_are_the_score(
    client: TestClient,
) -> None:
    hits = search(client, shares=True)
    assert len(hits) == 4
    for hit in hits:
        assert hit["pictured"]
        shares = hit["shares"]
        parts = [tile["share"] for tile in shares["tiles"]]
        assert len(parts) == 6
        assert sum(parts) + shares["thumbnail"] + shares["rest"] == pytest.approx(shares["score"])
        assert shares["score"] == pytest.approx(hit["score"], abs=1e-5)
        left, top, right, bottom = shares["tiles"][0]["box"]
        assert (left, top) == (0, 0)
        assert (right, bottom) == pytest.approx(
            (1 / 2, 1 / 3) if hit["source"] != "wide.png" else (1 / 3, 1 / 2)
        )


def test_shares_are_told_where_they_are_asked_for_and_there_is_a_vector(client: TestClient) -> None:
    assert all("shares" not in hit for hit in search(client))
    assert all("shares" not in hit for hit in search(client, shares=True, mode="lexical"))
    assert all(hit["shares"] for hit in search(client, shares=True, mode="hybrid"))
    refusal = client.post("/v1/search", json={"query": QUESTION, "shares": 1}).json()["error"]
    assert (refusal["code"], refusal["param"]) == ("invalid_request", "shares")


def test_a_pages_picture_is_sent_as_what_it_is_and_as_nothing_else(client: TestClient) -> None:
    for hit in search(client):
        answer = client.get(picture_of(hit))
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "private, no-cache"
        picture = decoded(answer.content)
        assert picture.format == "WEBP"
        if hit["source"] == "tall.png":
            assert picture.size == made_pages.TALL
        again = client.get(picture_of(hit), headers={"if-none-match": answer.headers["etag"]})
        assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "passage", ["0" * 32, "..%2f..%2fledger", "x", "%00", "a" * 5000, "index.json"]
)
def test_nothing_but_a_page_of_the_index_is_ever_read(client: TestClient, passage: str) -> None:
    document = search(client)[0]["document"]
    answer = client.get(f"/v1/documents/{document}/pages/{passage}/image")
    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_a_page_belongs_to_its_own_document(client: TestClient) -> None:
    hits = {hit["source"]: hit for hit in search(client)}
    wrong = {**hits["tall.png"], "document": hits["wide.png"]["document"]}
    assert client.get(picture_of(wrong)).status_code == 404


def test_pictures_ask_for_the_key_as_every_route_does(index: Path, tmp_path: Path) -> None:
    with made_search.client(service(index, tmp_path, api_keys=("right",))) as client:
        key = {"authorization": "Bearer right"}
        body = {"query": QUESTION, "mode": "dense"}
        hit = client.post("/v1/search", json=body, headers=key).json()["hits"][0]
        assert client.get(picture_of(hit)).status_code == 401
        assert client.get(picture_of(hit), headers=key).status_code == 200


def test_what_is_kept_as_a_picture_and_is_none_is_not_sent(index: Path, tmp_path: Path) -> None:
    own = shutil.copytree(index, tmp_path / "index")
    with made_search.client(service(own, tmp_path / "feedback")) as client:
        hit = search(client)[0]
        (kept,) = own.glob(f"g1/pages/*/{hit['id']}.webp")
        kept.write_bytes(b"<script>alert(1)</script>")
        assert client.get(picture_of(hit)).status_code == 404
        kept.with_suffix(".npz").unlink()
        assert search(client, shares=True)[0]["shares"] is None


def test_a_document_tells_which_of_its_passages_have_a_picture(client: TestClient) -> None:
    hit = next(hit for hit in search(client) if hit["source"] == "manual.pdf")
    texts = client.get(f"/v1/documents/{hit['document']}").json()["texts"]
    assert [(text["page"], text["pictured"]) for text in texts] == [(1, True), (2, True)]


def test_scans_without_text_are_judged_each_by_itself(client: TestClient) -> None:
    scans = [hit for hit in search(client) if not hit["text"].strip()]
    judged = {"query": QUESTION, "passage": scans[0]["id"], "grade": 1}
    assert client.post("/v1/feedback", json=judged).status_code == 200
    grades = {hit["id"]: hit["grade"] for hit in search(client)}
    assert [grades[scan["id"]] for scan in scans] == [1, None]
    # In one document they have nothing but their numbers; a text is the same on whatever page.
    assert judged_key("q", "a.pdf", " ", 1) != judged_key("q", "a.pdf", " ", 2)
    assert judged_key("q", "a.pdf", "said", 1) == judged_key("q", "a.pdf", "said", 2)
