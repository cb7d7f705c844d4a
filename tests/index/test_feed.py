"""Documents through the model: bounded titles, and passages cut only as they are asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.index.made_index import mini

from biencoder import Index
from biencoder.index.build import Options, index_folder
from biencoder.index.facts import Facts
from biencoder.index.feed import Document, Feed, Part
from biencoder.text import chunk
from biencoder.text.blocks import BLOCK_CHARACTERS, blocks

LONG = "The lamp is lit and the pump is loud. " * 200


def test_a_row_with_a_title_of_a_megabyte_is_stored_with_its_beginning(tmp_path: Path) -> None:
    docs, to = tmp_path / "docs", tmp_path / "index"
    docs.mkdir()
    row = {"_id": "a", "title": "word " * 200_000, "heading": "far " * 250_000, "text": LONG}
    (docs / "rows.jsonl").write_text(json.dumps(row) + "\n")
    tally = index_folder(docs, to, Options(workers=1), embedder=mini())
    assert (tally.documents, tally.failures) == (1, {})
    hits = Index.open(to, embedder=mini()).search("lamp", mode="lexical", top_k=99)
    assert len(hits) == tally.chunks > 5
    assert {len(hit.title) for hit in hits} == {1_000}
    assert all(hit.title.endswith("word…") for hit in hits)
    assert all(len(hit.heading) <= 1_000 for hit in hits)
    assert sum(path.stat().st_size for path in to.rglob("*") if path.is_file()) < 2_000_000


def test_of_a_book_no_more_is_cut_than_the_model_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    cut: list[int] = []

    def counted(text: str) -> Iterator[tuple[int, str]]:
        for start, block in blocks(text):
            cut.append(start)
            yield start, block

    monkeypatch.setattr(chunk, "blocks", counted)
    book = LONG * (10 * BLOCK_CHARACTERS // len(LONG))
    facts = Facts(model="mini", fingerprint="", dimensions=384)
    run = Feed(mini(), facts, most=4).run([Document("a", "a", "0", parts=(Part(None, book),))])
    assert next(run) == []
    # Windows of four passages each: one is done, the next is being read.
    assert cut == [0]
