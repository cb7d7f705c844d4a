"""Intervals and p-values by hand, by enumeration, and as scipy computes them."""

from __future__ import annotations

import numpy as np
import pytest

from biencoder.errors import InputError
from biencoder.evaluate import significance
from biencoder.evaluate.significance import RESAMPLES, bootstrap_interval, paired_difference

RANDOM = np.random.default_rng(7)
SCORES = RANDOM.beta(0.6, 0.5, 300)
OTHERS = np.clip(SCORES + RANDOM.normal(0.01, 0.2, 300), 0, 1)


def test_an_interval_of_one_value_has_no_width() -> None:
    assert bootstrap_interval([0.25]) == (0.25, 0.25)


def test_an_interval_of_two_values_reaches_both() -> None:
    # A quarter of the resamples holds the same value twice, so both ends lie inside 95 %.
    assert bootstrap_interval([0.0, 1.0]) == (0.0, 1.0)


def test_an_interval_is_near_that_of_the_normal_distribution() -> None:
    low, high = bootstrap_interval(SCORES.tolist())
    half = 1.96 * SCORES.std() / np.sqrt(len(SCORES))
    assert low == pytest.approx(SCORES.mean() - half, abs=0.004)
    assert high == pytest.approx(SCORES.mean() + half, abs=0.004)


def test_an_interval_is_scipys() -> None:
    stats = pytest.importorskip("scipy.stats")
    theirs = stats.bootstrap(
        (SCORES,), np.mean, n_resamples=10_000, method="percentile", random_state=1
    ).confidence_interval
    ours = bootstrap_interval(SCORES.tolist())
    assert ours == pytest.approx((theirs.low, theirs.high), abs=0.003)


def test_the_same_seed_gives_the_same_interval_and_another_one_nearly() -> None:
    values = SCORES.tolist()
    assert bootstrap_interval(values) == bootstrap_interval(values)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values)
    assert bootstrap_interval(values, seed=1) == pytest.approx(
        bootstrap_interval(values), abs=0.003
    )


def test_nothing_has_no_interval() -> None:
    with pytest.raises(InputError, match="no judged query"):
        bootstrap_interval([])


def test_a_paired_difference_by_hand() -> None:
    paired = paired_difference([0.0, 0.5, 0.5], [1.0, 0.5, 0.0])
    assert paired.difference == pytest.approx(1 / 6)
    assert (paired.better, paired.worse, paired.equal) == (1, 1, 1)


def test_p_is_the_share_of_sign_patterns_that_are_as_far_from_zero() -> None:
    # Of the signs of 1, 1, 1, both all plus and all minus: 2 of 8. The zero does not count.
    p_value = paired_difference([0.0] * 4, [1.0, 1.0, 1.0, 0.0]).p_value
    assert p_value == pytest.approx(2 / 8, abs=0.015)


def test_p_is_scipys_where_all_patterns_can_be_counted() -> None:
    stats = pytest.importorskip("scipy.stats")
    a, b = SCORES[:11], OTHERS[:11]
    theirs = stats.permutation_test(
        (a, b), lambda x, y: np.mean(y - x), permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert paired_difference(a.tolist(), b.tolist()).p_value == pytest.approx(theirs, abs=0.015)


def test_p_is_never_zero() -> None:
    p_value = paired_difference([0.0] * 40, [0.5] * 40).p_value
    assert p_value == 1 / (RESAMPLES + 1)


def test_equal_systems_have_p_1() -> None:
    paired = paired_difference([0.3, 0.7], [0.3, 0.7])
    assert (paired.p_value, paired.low, paired.high, paired.equal) == (1.0, 0.0, 0.0, 2)


def test_sums_in_another_order_are_no_difference() -> None:
    # 0.1 + 0.2 + 0.3 and 0.3 + 0.2 + 0.1 differ in the last digit; every pattern is as far as ours.
    values = [0.1, 0.2, 0.3, -0.6]
    assert paired_difference([0.0] * 4, values).p_value == 1.0


def test_pieces_give_the_whole_number_of_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = paired_difference(SCORES.tolist(), OTHERS.tolist())
    monkeypatch.setattr(significance, "_PIECE", 7 * len(SCORES))
    pieces = paired_difference(SCORES.tolist(), OTHERS.tolist())
    assert pieces.low == pytest.approx(whole.low, abs=0.003)
    assert pieces.high == pytest.approx(whole.high, abs=0.003)
    assert pieces.p_value == pytest.approx(whole.p_value, abs=0.02)
    sure = paired_difference([0.0] * 300, [1.0] * 300)
    assert sure.p_value == 1 / (RESAMPLES + 1)


def test_unequal_lengths_cannot_be_paired() -> None:
    with pytest.raises(InputError, match="2 values cannot be paired with 1"):
        paired_difference([0.1, 0.2], [0.1])
