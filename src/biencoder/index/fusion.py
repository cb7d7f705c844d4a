"""Two rankings made one, by their scores or by their ranks.

``weighted``: a share of the cosine and the rest of BM25's score over the best one found. ``reciprocal-
rank``: the sum of 1 / (constant + rank). The first is the better one on the held-out pairs
(`benchmarks/results/hybrid.json`): it keeps how far ahead a ranking's first is, so that a part number
that only one passage holds is not outvoted by cosines that are all alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

Fusion: TypeAlias = Literal["weighted", "reciprocal-rank"]
FUSIONS: tuple[Fusion, ...] = get_args(Fusion)
Ranking: TypeAlias = Sequence[tuple[str, float]]

# How many of each ranking are fused, at the least; a row outside counts as not found there.
DEPTH = 100
# Both chosen on the held-out pairs: benchmarks/hybrid.py.
DENSE_SHARE = 0.8
CONSTANT = 1.0


def fuse(dense: Ranking, lexical: Ranking, fusion: Fusion) -> list[tuple[str, float]]:
    """Ids with fused scores, highest first, equal scores by id."""
    if fusion == "weighted":
        return weighted_fusion(dense, lexical, DENSE_SHARE)
    return reciprocal_rank_fusion([[id_ for id_, _ in r] for r in (dense, lexical)], CONSTANT)


def weighted_fusion(dense: Ranking, lexical: Ranking, share: float) -> list[tuple[str, float]]:
    """``share`` times the cosine, and the rest times BM25's score over its highest.

    A row that is not in the dense ranking counts as its last, one without a word of the question as
    zero. Source: Bruch, Gai and Ingber, ACM TOIS 2023 (their theoretical minimum and maximum).

    >>> weighted_fusion([("a", 0.9), ("b", 0.5)], [("b", 8.0), ("c", 4.0)], share=0.5)
    [('b', 0.75), ('c', 0.5), ('a', 0.45)]
    """
    cosines, words = dict(dense), dict(lexical)
    last = min(cosines.values(), default=0.0)
    best = max(words.values(), default=1.0)
    scores = {
        id_: share * cosines.get(id_, last) + (1 - share) * words.get(id_, 0.0) / best
        for id_ in cosines.keys() | words.keys()
    }
    return _in_order(scores)


def reciprocal_rank_fusion(
    rankings: Sequence[Sequence[str]], constant: float
) -> list[tuple[str, float]]:
    """The sum over the rankings of 1 / (constant + rank), ranks from 1.

    Source: Cormack, Clarke and Büttcher, SIGIR 2009.

    >>> reciprocal_rank_fusion([["a", "b"], ["b", "c"]], constant=1)
    [('b', 0.8333333333333333), ('a', 0.5), ('c', 0.3333333333333333)]
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, id_ in enumerate(ranking, start=1):
            scores[id_] = scores.get(id_, 0.0) + 1 / (constant + rank)
    return _in_order(scores)


def _in_order(scores: dict[str, float]) -> list[tuple[str, float]]:
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
