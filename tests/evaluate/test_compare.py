"""Paired differences by hand, by exact enumeration, and what must not be compared."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.evaluate.made_results import made

from biencoder.errors import InputError
from biencoder.evaluate.compare import compare, compare_sets, holm, p_text, signed, verdict
from biencoder.evaluate.significance import Paired

A = made([0.0, 0.5, 1.0, 0.25], system="BM25")
B = made([1.0, 0.5, 0.5, 0.5])


def test_means_differences_and_counts_are_those_worked_out_by_hand() -> None:
    comparison = compare(A, B)
    assert (comparison.a, comparison.b) == ("BM25", "mini")
    assert comparison.mean_a == 0.4375
    assert comparison.mean_b == 0.625
    assert comparison.differences == (1.0, 0.0, -0.5, 0.25)
    assert comparison.paired.difference == 0.1875
    counts = comparison.paired
    assert (counts.better, counts.worse, counts.equal) == (2, 1, 1)


def test_the_questions_that_changed_most_come_first_both_ways() -> None:
    comparison = compare(A, B)
    assert [change.id for change in comparison.gained] == ["q0", "q3"]
    assert [change.id for change in comparison.lost] == ["q2"]
    first = comparison.gained[0]
    assert (first.text, first.a, first.b, first.difference) == ("question 0", 0.0, 1.0, 1.0)
    assert first.found_a[0] == ("BM25-d0", 0.75)
    assert first.found_b[0] == ("mini-d0", 0.75)
    assert len(compare(A, B, top=1).gained) == 1
    assert compare(A, B, top=0).lost == ()


def test_exchanging_the_systems_turns_the_sign_and_nothing_else() -> None:
    forth, back = compare(A, B), compare(B, A)
    assert back.paired.difference == -forth.paired.difference
    assert back.paired.p_value == forth.paired.p_value
    assert [change.id for change in back.lost] == [change.id for change in forth.gained]


def test_questions_are_paired_by_id_not_by_place() -> None:
    turned = replace(B, queries=B.queries[::-1])
    assert compare(A, turned).differences == compare(A, B).differences


def test_other_data_are_refused_and_the_difference_is_named() -> None:
    with pytest.raises(InputError, match=r"4 and 2 queries, 4 and 2 judgements"):
        compare(A, made([0.5, 0.5], digest="d2"))
    with pytest.raises(InputError, match="texts, ids or grades differ"):
        compare(A, replace(B, data={**B.data, "digest": "d2"}))


def test_a_metric_that_is_not_in_both_is_refused_with_those_that_are() -> None:
    with pytest.raises(InputError, match=r"no ndcg@5(.|\n)*both results have ndcg@10"):
        compare(A, B, metric="ndcg@5")
    with pytest.raises(InputError, match="no metric in common"):
        compare(A, made([0.5] * 4, metric="recall@5"), metric="recall@5")


def test_a_damaged_query_file_is_refused() -> None:
    with pytest.raises(InputError, match=r"do not hold the same queries \(4 and 3\)"):
        compare(A, replace(B, queries=B.queries[:3]))


def test_the_macro_mean_counts_each_set_once() -> None:
    small = made([0.0] * 2), made([0.5] * 2, system="BM25")
    large = (
        made([0.0] * 100, dataset="large", digest="d2"),
        made([0.1] * 100, dataset="large", digest="d2", system="BM25"),
    )
    comparisons = compare_sets([small, large])
    assert comparisons.macro.difference == pytest.approx((0.5 + 0.1) / 2)
    # Nothing varies within a set, so an interval that keeps the sets' weights has no width.
    assert comparisons.macro.low == pytest.approx(0.3)
    assert comparisons.macro.high == pytest.approx(0.3)
    assert (comparisons.macro.better, comparisons.macro.worse, comparisons.macro.equal) == (2, 0, 0)
    assert "these 2 sets" not in comparisons.verdict
    assert comparisons.verdict.startswith("BM25 is better by 0.300 [0.300, 0.300], p < 0.001")


def test_the_macro_p_value_is_that_of_all_sign_patterns() -> None:
    differences = [[0.3, -0.1, 0.2], [0.5, 0.05]]
    pairs = [
        (made([0.0] * len(values), digest=str(row)), made(values, digest=str(row), system="other"))
        for row, values in enumerate(differences)
    ]
    macro = compare_sets(pairs).macro
    means = [
        np.mean([np.mean(np.multiply(values, part)) for values, part in zip(differences, parts, strict=True)])
        for signs in itertools.product((1, -1), repeat=5)
        for parts in [(signs[:3], signs[3:])]
    ]  # fmt: skip
    exact = np.mean(np.abs(means) >= abs(macro.difference) - 1e-12)
    assert macro.p_value == pytest.approx(exact, abs=0.015)


def test_several_sets_are_corrected_by_holm_and_one_is_not() -> None:
    values = [0.1 * number for number in range(1, 8)]
    one = made([0.0] * 7), made(values, system="other")
    alone, both = compare_sets([one]), compare_sets([one, one])
    p_value = alone.rows[0].paired.p_value
    assert alone.corrected == (p_value,)
    assert both.corrected == (2 * p_value, 2 * p_value)
    assert alone.macro.difference == pytest.approx(alone.rows[0].paired.difference)


def test_no_set_in_common_is_an_error() -> None:
    with pytest.raises(InputError, match="no set on which both"):
        compare_sets([])


def test_holm_by_hand() -> None:
    # Sorted: 0.005 x 4, 0.01 x 3, 0.03 x 2, 0.04 x 1; the last may not fall below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_never_lowers_a_p_value_nor_changes_their_order(p_values: list[float]) -> None:
    corrected = holm(p_values)
    assert all(new >= old and new <= 1 for new, old in zip(corrected, p_values, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [corrected[i] for i in order] == sorted(corrected)


def test_verdicts_say_who_is_better_or_that_it_cannot_be_told() -> None:
    better = Paired(0.012, 0.004, 0.02, 0.003, 31, 8, 186)
    assert verdict(better, "BM25", "mini", "these 225 queries") == (
        "mini is better by 0.012 [0.004, 0.020], p = 0.003"
    )
    unclear = Paired(0.002, -0.004, 0.008, 0.4, 20, 18, 187)
    assert verdict(unclear, "BM25", "mini", "these 225 queries") == (
        "no difference between BM25 and mini that these 225 queries can show: "
        "+0.002 [−0.004, +0.008], p = 0.400"
    )
    same = Paired(0.0, 0.0, 0.0, 1.0, 0, 0, 225)
    assert verdict(same, "BM25", "mini", "these 225 queries") == (
        "BM25 and mini are the same on each of these 225 queries"
    )


def test_four_questions_show_nothing() -> None:
    assert "that these 4 queries can show" in compare(A, B).verdict


def test_small_numbers_have_no_false_sign() -> None:
    assert signed(-0.0004) == "0.000"
    assert signed(-0.0006) == "−0.001"
    assert p_text(0.0009) == "p < 0.001"


def test_a_record_is_json_with_everything_but_the_single_differences() -> None:
    record = json.loads(json.dumps(compare(A, B).record()))
    assert record["difference"] == 0.1875
    assert record["interval"][0] <= 0.1875 <= record["interval"][1]
    assert record["a"] == {"system": "BM25", "mean": 0.4375}
    assert record["queries"] == 4
    assert record["gained"][0]["found_b"][0] == ["mini-d0", 0.75]
    several = json.loads(json.dumps(compare_sets([(A, B), (A, B)]).record()))
    assert [row["p_value_holm"] for row in several["datasets"]] == list(
        holm([record["p_value"]] * 2)
    )
    assert several["macro"]["difference"] == 0.1875
