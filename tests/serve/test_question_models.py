"""Models are named at the start, never by a request: also those that only an index needs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.embedder.stand_in import serving
from tests.serve import made_pages, made_search
from tests.serve.made_search import OPTIONS, QUESTION, CountingEngine
from tests.serve.running import process

from biencoder.embedder.encoder import Encoder
from biencoder.errors import FingerprintError, RemoteError, UnknownModelError
from biencoder.index.build import index_folder
from biencoder.index.page_settings import open_index_model
from biencoder.index.rewrite import reindex
from biencoder.serve.search import question_models, served_index


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The models that are loaded, or connected to, for an index."""
    loaded = []

    def noted(facts: Any) -> Encoder:
        loaded.append(facts.model)
        return open_index_model(facts)

    monkeypatch.setattr(question_models, "open_index_model", noted)
    return loaded


def found(client: TestClient, **body: Any) -> list[str]:
    answer = client.post("/v1/search", json={"query": QUESTION, "mode": "dense", **body})
    assert answer.status_code == 200, answer.text
    return [hit["heading"] for hit in answer.json()["hits"]]


def test_an_index_whose_model_is_not_served_has_it_loaded_at_the_start_once_and_said(
    kettle_index: Path, tmp_path: Path, loads: list[str]
) -> None:
    said: list[str] = []
    served = made_search.service(
        [kettle_index, kettle_index], feedback=tmp_path, engines=[], say=said.append
    )
    assert loads == ["mini"]
    assert said == ["Loading mini, which made the index index ..."]
    assert served.searching is not None
    with made_search.client(served) as client:
        for name in ("index", "index-2"):
            assert found(client, index=name)[0] == "Kettle > Reset the kettle"
        body = {"query": "kettle " * 1400, "mode": "dense"}
        refused = client.post("/v1/search", json=body).json()["error"]
    assert refused["code"] == "context_length_exceeded"
    assert "more tokens than the model of this index reads" in refused["message"]
    assert loads == ["mini"]


def test_the_start_says_so_in_one_line_before_it_is_ready(
    kettle_index: Path, tmp_path: Path
) -> None:
    arguments = ("--model", str(made_pages.checkpoint()), "--index", str(kettle_index))
    with process(*arguments, "--feedback", str(tmp_path), "--warmup", "none") as running:
        running.wait_for("^Ready: ")
        lines = running.lines
        said = [line for line in lines if "which made the index" in line]
        assert said == [f"Loading mini, which made the index {kettle_index.name} ..."]
        ready = next(place for place, line in enumerate(lines) if line.startswith("Ready: "))
        assert lines.index(said[0]) < ready


def test_a_served_model_that_made_the_index_is_not_loaded_again(
    kettle_index: Path, tmp_path: Path, loads: list[str]
) -> None:
    said: list[str] = []
    engine = CountingEngine()
    served = made_search.service(kettle_index, feedback=tmp_path, engines=[engine], say=said.append)
    with made_search.client(served) as client:
        found(client)
    assert (loads, said, engine.asked) == ([], [], [QUESTION])


def test_an_index_over_a_server_is_connected_to_it_at_the_start(
    tmp_path: Path, loads: list[str]
) -> None:
    source = made_search.write_sources(tmp_path / "sources")
    with serving() as server:
        options = replace(OPTIONS, model="mini", server=server.url, tokenizer="mini")
        index_folder(source, tmp_path / "index", options)
        said: list[str] = []
        served = made_search.service(
            tmp_path / "index", feedback=tmp_path, engines=[], say=said.append
        )
        assert said == [f"Connecting to mini at {server.url}/v1, which made the index index ..."]
        with made_search.client(served) as client:
            assert found(client)[0] == "Kettle > Reset the kettle"
            assert server.asked[-1]["input"] == [QUESTION]
        assert loads == ["mini"]


def test_an_index_whose_model_cannot_be_had_is_not_served(
    kettle_index: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (UnknownModelError("there is no model"), RemoteError("no answer")):

        def fails(facts: object, error: Exception = error) -> Encoder:
            raise error

        monkeypatch.setattr(question_models, "open_index_model", fails)
        with pytest.raises(type(error)):
            made_search.service(kettle_index, feedback=tmp_path, engines=[])
    monkeypatch.setattr(question_models, "open_index_model", lambda facts: made_pages.model())
    with pytest.raises(FingerprintError, match="was made with mini"):
        made_search.service(kettle_index, feedback=tmp_path, engines=[])


def test_after_a_swap_to_another_model_a_search_by_meaning_says_restart_and_words_go_on(
    tmp_path: Path,
    loads: list[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(served_index, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(served_index, "_PATIENCE_SECONDS", 30.0)
    index = made_search.write_index(tmp_path)
    served = made_search.service(index, feedback=tmp_path / "feedback")
    with made_search.client(served) as client:
        assert found(client)[0] == "Kettle > Reset the kettle"
        other = str(made_pages.checkpoint())
        reindex(index, replace(OPTIONS, model=other), embedder=made_pages.model())
        for mode in ("dense", "hybrid"):
            answer = client.post("/v1/search", json={"query": QUESTION, "mode": mode})
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "index_conflict")
            assert "restart the service" in answer.json()["error"]["message"]
            assert str(tmp_path) not in answer.text
            assert other not in answer.text
        assert found(client, mode="lexical")[0] == "Kettle > Reset the kettle"
    assert loads == []
    assert caplog.text.count("which was not loaded at the start: restart") == 1
