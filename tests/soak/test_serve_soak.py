"""Minutes: thousands of requests made from our own OpenAPI document, good and bad."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.serve import fuzz
from tests.serve.wire_client import QUIET, opened

from biencoder.embedder.embedder import Embedder
from biencoder.index.build import Options, index_folder
from biencoder.serve.app import build_app
from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.search.search import SearchService

pytestmark = pytest.mark.soak

TEXTS = {
    "lakes.txt": "Oxbow lakes are cut-off river bends.",
    "bees.md": "# Bees\n\nBees dance to tell each other where flowers are.",
    "rivers.txt": "A meander grows until the river takes the short way.",
}


def test_in_three_thousand_generated_requests_there_is_no_fault_of_ours(
    model: Embedder, checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    (tmp_path / "documents").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "documents" / name).write_text(text)
    options = Options(model=str(checkpoints["1b"]), workers=1)
    index_folder(tmp_path / "documents", tmp_path / "index", options)
    engine = Engine(model)
    with opened(Served("tiny", engine), settings=replace(QUIET, ranking=True)) as wire:
        wire.service.searching = SearchService.open([tmp_path / "index"], engines=[engine])
        wire.app = build_app(wire.service)
        document = wire.send("GET", "/openapi.json").json()
        asked = fuzz.fuzz(document, wire, examples=100)
    assert asked.total() >= 2_000
    assert all(status < 500 for _, status in asked)
    # What is generated reaches the models, and is not only refused at the door.
    for operation in ("POST /v1/embeddings", "POST /v1/ranking", "POST /v1/search"):
        assert asked[operation, 200] > 0, asked
        assert asked[operation, 400] > 0, asked
    assert wire.service.in_flight == 0
