"""Searching a stored index: against brute force, with filters, in every mode, by every road."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.index.made_documents import write_documents

from biencoder import Embedder, Index, col
from biencoder.corpus.beir import read_corpus
from biencoder.errors import InputError
from biencoder.index import search, store
from biencoder.index.build import index_folder
from biencoder.index.fusion import FUSIONS, Fusion, fuse
from biencoder.index.hits import MODES, Mode
from biencoder.types import FloatArray

XQUAD = Path(__file__).parent.parent.parent / "examples" / "xquad" / "en"
QUESTION = "Which team won the match?"


@pytest.fixture(scope="module")
def mini() -> Embedder:
    return Embedder.load("mini")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory, mini: Embedder) -> Index:
    """Half of XQuAD's paragraphs, as rows with a number to filter on."""
    folder = tmp_path_factory.mktemp("search")
    with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number, document in enumerate(list(read_corpus(XQUAD))[:100]):
            row = {"_id": document.id, "title": document.title, "text": document.text}
            file.write(json.dumps({**row, "place": number, "even": number % 2 == 0}) + "\n")
    index_folder(folder, folder / "index", embedder=mini)
    return Index.open(folder / "index", embedder=mini)


def _brute_force(index: Index, query: FloatArray, k: int) -> list[str]:
    mirror = index._snapshot.mirror
    scores = (mirror.vectors_ND.astype(np.float64) @ query.astype(np.float64)).tolist()
    ids: list[Any] = mirror.columns["id"].to_pylist()
    return [id_ for _, id_ in sorted(zip((-s for s in scores), ids, strict=True))[:k]]


def test_dense_search_is_brute_force_over_the_table(index: Index, mini: Embedder) -> None:
    for question in (QUESTION, "What do plants need?", "oxygen"):
        query = mini.encode_queries([question])[0]
        hits = index.search(question, top_k=20, mode="dense")
        assert [hit.id for hit in hits] == _brute_force(index, query, 20)
        assert [hit.rank for hit in hits] == list(range(1, 21))


def test_lexical_search_ranks_rows_that_share_words_and_no_others(index: Index) -> None:
    hits = index.search("Broncos quarterback", top_k=50, mode="lexical")
    assert hits
    assert all({"broncos", "quarterback"} & set(_words(hit.text)) for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert index.search("!?", mode="lexical") == []


def _words(text: str) -> list[str]:
    return [word.strip(".,'\"()").lower() for word in text.replace("-", " ").split()]


@pytest.mark.parametrize("fusion", FUSIONS)
def test_hybrid_search_is_the_fusion_of_both_rankings(index: Index, fusion: Fusion) -> None:
    dense = [(hit.id, hit.score) for hit in index.search(QUESTION, top_k=100, mode="dense")]
    lexical = [(hit.id, hit.score) for hit in index.search(QUESTION, top_k=100, mode="lexical")]
    expected = fuse(dense, lexical, fusion)[:7]
    hits = index.search(QUESTION, top_k=7, fusion=fusion)
    assert [(hit.id, hit.score) for hit in hits] == expected
    assert hits[0].dense is not None
    assert hits[0].lexical is not None


@pytest.mark.parametrize("mode", ["dense", "lexical", "hybrid"])
def test_a_filter_keeps_the_order_of_what_it_leaves(index: Index, mode: Mode) -> None:
    wanted = (col("place") < 60) & (col("even") == True)  # noqa: E712
    everything = index.search(QUESTION, top_k=200, mode=mode)
    left = [hit.id for hit in everything if hit.metadata["place"] < 60 and hit.metadata["even"]]
    filtered = index.search(QUESTION, top_k=200, mode=mode, filters=wanted)
    text = index.search(QUESTION, top_k=200, mode=mode, filters="place < 60 and even = true")
    assert [hit.id for hit in filtered] == [hit.id for hit in text]
    assert {hit.id for hit in filtered} == set(left)
    if mode != "hybrid":  # a fused rank depends on who else stands in the rankings
        assert [hit.id for hit in filtered] == left


def test_a_filter_that_nothing_passes_finds_nothing(index: Index) -> None:
    for mode in MODES:
        assert index.search(QUESTION, mode=mode, filters=col("place") < 0) == []


def test_what_cannot_be_searched_is_said(index: Index) -> None:
    with pytest.raises(InputError, match="the question is empty"):
        index.search("  ")
    with pytest.raises(InputError, match="at least 1"):
        index.search("x", top_k=0)
    with pytest.raises(InputError, match="known: hybrid, dense, lexical"):
        index.search("x", mode="fuzzy")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="known: weighted, reciprocal-rank"):
        index.search("x", fusion="sum")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="place"):
        index.search("x", filters=col("plaice") < 3)


@pytest.mark.parametrize("candidates", ["prefix 128", "binary"])
def test_two_stages_find_what_comparing_everything_finds(
    tmp_path: Path, mini: Embedder, monkeypatch: pytest.MonkeyPatch, candidates: str
) -> None:
    monkeypatch.setattr("biencoder.index.build._candidates", lambda embedder, size: candidates)
    monkeypatch.setattr(search, "_CANDIDATES", 60)
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as file:
        for document in list(read_corpus(XQUAD))[:100]:
            file.write(json.dumps({"_id": document.id, "text": document.text}) + "\n")
    index_folder(tmp_path / "rows.jsonl", tmp_path / "index", embedder=mini)
    index = Index.open(tmp_path / "index", embedder=mini)
    assert index._snapshot.mirror.short_NE is not None
    assert index._snapshot.mirror.short_NE.shape == (
        len(index),
        128 if "prefix" in candidates else 6,
    )
    same = 0
    for question in ("Who won?", "What is oxygen?", "a river in Germany", "the Broncos defense"):
        query = mini.encode_queries([question])[0]
        hits = index.search(question, top_k=10, mode="dense")
        same += len({hit.id for hit in hits} & set(_brute_force(index, query, 10)))
        # Rescored with full vectors: the scores are those of exact search.
        best = max(float(v @ query) for v in index._snapshot.mirror.vectors_ND)
        assert hits[0].score == pytest.approx(best, abs=1e-6)
    assert same >= 38


def test_above_the_exact_limit_a_vector_index_gives_the_candidates(
    index: Index, tmp_path: Path, mini: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "EXACT_ROWS", 300)
    with (tmp_path / "rows.jsonl").open("w", encoding="utf-8") as file:
        for number, document in enumerate(list(read_corpus(XQUAD))):
            row = {"_id": document.id, "text": document.text, "place": number}
            file.write(json.dumps(row) + "\n")
    index_folder(tmp_path / "rows.jsonl", tmp_path / "index", embedder=mini)
    large = Index.open(tmp_path / "index", embedder=mini)
    assert large._snapshot.store.covers("vector")
    query = mini.encode_queries([QUESTION])[0]
    hits = large.search(QUESTION, top_k=10, mode="dense")
    assert len({hit.id for hit in hits} & set(_brute_force(large, query, 10))) >= 9
    filtered = large.search(QUESTION, top_k=10, mode="dense", filters=col("place") < 20)
    assert all(hit.metadata["place"] < 20 for hit in filtered)
    assert len(filtered) == 10
    assert not index._snapshot.store.covers("vector")


def test_a_new_version_is_seen_after_refresh(tmp_path: Path, mini: Embedder) -> None:
    docs, to = write_documents(tmp_path / "docs"), tmp_path / "index"
    index_folder(docs, to, embedder=mini)
    index = Index.open(to, embedder=mini)
    (docs / "new.txt").write_text("Glaciers carve valleys shaped like a U.")
    index_folder(docs, to, embedder=mini)
    assert index.search("glaciers", mode="lexical") == []
    assert index.refresh() is True
    assert index.search("glaciers", mode="lexical")[0].source == "new.txt"
    assert index.refresh() is False


def test_an_empty_mirror_can_be_searched(tmp_path: Path, mini: Embedder) -> None:
    docs, to = write_documents(tmp_path / "docs"), tmp_path / "index"
    index_folder(docs, to, embedder=mini)
    for path in docs.rglob("*"):
        if path.is_file() and path.name != "lakes.md":
            path.unlink()
    (docs / "lakes.md").write_bytes(b"")
    (docs / "lakes.md").unlink()
    (docs / "bad.pdf").write_bytes(b"nothing")
    index_folder(docs, to, embedder=mini)
    index = Index.open(to, embedder=mini)
    assert len(index) == 0
    assert index.search("anything") == []
