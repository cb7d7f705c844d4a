"""Rows' metadata as typed columns: the order of rows, files and runs decides nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.index.made_index import mini

from biencoder import Index
from biencoder.index.build import Options, index_folder
from biencoder.index.ingest import Tally
from biencoder.index.rewrite import compact
from biencoder.index.verify import verify

LARGE = 2**53 + 1


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


def _write(docs: Path, file: str, prices: list[Any]) -> None:
    rows = [
        {"_id": f"{n}", "text": f"Lamp {n} of {file}.", "price": price}
        for n, price in enumerate(prices)
    ]
    (docs / file).write_text("".join(json.dumps(row) + "\n" for row in rows))


def _index(docs: Path) -> Tally:
    return index_folder(docs, docs.parent / "index", Options(commit_every=1), embedder=mini())


def _prices(docs: Path) -> list[Any]:
    index = Index.open(docs.parent / "index", embedder=mini())
    found = index.search("lamp", top_k=20, mode="dense")
    return sorted(hit.metadata["price"] for hit in found)


@pytest.mark.parametrize("prices", [[10, 10.5], [10.5, 10]])
def test_a_column_of_whole_numbers_and_fractions_is_one_of_numbers_in_either_order(
    docs: Path, prices: list[Any]
) -> None:
    _write(docs, "a.jsonl", prices)
    tally = _index(docs)
    assert (tally.documents, tally.failures) == (2, {})
    assert _prices(docs) == [10.0, 10.5]
    index = Index.open(docs.parent / "index", embedder=mini())
    assert index.columns["price"] == "number"
    assert len(index.search("lamp", filters="price > 10.2")) == 1


def test_so_it_is_across_files(docs: Path) -> None:
    _write(docs, "a.jsonl", [1, 2])
    _write(docs, "b.jsonl", [3, 4.5])
    assert _index(docs).failures == {}
    assert _prices(docs) == [1.0, 2.0, 3.0, 4.5]


def test_so_it_is_across_runs_and_the_numbers_that_stand_are_kept(docs: Path) -> None:
    _write(docs, "a.jsonl", [1, 2, 3, None])
    _write(docs, "gone.jsonl", [7])
    _index(docs)
    (docs / "gone.jsonl").unlink()
    _write(docs, "b.jsonl", [4.5])
    tally = _index(docs)
    assert (tally.documents, tally.unchanged, tally.failures) == (1, 4, {})
    folder = docs.parent / "index"
    index = Index.open(folder, embedder=mini())
    assert index.columns["price"] == "number"
    for mode in ("dense", "lexical"):
        assert len(index.search("lamp", mode=mode, filters="price >= 1", top_k=9)) == 4
    assert verify(folder).ok
    _write(docs, "c.jsonl", [5])
    assert _index(docs).failures == {}
    compact(folder)
    assert len(Index.open(folder, embedder=mini()).search("lamp", filters="price > 4")) == 2


def test_a_whole_number_that_a_fraction_s_column_would_round_is_refused_with_what_to_do(
    docs: Path,
) -> None:
    _write(docs, "a.jsonl", [LARGE, 1.5])
    (reason,) = _index(docs).failures.values()
    assert reason.startswith("its field 'price' is a whole number beyond 2**53")
    assert "make it a text" in reason
    assert _prices(docs) == [1.5]


def test_a_column_that_holds_such_a_number_already_refuses_fractions(docs: Path) -> None:
    _write(docs, "a.jsonl", [LARGE])
    _index(docs)
    _write(docs, "b.jsonl", [1.5, 3])
    tally = _index(docs)
    (reason,) = tally.failures.values()
    assert "other rows have whole numbers beyond 2**53 there, which would be rounded" in reason
    assert (tally.documents, _prices(docs)) == (1, [3, LARGE])
