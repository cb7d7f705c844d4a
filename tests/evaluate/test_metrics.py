"""nDCG and Recall equal trec_eval's, on random graded runs, with ties and in the corners."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
import pytrec_eval
from hypothesis import given
from hypothesis import strategies as st

from biencoder.errors import InputError
from biencoder.evaluate.metrics import ndcg_at, rank, recall_at
from biencoder.evaluate.retrieval import score_retrieval

CUTS = (1, 3, 5, 10, 100)
IDS = [f"d{number}" for number in range(40)]


def trec_eval(scores: Mapping[str, float], qrels: Mapping[str, int]) -> dict[str, float]:
    measures = {f"{name}.{','.join(map(str, CUTS))}" for name in ("ndcg_cut", "recall")}
    evaluator = pytrec_eval.RelevanceEvaluator({"q": dict(qrels)}, measures)
    found: dict[str, float] = evaluator.evaluate({"q": dict(scores)})["q"]
    return found


def assert_equal(scores: Mapping[str, float], qrels: Mapping[str, int]) -> None:
    expected, ranking = trec_eval(scores, qrels), rank(scores)
    for k in CUTS:
        assert ndcg_at(k, ranking, qrels) == pytest.approx(expected[f"ndcg_cut_{k}"], abs=1e-9)
        assert recall_at(k, ranking, qrels) == pytest.approx(expected[f"recall_{k}"], abs=1e-9)


RUNS = st.dictionaries(st.sampled_from(IDS), st.floats(-1, 1, width=32), min_size=1)
TIED = st.dictionaries(st.sampled_from(IDS), st.sampled_from([0.1, 0.2, 0.3]), min_size=1)
GRADES = st.dictionaries(st.sampled_from(IDS), st.integers(0, 3), min_size=1).filter(
    lambda grades: any(grade > 0 for grade in grades.values())
)


@given(RUNS, GRADES)
def test_random_graded_runs_are_judged_as_trec_eval_does(
    scores: dict[str, float], qrels: dict[str, int]
) -> None:
    assert_equal(scores, qrels)


@given(TIED, GRADES)
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
    ],
)
def test_corner_cases_are_judged_as_trec_eval_does(
    scores: dict[str, float], qrels: dict[str, int]
) -> None:
    assert_equal(scores, qrels)


def test_values_by_hand() -> None:
    qrels = {"a": 3, "b": 1, "c": 0}
    gained = 1 / math.log2(2) + 3 / math.log2(4)
    ideal = 3 / math.log2(2) + 1 / math.log2(3)
    assert ndcg_at(10, ["b", "x", "a"], qrels) == pytest.approx(gained / ideal)
    assert recall_at(1, ["b", "x", "a"], qrels) == 0.5
    assert recall_at(3, ["b", "x", "a"], qrels) == 1.0


@pytest.mark.parametrize("qrels", [{}, {"d1": 0}, {"d1": -2}])
def test_a_query_without_a_relevant_document_is_an_error(qrels: dict[str, int]) -> None:
    with pytest.raises(InputError, match="without a relevant"):
        ndcg_at(10, ["d1"], qrels)
    with pytest.raises(InputError, match="without a relevant"):
        recall_at(10, ["d1"], qrels)


def test_a_cut_below_1_is_an_error() -> None:
    with pytest.raises(InputError, match="not at 0"):
        ndcg_at(0, ["d1"], {"d1": 1})


@pytest.mark.parametrize("documents", [3, 10, 400])
@pytest.mark.parametrize("tied", [False, True])
def test_retrieval_over_vectors_equals_trec_eval_over_all_scores(
    documents: int, tied: bool
) -> None:
    generator = np.random.default_rng(documents)
    queries = generator.normal(size=(300, 8)).astype(np.float32)
    corpus = generator.normal(size=(documents, 8)).astype(np.float32)
    if tied:
        # Small whole numbers: exact products, hence many exact ties, also at the border.
        queries, corpus = np.sign(queries), np.sign(corpus)
    ids = [f"d{number}" for number in range(documents)]
    qrels = {
        f"q{row}": {
            str(id_): int(generator.integers(0, 4)) for id_ in generator.choice(ids, size=3)
        }
        for row in range(290)
    } | {"q295": {"d0": 0}}
    run = {
        f"q{row}": dict(zip(ids, scores.tolist(), strict=True))
        for row, scores in enumerate(queries @ corpus.T)
    }
    evaluator = pytrec_eval.RelevanceEvaluator(qrels, {"ndcg_cut.10", "recall.5"})
    judged = {
        query: found
        for query, found in evaluator.evaluate(run).items()
        if any(grade > 0 for grade in qrels[query].values())
    }
    scores = score_retrieval([f"q{row}" for row in range(300)], queries, ids, corpus, qrels)
    assert scores.queries == len(judged)
    means = {
        name: np.mean([found[name] for found in judged.values()])
        for name in ("ndcg_cut_10", "recall_5")
    }
    assert scores.ndcg_at_10 == pytest.approx(means["ndcg_cut_10"], abs=1e-9)
    assert scores.recall_at_5 == pytest.approx(means["recall_5"], abs=1e-9)
