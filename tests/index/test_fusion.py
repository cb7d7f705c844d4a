"""Reciprocal rank fusion, by hand."""

from __future__ import annotations

import pytest

from biencoder.index.fusion import DENSE_SHARE, reciprocal_rank_fusion, weighted_fusion


def test_a_score_is_the_sum_of_one_over_constant_plus_rank() -> None:
    fused = reciprocal_rank_fusion([["a", "b", "c"], ["c", "a"]], constant=60)
    assert [id_ for id_, _ in fused] == ["a", "c", "b"]
    assert [score for _, score in fused] == pytest.approx(
        [1 / 61 + 1 / 62, 1 / 63 + 1 / 61, 1 / 62]
    )


def test_equal_scores_go_by_id() -> None:
    assert [id_ for id_, _ in reciprocal_rank_fusion([["b"], ["a"]], constant=1)] == ["a", "b"]


def test_a_small_constant_gives_the_first_ranks_more_weight() -> None:
    rankings = [["x", "a"], ["y", "a"]]
    assert reciprocal_rank_fusion(rankings, constant=0)[0][0] == "a"
    assert reciprocal_rank_fusion([["x", "p", "a"], ["y", "q", "a"]], constant=0)[0][0] == "x"
    assert reciprocal_rank_fusion([["x", "p", "a"], ["y", "q", "a"]], constant=60)[0][0] == "a"


def test_a_weighted_score_is_a_share_of_the_cosine_and_the_rest_of_bm25_over_its_best() -> None:
    dense = [("a", 0.8), ("b", 0.7), ("c", 0.6)]
    lexical = [("c", 20.0), ("d", 5.0)]
    fused = dict(weighted_fusion(dense, lexical, share=0.75))
    expected = {"a": 0.6, "b": 0.525, "c": 0.45 + 0.25, "d": 0.45 + 0.25 * 0.25}
    assert fused == pytest.approx(expected)


def test_one_ranking_alone_keeps_its_order() -> None:
    dense = [("b", 0.3), ("a", -0.1)]
    assert [id_ for id_, _ in weighted_fusion(dense, [], share=0.6)] == ["b", "a"]
    assert [id_ for id_, _ in weighted_fusion([], dense[:1], share=0.6)] == ["b"]


def test_a_word_that_one_passage_holds_is_not_outvoted_by_cosines_that_are_all_alike() -> None:
    dense = [(f"d{n:02d}", 0.25 - n / 1000) for n in range(100)]
    fused = weighted_fusion(dense, [("exact", 9.0)], DENSE_SHARE)
    assert fused[0][0] == "exact"
