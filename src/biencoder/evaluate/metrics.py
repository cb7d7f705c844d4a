"""nDCG and Recall as trec_eval defines them, ties included.

Source: trec_eval's ``ndcg_cut.k`` (linear gain) and ``recall.k``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from biencoder.errors import InputError


def rank(scores: Mapping[str, float]) -> list[str]:
    """Document ids in trec_eval's order: score descending, then id descending as a string.

    Scores are compared as float32, so two that differ beyond that are a tie.

    >>> rank({"d1": 0.5, "d10": 0.5, "d9": 0.5, "d2": 0.7})
    ['d2', 'd9', 'd10', 'd1']
    """
    return sorted(scores, key=lambda id_: (np.float32(scores[id_]), id_), reverse=True)


def ndcg_at(k: int, ranking: Sequence[str], qrels: Mapping[str, int]) -> float:
    """Normalised discounted cumulative gain of the first k, grades as gains.

    The ideal is the best order of all judged documents, cut at k. A grade of 0 or less is not
    relevant. A query without a relevant document is an error, not a zero.

    >>> ndcg_at(10, ["d9", "d1"], {"d1": 1})
    0.6309297535714575
    """
    relevant = _relevant(k, qrels)
    gains = [relevant.get(id_, 0) for id_ in ranking[:k]]
    ideal = sorted(relevant.values(), reverse=True)[:k]
    return _discounted(gains) / _discounted(ideal)


def recall_at(k: int, ranking: Sequence[str], qrels: Mapping[str, int]) -> float:
    """Share of the relevant documents that stand in the first k.

    A query with no relevant document has no recall: that is an error, not a zero, because a zero
    would lower the mean.

    >>> recall_at(2, ["d1", "d9", "d2"], {"d1": 1, "d2": 1})
    0.5
    """
    relevant = _relevant(k, qrels)
    return sum(id_ in relevant for id_ in ranking[:k]) / len(relevant)


def _relevant(k: int, qrels: Mapping[str, int]) -> dict[str, int]:
    if k < 1:
        raise InputError(f"a metric is taken at 1 or more documents, not at {k}")
    relevant = {id_: grade for id_, grade in qrels.items() if grade > 0}
    if not relevant:
        raise InputError("a query without a relevant document cannot be judged")
    return relevant


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))
