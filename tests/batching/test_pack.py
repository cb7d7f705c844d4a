"""Packing: every text once, the budget kept, nothing padded, the order restorable."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from biencoder.batching.pack import build_batch, pack
from biencoder.types import IntArray

LENGTHS = st.lists(st.integers(1, 40), min_size=1, max_size=60)
BUDGET = st.integers(1, 100)


def rows_of(lengths: list[int]) -> list[IntArray]:
    """Texts whose tokens tell where they come from: row * 1000 + place."""
    return [row * 1000 + np.arange(length) for row, length in enumerate(lengths)]


@given(LENGTHS, BUDGET)
def test_every_text_comes_out_once_and_whole(lengths: list[int], budget: int) -> None:
    ids = rows_of(lengths)
    seen: list[int] = []
    for batch in pack(ids, budget=budget):
        for text, row in enumerate(batch.rows_S):
            start, stop = batch.bounds[text : text + 2]
            assert batch.tokens_T[start:stop].tolist() == ids[row].tolist()
            assert batch.positions_T[start:stop].tolist() == list(range(lengths[row]))
            seen.append(int(row))
    assert sorted(seen) == list(range(len(lengths)))


@given(LENGTHS, BUDGET)
def test_the_budget_is_kept_and_a_longer_text_goes_alone(lengths: list[int], budget: int) -> None:
    for batch in pack(rows_of(lengths), budget=budget):
        assert len(batch.tokens_T) <= budget or len(batch.rows_S) == 1


@given(LENGTHS, BUDGET)
def test_batches_come_longest_first_and_equal_lengths_stand_together(
    lengths: list[int], budget: int
) -> None:
    order = [int(n) for batch in pack(rows_of(lengths), budget=budget) for n in batch.lengths_S]
    assert order == sorted(lengths, reverse=True)


@given(LENGTHS, BUDGET)
def test_no_two_neighbouring_batches_would_have_fitted_into_one(
    lengths: list[int], budget: int
) -> None:
    batches = list(pack(rows_of(lengths), budget=budget))
    for left, right in pairwise(batches):
        assert len(left.tokens_T) + int(right.lengths_S[0]) > budget


@given(LENGTHS)
def test_a_batch_has_no_padding_and_its_bounds_cover_it(lengths: list[int]) -> None:
    batch = build_batch(rows_of(lengths), np.arange(len(lengths)))
    assert batch.bounds.tolist() == [0, *np.cumsum(lengths).tolist()]
    assert len(batch.tokens_T) == len(batch.positions_T) == sum(lengths)
    assert batch.lengths_S.tolist() == lengths


def test_a_batch_written_out() -> None:
    batch = build_batch([np.array([5, 6]), np.array([7]), np.array([8, 9, 8])], np.array([2, 0]))
    assert batch.tokens_T.tolist() == [8, 9, 8, 5, 6]
    assert batch.positions_T.tolist() == [0, 1, 2, 0, 1]
    assert batch.bounds.tolist() == [0, 3, 5]
    assert batch.rows_S.tolist() == [2, 0]


def test_nothing_packs_to_nothing() -> None:
    assert list(pack([], budget=10)) == []
