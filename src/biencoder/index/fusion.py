"""Two rankings made one: reciprocal rank fusion.

A row's score is the sum over the rankings of 1 / (constant + rank), ranks from 1. Scores themselves
are not compared: BM25's have no upper end, cosines of one question lie close together.
Source: Cormack, Clarke and Büttcher, SIGIR 2009.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

# How many of each ranking are fused, at the least; a row outside counts as not found there.
DEPTH = 100


def reciprocal_rank_fusion(
    rankings: Iterable[Sequence[str]], constant: float
) -> list[tuple[str, float]]:
    """Ids with their scores, highest first, equal scores by id.

    >>> reciprocal_rank_fusion([["a", "b"], ["b", "c"]], constant=1)
    [('b', 0.8333333333333333), ('a', 0.5), ('c', 0.3333333333333333)]
    """
    scores: dict[str, float] = {}
    for ranking in rankings:
        for rank, id_ in enumerate(ranking, start=1):
            scores[id_] = scores.get(id_, 0.0) + 1 / (constant + rank)
    return sorted(scores.items(), key=lambda item: (-item[1], item[0]))
