"""Held-out pairs: whole groups, at most so many, the same for every shuffle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biencoder.data.holdout import choose_holdout, split_by_ids
from biencoder.data.rows import PairRow
from biencoder.errors import InputError

PAIRS = st.lists(
    st.tuples(st.text("abc", max_size=3), st.text("xyz", max_size=2)), max_size=40, unique=True
).map(lambda pairs: [PairRow(query, positive, "s", "l") for query, positive in pairs])


@given(PAIRS, st.integers(0, 20))
def test_all_pairs_of_a_positive_stay_on_one_side(pairs: list[PairRow], size: int) -> None:
    held_out = choose_holdout(pairs, size)
    assert len(held_out) <= size
    chosen = {pair.positive for pair in held_out}
    assert sorted(held_out, key=repr) == sorted(
        (pair for pair in pairs if pair.positive in chosen), key=repr
    )


@given(PAIRS, st.integers(0, 20), st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_of_the_input(
    pairs: list[PairRow], size: int, random: object
) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert set(choose_holdout(shuffled, size)) == set(choose_holdout(pairs, size))


def test_the_count_is_exact_as_soon_as_single_pairs_remain() -> None:
    pairs = [PairRow(f"q{number}", f"p{number}", "s", "l") for number in range(50)]
    assert len(choose_holdout(pairs, 17)) == 17


@given(PAIRS, st.integers(0, 20))
def test_split_by_ids_parts_the_pairs_as_they_were_chosen(pairs: list[PairRow], size: int) -> None:
    ids = [pair.id for pair in choose_holdout(pairs, size)]
    training, held_out = split_by_ids(pairs, ids)
    assert {pair.id for pair in held_out} == set(ids)
    assert {pair.positive for pair in training}.isdisjoint(pair.positive for pair in held_out)
    assert len(training) + len(held_out) == len(pairs)


def test_a_listed_id_that_is_not_in_the_data_is_an_error() -> None:
    pair = PairRow("q", "p", "s", "l")
    with pytest.raises(InputError, match="1 of 2 held-out pairs are not in the data, first 00ff"):
        split_by_ids([pair], [pair.id, "00ff"])
