"""Exact search equals sorting every score, whatever the ties, blocks, exclusions and sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given, settings
from hypothesis import strategies as st

from biencoder.errors import DimensionError, InputError
from biencoder.evaluate.exact import TieOrder, TopK, scores_of, search
from biencoder.evaluate.metrics import measure, rank
from biencoder.types import FloatArray


def ranked(
    scores_QP: FloatArray, ids: Sequence[str], k: int, excluded: Sequence[set[int]] | None = None
) -> list[list[str]]:
    """The oracle: `rank`, which is tested against trec_eval, over every score."""
    out = excluded or [set()] * len(scores_QP)
    return [
        rank({ids[row]: score for row, score in enumerate(scores) if row not in hidden})[:k]
        for scores, hidden in zip(scores_QP.tolist(), out, strict=True)
    ]


def found_ids(found: TopK, ids: Sequence[str]) -> list[list[str]]:
    return [[ids[row] for row in rows if row >= 0] for rows in found.rows_QK.tolist()]


def whole_numbers(seed: int, rows: int, size: int, most: int) -> FloatArray:
    """Vectors whose products are exact in any order of adding, and tie often."""
    values = np.random.default_rng(seed).integers(-most, most + 1, (rows, size))
    return values.astype(np.float32)


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    queries=st.integers(0, 40),
    documents=st.integers(1, 150),
    size=st.integers(1, 8),
    most=st.integers(0, 3),
    k=st.integers(1, 40),
    block_rows=st.integers(1, 100),
    hide=st.booleans(),
)
def test_search_equals_sorting_every_score(
    seed: int,
    queries: int,
    documents: int,
    size: int,
    most: int,
    k: int,
    block_rows: int,
    hide: bool,
) -> None:
    queries_QD = whole_numbers(seed, queries, size, most)
    documents_PD = whole_numbers(seed + 1, documents, size, most)
    draw = np.random.default_rng(seed)
    ids = [f"d{number}" for number in draw.permutation(documents)]
    excluded = [
        set(draw.integers(0, documents, draw.integers(0, documents + 1)).tolist())
        for _ in range(queries)
    ]
    found = search(
        queries_QD,
        documents_PD,
        ids,
        k=k,
        excluded=excluded if hide else None,
        block_rows=block_rows,
    )
    scores_QP = queries_QD @ documents_PD.T
    assert found_ids(found, ids) == ranked(scores_QP, ids, k, excluded if hide else None)
    assert found.rows_QK.shape == found.scores_QK.shape == (queries, k)
    there = found.rows_QK >= 0
    assert found.scores_QK[there].tolist() == [
        scores_QP[query, row]
        for query, rows in enumerate(found.rows_QK.tolist())
        for row in rows
        if row >= 0
    ]
    assert (found.scores_QK[~there] == -np.inf).all()


@pytest.mark.parametrize("documents", [1, 5, 31, 100, 4099])
@pytest.mark.parametrize("queries", [1, 3, 100])
@pytest.mark.parametrize("block_rows", [64, 4096])
def test_equal_documents_tie_wherever_they_stand(
    documents: int, queries: int, block_rows: int
) -> None:
    draw = np.random.default_rng(0)
    queries_QD = draw.standard_normal((queries, 37), dtype=np.float32)
    vector = draw.standard_normal((1, 37), dtype=np.float32)
    ids = [str(number) for number in range(documents)]
    found = search(queries_QD, vector.repeat(documents, 0), ids, k=7, block_rows=block_rows)
    best = sorted(ids, reverse=True)[:7]
    assert found_ids(found, ids) == [best] * queries


def test_more_queries_than_one_block_holds_are_all_answered() -> None:
    documents_PD = whole_numbers(0, 50, 4, 2)
    queries_QD = whole_numbers(1, 2500, 4, 2)
    ids = [f"d{number}" for number in range(50)]
    excluded = [{number % 50} for number in range(2500)]
    found = search(queries_QD, documents_PD, ids, k=3, excluded=excluded)
    assert found_ids(found, ids) == ranked(queries_QD @ documents_PD.T, ids, 3, excluded)


def test_documents_that_grow_ever_better_are_found_across_blocks() -> None:
    documents_PD = np.arange(1000, dtype=np.float32)[:, None]
    ids = [f"d{number}" for number in range(1000)]
    queries_QD = np.asarray([[1], [-1], [0]], np.float32)
    found = search(queries_QD, documents_PD, ids, k=3, block_rows=16)
    assert found_ids(found, ids) == [
        ["d999", "d998", "d997"],
        ["d0", "d1", "d2"],
        ["d999", "d998", "d997"],
    ]


def test_a_memory_map_and_half_precision_are_scored_in_float32(tmp_path: Path) -> None:
    half = np.random.default_rng(0).standard_normal((70, 8)).astype(np.float16)
    np.save(tmp_path / "half.npy", half)
    mapped = np.load(tmp_path / "half.npy", mmap_mode="r")
    ids = [f"d{number}" for number in range(70)]
    queries_QD = half[:5].astype(np.float32)
    expected = search(queries_QD, half.astype(np.float32), ids, k=10, block_rows=16)
    found = search(queries_QD, mapped, ids, k=10, block_rows=16)
    np.testing.assert_array_equal(found.rows_QK, expected.rows_QK)
    assert found.scores_QK.dtype == np.float32


@dataclass
class Signs:
    """Documents that stand in memory as signs and are decoded block by block."""

    signs: np.ndarray
    greatest: int = 0

    def __len__(self) -> int:
        return len(self.signs)

    def block(self, start: int, stop: int) -> FloatArray:
        self.greatest = max(self.greatest, stop - start)
        return self.signs[start:stop].astype(np.float32)


def test_stored_vectors_are_decoded_one_block_at_a_time() -> None:
    stored = Signs(np.sign(whole_numbers(3, 101, 6, 1)).astype(np.int8))
    queries_QD = whole_numbers(4, 7, 6, 3)
    ids = [f"d{number}" for number in range(101)]
    found = search(queries_QD, stored, ids, k=9, block_rows=32)
    scores_QP = queries_QD @ stored.signs.T.astype(np.float32)
    assert found_ids(found, ids) == ranked(scores_QP, ids, 9)
    assert stored.greatest == 32


@pytest.mark.parametrize("documents", [3, 10, 400])
@pytest.mark.parametrize("tied", [False, True])
def test_retrieval_over_vectors_equals_trec_eval_over_all_scores(
    documents: int, tied: bool
) -> None:
    draw = np.random.default_rng(documents)
    queries = draw.normal(size=(300, 8)).astype(np.float32)
    corpus = draw.normal(size=(documents, 8)).astype(np.float32)
    if tied:
        # Small whole numbers: exact products, hence many exact ties, also at the border.
        queries, corpus = np.sign(queries), np.sign(corpus)
    ids = [f"d{number}" for number in range(documents)]
    qrels = {
        f"q{row}": {str(id_): int(draw.integers(1, 4)) for id_ in draw.choice(ids, size=3)}
        for row in range(300)
    }
    run = {
        f"q{row}": dict(zip(ids, scores.tolist(), strict=True))
        for row, scores in enumerate(queries @ corpus.T)
    }
    expected = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.5"}).evaluate(run)
    rankings = found_ids(search(queries, corpus, ids, k=10), ids)
    for (query, grades), ranking in zip(qrels.items(), rankings, strict=True):
        for ours, theirs in (("ndcg@10", "ndcg_cut_10"), ("recall@5", "recall_5")):
            assert measure(ours)(ranking, grades) == pytest.approx(
                expected[query][theirs], abs=1e-9
            )


def test_without_near_ties_the_order_is_that_of_faiss() -> None:
    faiss = pytest.importorskip("faiss")
    draw = np.random.default_rng(0)
    documents_PD = draw.standard_normal((3000, 24), dtype=np.float32)
    queries_QD = draw.standard_normal((50, 24), dtype=np.float32)
    index = faiss.IndexFlatIP(24)
    index.add(documents_PD)
    scores_QK, rows_QK = index.search(queries_QD, 20)
    found = search(queries_QD, documents_PD, [str(row) for row in range(3000)], k=20)
    np.testing.assert_array_equal(found.rows_QK, rows_QK)
    np.testing.assert_allclose(found.scores_QK, scores_QK, rtol=1e-5)


@given(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1))
def test_keys_sort_as_scores_and_give_them_back(values: list[float]) -> None:
    scores = np.asarray(values, dtype=np.float32)
    order = TieOrder(["d"] * len(values))
    keys = order.keys(scores, np.zeros(len(values), dtype=np.int64))
    np.testing.assert_array_equal(scores_of(keys), scores)
    for left, right in zip(np.sort(keys), np.sort(scores), strict=True):
        assert scores_of(np.asarray([left]))[0] == right


def test_no_documents_or_no_queries_find_nothing() -> None:
    none = np.zeros((0, 4), dtype=np.float32)
    some = np.ones((3, 4), dtype=np.float32)
    assert search(some, none, [], k=2).rows_QK.tolist() == [[-1, -1]] * 3
    assert search(none, some, ["a", "b", "c"], k=2).rows_QK.shape == (0, 2)


def test_vectors_of_two_sizes_are_an_error() -> None:
    with pytest.raises(DimensionError, match="queries have 4 numbers and documents 3"):
        search(np.ones((1, 4), np.float32), np.ones((2, 3), np.float32), ["a", "b"], k=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
def test_a_number_that_cannot_be_scored_is_an_error_with_its_row(value: float) -> None:
    good, bad = np.ones((40, 4), np.float32), np.ones((40, 4), np.float32)
    bad[33, 2] = value
    ids = [str(row) for row in range(40)]
    with pytest.raises(InputError, match="vector of document 33 holds NaN"):
        search(good, bad, ids, k=1, block_rows=16)
    with pytest.raises(InputError, match="vector of query 33 holds NaN"):
        search(bad, good, ids, k=1)


def test_great_but_finite_numbers_are_scored() -> None:
    documents_PD = np.full((40, 4), 4e18, np.float32)
    found = search(documents_PD[:1], documents_PD, [str(row) for row in range(40)], k=1)
    np.testing.assert_allclose(found.scores_QK, 6.4e37, rtol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"k": 0}, "1 or more documents, not for 0"),
        ({"ids": ["a"]}, "1 ids do not fit 2 documents"),
        ({"excluded": [set()]}, "exclusions for 1 queries do not fit 3 queries"),
        ({"excluded": [{0}, {2}, set()]}, "row 2 is none of 2 documents"),
        ({"excluded": [{-1}, {2}, set()]}, "row -1 is none of 2 documents"),
    ],
)
def test_parts_that_do_not_fit_are_an_error(options: dict[str, object], message: str) -> None:
    given: dict[str, object] = {"ids": ["a", "b"], "k": 1} | options
    with pytest.raises(InputError, match=message):
        search(np.ones((3, 4), np.float32), np.ones((2, 4), np.float32), **given)  # type: ignore[arg-type]
