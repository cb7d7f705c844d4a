"""The OpenAPI document: it has every route, it is valid, and the service keeps to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from starlette.routing import Route
from tests.serve import fuzz
from tests.serve.wire_client import QUIET, Wire, opened

from biencoder.embedder.embedder import Embedder
from biencoder.index.build import Options, index_folder
from biencoder.serve.app import build_app
from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.errors import STATUS
from biencoder.serve.search.search import SearchService


@pytest.fixture(scope="module")
def wire(
    model: Embedder, checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wire]:
    """With everything that there is: ranking and an index."""
    root = tmp_path_factory.mktemp("searched")
    (root / "documents").mkdir()
    (root / "documents" / "lakes.txt").write_text("Oxbow lakes are cut-off river bends.")
    index_folder(
        root / "documents", root / "index", Options(model=str(checkpoints["1b"]), workers=1)
    )
    engine = Engine(model)
    with opened(Served("tiny", engine), settings=replace(QUIET, ranking=True)) as opened_wire:
        opened_wire.service.searching = SearchService.open([root / "index"], engines=[engine])
        opened_wire.app = build_app(opened_wire.service)
        yield opened_wire


def document(wire: Wire) -> Any:
    return wire.send("GET", "/openapi.json").json()


def offered(wire: Wire) -> set[tuple[str, str]]:
    return {
        (method.lower(), route.path)
        for route in wire.app.routes
        if isinstance(route, Route)
        for method in (route.methods or set()) - {"HEAD"}
    }


def test_every_route_is_in_the_document_and_nothing_else(wire: Wire) -> None:
    paths = document(wire)["paths"]
    assert {(method, path) for path, methods in paths.items() for method in methods} == offered(
        wire
    )


def test_without_ranking_and_index_the_document_has_neither(model: Embedder) -> None:
    with opened(Served("tiny", Engine(model))) as wire:
        found = document(wire)
        paths = found["paths"]
        assert {(m, path) for path, methods in paths.items() for m in methods} == offered(wire)
        assert not any("search" in path or "ranking" in path for path in paths)
        assert not any("Search" in name for name in found["components"]["schemas"])


def test_every_reference_leads_somewhere_and_every_schema_is_used(wire: Wire) -> None:
    found = document(wire)
    referred = set(re.findall(r"#/components/schemas/(\w+)", str(found)))
    assert referred == set(found["components"]["schemas"])


def test_operations_have_names_of_their_own_and_say_what_they_refuse(wire: Wire) -> None:
    operations = [one for methods in document(wire)["paths"].values() for one in methods.values()]
    names = [one["operationId"] for one in operations]
    assert len(set(names)) == len(names)
    for operation in operations:
        refusals = {int(status) for status in operation["responses"]} - {200}
        assert refusals <= set(STATUS.values())


def test_with_a_key_the_document_asks_for_it_everywhere_but_at_live_and_ready(
    model: Embedder,
) -> None:
    with opened(Served("tiny", Engine(model)), settings=replace(QUIET, api_keys=("k",))) as wire:
        answer = wire.send("GET", "/openapi.json", headers={"Authorization": "Bearer k"})
        found = answer.json()
    assert found["security"] == [{"key": []}]
    open_ = {
        path
        for path, methods in found["paths"].items()
        if methods.get("get", {}).get("security") == []
    }
    assert open_ == {"/v1/health/live", "/v1/health/ready"}


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_has_every_route_no_script_and_nothing_from_elsewhere(wire: Wire) -> None:
    answer = wire.send("GET", "/docs")
    assert answer.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    parser = _Tags()
    parser.feed(answer.text)
    for method, path in offered(wire):
        assert f"{method.upper()} {path}" in parser.words
    assert "script" not in {tag for tag, _ in parser.tags}
    assert not any(name in attrs for _, attrs in parser.tags for name in ("src", "href", "onload"))
    assert any("query | passage" in word for word in parser.words)
    assert any("dimensions" in word for word in parser.words)


def test_generated_requests_good_and_bad_are_answered_as_the_document_says(wire: Wire) -> None:
    asked = fuzz.fuzz(document(wire), wire, examples=3)
    # Every operation was tried, several times.
    tried = {operation for operation, _ in asked}
    assert tried == {f"{method.upper()} {path}" for method, path in offered(wire)}
    assert asked.total() > 3 * len(tried)
