"""The metrics equal trec_eval's, on random graded runs, with ties and in the corners."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from biencoder.errors import InputError
from biencoder.evaluate.metrics import (
    MEASURES,
    average_precision_at,
    hit_rate_at,
    measure,
    ndcg_at,
    precision_at,
    rank,
    recall_at,
    reciprocal_rank_at,
)

CUTS = (1, 3, 5, 10, 100)
IDS = [f"d{number}" for number in range(40)]
# Our names and trec_eval's. It cuts no reciprocal rank.
THEIRS = {
    "ndcg": "ndcg_cut",
    "recall": "recall",
    "map": "map_cut",
    "precision": "P",
    "hit_rate": "success",
}


def trec_eval(scores: Mapping[str, float], qrels: Mapping[str, int]) -> dict[str, float]:
    cuts = ",".join(map(str, CUTS))
    measures = {f"{name}.{cuts}" for name in THEIRS.values()} | {"recip_rank"}
    evaluator = pytrec_eval.RelevanceEvaluator({"q": dict(qrels)}, measures)
    found: dict[str, float] = evaluator.evaluate({"q": dict(scores)})["q"]
    return found


def assert_equal(scores: Mapping[str, float], qrels: Mapping[str, int]) -> None:
    expected, ranking = trec_eval(scores, qrels), rank(scores)
    for ours, theirs in THEIRS.items():
        for k in CUTS:
            value = measure(f"{ours}@{k}")(ranking, qrels)
            assert value == pytest.approx(expected[f"{theirs}_{k}"], abs=1e-9), (ours, k)
    whole = reciprocal_rank_at(len(IDS), ranking, qrels)
    assert whole == pytest.approx(expected["recip_rank"], abs=1e-9)


RUNS = st.dictionaries(st.sampled_from(IDS), st.floats(-1, 1, width=32), min_size=1)
TIED = st.dictionaries(st.sampled_from(IDS), st.sampled_from([0.1, 0.2, 0.3]), min_size=1)
# Neighbours in float64 that are one number in float32, and two that are not.
NEAR = st.dictionaries(
    st.sampled_from(IDS),
    st.sampled_from([0.8, 0.8 + 1e-11, 0.8 - 1e-11, 0.8 + 1e-7]),
    min_size=1,
)
GRADES = st.dictionaries(st.sampled_from(IDS), st.integers(-2, 3), min_size=1).filter(
    lambda grades: any(grade > 0 for grade in grades.values())
)
BINARY = st.dictionaries(st.sampled_from(IDS), st.just(1), min_size=1)


@given(RUNS, GRADES)
def test_random_graded_runs_are_judged_as_trec_eval_does(
    scores: dict[str, float], qrels: dict[str, int]
) -> None:
    assert_equal(scores, qrels)


@given(RUNS, BINARY)
def test_random_binary_runs_are_judged_as_trec_eval_does(
    scores: dict[str, float], qrels: dict[str, int]
) -> None:
    assert_equal(scores, qrels)


@given(st.one_of(TIED, NEAR), GRADES)
def test_ties_are_broken_as_trec_eval_does(scores: dict[str, float], qrels: dict[str, int]) -> None:
    assert_equal(scores, qrels)


def test_scores_that_differ_beyond_float32_are_a_tie() -> None:
    scores = {"d1": 0.5 + 1e-12, "d2": 0.5, "d3": 0.1}
    assert rank(scores) == ["d2", "d1", "d3"]
    assert_equal(scores, {"d1": 1})


@pytest.mark.parametrize(
    ("scores", "qrels"),
    [
        ({"d1": 1.0}, {"d9": 2}),
        ({"d1": 1.0}, {"d1": 3}),
        ({"d1": -1.0, "d2": -2.0}, {"d2": 1, "d7": 3}),
        ({"d1": 0.0, "d2": -0.0}, {"d2": 1}),
        ({f"d{n}": 1.0 for n in range(12)}, {"d3": 1, "d11": 2}),
        ({"d1": 0.3, "d2": 0.2}, {"d1": 0, "d2": 1, "d3": -1}),
        # More relevant documents than any small cut shows, retrieved and not.
        ({f"d{n}": n / 7 for n in range(30)}, {f"d{n}": 1 + n % 3 for n in range(40)}),
        # As numbers 2 < 9 < 10 < 100, as strings 10 < 100 < 2 < 9.
        ({"2": 0.5, "9": 0.5, "10": 0.5, "100": 0.5}, {"10": 1, "9": 2}),
        ({"é": 0.5, "z": 0.5, "\U00010000": 0.5, "\uffff": 0.5}, {"é": 1, "\uffff": 2}),
    ],
)
def test_corner_cases_are_judged_as_trec_eval_does(
    scores: dict[str, float], qrels: dict[str, int]
) -> None:
    assert_equal(scores, qrels)


def test_a_query_that_found_nothing_counts_0_by_every_measure() -> None:
    # trec_eval leaves such a query out of the mean, which then is another mean.
    evaluator = pytrec_eval.RelevanceEvaluator({"q": {"d1": 1}, "r": {"d1": 1}}, {"P.1"})
    assert set(evaluator.evaluate({"q": {"d1": 1.0}})) == {"q"}
    assert {measure(f"{name}@10")([], {"d1": 1}) for name in MEASURES} == {0.0}


def test_a_query_whose_relevant_documents_are_all_excluded_counts_0() -> None:
    assert {measure(f"{name}@3")(["d4", "d5"], {"d1": 1}) for name in MEASURES} == {0.0}


def test_a_constant_scorer_finds_as_much_as_chance() -> None:
    ranking = rank(dict.fromkeys(IDS, 0.5))
    found = [recall_at(10, ranking, {relevant: 1}) for relevant in IDS]
    assert sum(found) / len(found) == 10 / len(IDS)


def test_values_by_hand() -> None:
    qrels = {"a": 3, "b": 1, "c": 0}
    gained = 1 / math.log2(2) + 3 / math.log2(4)
    ideal = 3 / math.log2(2) + 1 / math.log2(3)
    assert ndcg_at(10, ["b", "x", "a"], qrels) == pytest.approx(gained / ideal)
    assert recall_at(1, ["b", "x", "a"], qrels) == 0.5
    assert recall_at(3, ["b", "x", "a"], qrels) == 1.0
    assert precision_at(5, ["b", "x", "a"], qrels) == 0.4
    assert average_precision_at(2, ["b", "x", "a"], qrels) == 1 / 2
    assert average_precision_at(3, ["b", "x", "a"], qrels) == pytest.approx((1 + 2 / 3) / 2)


@pytest.mark.parametrize(
    ("k", "ranking", "expected"),
    [
        (10, ["a", "b"], 1.0),
        (10, ["x", "y", "b", "a"], 1 / 3),
        (3, ["x", "y", "b", "a"], 1 / 3),
        (2, ["x", "y", "b", "a"], 0.0),
        # A grade of 0 is not relevant.
        (10, ["c", "a"], 1 / 2),
        (10, ["x", "y"], 0.0),
    ],
)
def test_reciprocal_rank_by_hand(k: int, ranking: list[str], expected: float) -> None:
    assert reciprocal_rank_at(k, ranking, {"a": 2, "b": 1, "c": 0}) == expected


def test_recall_is_not_hit_rate() -> None:
    ranking, qrels = ["a", "x"], {"a": 1, "b": 1, "c": 1, "d": 1}
    assert recall_at(5, ranking, qrels) == 0.25
    assert hit_rate_at(5, ranking, qrels) == 1.0


@pytest.mark.parametrize("qrels", [{}, {"d1": 0}, {"d1": -2}])
@pytest.mark.parametrize("name", MEASURES)
def test_a_query_without_a_relevant_document_is_an_error(name: str, qrels: dict[str, int]) -> None:
    with pytest.raises(InputError, match="without a relevant"):
        measure(f"{name}@10")(["d1"], qrels)


def test_a_cut_below_1_is_an_error() -> None:
    with pytest.raises(InputError, match="not at 0"):
        ndcg_at(0, ["d1"], {"d1": 1})


@pytest.mark.parametrize("name", MEASURES)
def test_a_document_that_stands_twice_is_an_error(name: str) -> None:
    with pytest.raises(InputError, match="'d1' stands twice"):
        measure(f"{name}@10")(["d1", "d2", "d1"], {"d1": 1})


@pytest.mark.parametrize(
    "name",
    ["ndcg", "ndcg@", "ndcg@0", "ndcg@-1", "ndcg@1.5", "ndcg@010", "ndcg@١", "ndcg@10@5", "NDCG@10",
     "success@5", "cv_recall@5", "@5", ""],
)  # fmt: skip
def test_an_unknown_measure_is_an_error_that_lists_the_known(name: str) -> None:
    with pytest.raises(InputError, match=r"is no measure[^\0]*ndcg@k, recall@k, map@k, mrr@k"):
        measure(name)


@pytest.mark.parametrize("nan", [math.nan, np.float32("nan")])
def test_a_score_that_is_no_number_has_no_place_in_an_order(nan: float) -> None:
    with pytest.raises(InputError, match="document 'd2' has the score NaN"):
        rank({"d1": 0.5, "d2": nan, "d3": math.inf})
    assert rank({"d1": 0.5, "d2": -math.inf, "d3": math.inf}) == ["d3", "d1", "d2"]
