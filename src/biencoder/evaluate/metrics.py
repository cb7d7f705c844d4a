"""Retrieval metrics as trec_eval defines them, ties included.

Source: trec_eval's ``ndcg_cut.k`` (linear gain), ``recall.k``, ``map_cut.k`` and ``P.k``; the
reciprocal rank with a cut is mteb's and BEIR's ``mrr@k``, which trec_eval does not have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from biencoder.errors import InputError


def rank(scores: Mapping[str, float]) -> list[str]:
    """Document ids in trec_eval's order: score descending, then id descending as a string.

    Scores are compared as float32, so two that differ beyond that are a tie. NaN has no place in
    an order: InputError.

    >>> rank({"d1": 0.5, "d10": 0.5, "d9": 0.5, "d2": 0.7})
    ['d2', 'd9', 'd10', 'd1']
    """
    for id_, score in scores.items():
        if math.isnan(score):
            raise InputError(
                f"document {id_!r} has the score NaN, which no order holds",
                hint="leave out what has no score",
            )
    return sorted(scores, key=lambda id_: (np.float32(scores[id_]), id_), reverse=True)


def ndcg_at(k: int, ranking: Sequence[str], qrels: Mapping[str, int]) -> float:
    """Normalised discounted cumulative gain of the first k, grades as gains.

    The ideal is the best order of all judged documents, cut at k. A grade of 0 or less is not
    relevant. A query without a relevant document is an error, not a zero.

    >>> ndcg_at(10, ["d9", "d1"], {"d1": 1})
    0.6309297535714575
    """
    relevant = _relevant(k, qrels)
    gains = [relevant.get(id_, 0) for id_ in _first(k, ranking)]
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
    return sum(_hits(k, ranking, relevant)) / len(relevant)


def precision_at(k: int, ranking: Sequence[str], qrels: Mapping[str, int]) -> float:
    """Share of relevant documents among the first k; of k, even where fewer were retrieved.

    >>> precision_at(4, ["d1", "d9"], {"d1": 1, "d2": 1})
    0.25
    """
    return sum(_hits(k, ranking, _relevant(k, qrels))) / k


def average_precision_at(k: int, ranking: Sequence[str], qrels: Mapping[str, int]) -> float:
    """Precision at the place of each relevant document in the first k, summed, over all relevant ones.

    >>> average_precision_at(10, ["d1", "d9", "d2"], {"d1": 1, "d2": 1})
    0.8333333333333333
    """
    relevant = _relevant(k, qrels)
    found, precisions = 0, 0.0
    for place, hit in enumerate(_hits(k, ranking, relevant), start=1):
        if hit:
            found += 1
            precisions += found / place
    return precisions / len(relevant)


def reciprocal_rank_at(k: int, ranking: Sequence[str], qrels: Mapping[str, int]) -> float:
    """1 / place of the first relevant document, 0 where none stands in the first k.

    >>> reciprocal_rank_at(10, ["d9", "d2", "d1"], {"d1": 1, "d2": 1})
    0.5
    """
    hits = _hits(k, ranking, _relevant(k, qrels))
    return 1 / (hits.index(True) + 1) if True in hits else 0.0


def hit_rate_at(k: int, ranking: Sequence[str], qrels: Mapping[str, int]) -> float:
    """1 where any relevant document stands in the first k, else 0: not Recall@k.

    >>> hit_rate_at(2, ["d1", "d9", "d2"], {"d1": 1, "d2": 1})
    1.0
    """
    return float(True in _hits(k, ranking, _relevant(k, qrels)))


MEASURES: dict[str, Callable[[int, Sequence[str], Mapping[str, int]], float]] = {
    "ndcg": ndcg_at,
    "recall": recall_at,
    "map": average_precision_at,
    "mrr": reciprocal_rank_at,
    "precision": precision_at,
    "hit_rate": hit_rate_at,
}


def measure(name: str) -> Callable[[Sequence[str], Mapping[str, int]], float]:
    """The function of a ranking and the query's grades that a name such as ``ndcg@10`` stands for.

    Raises InputError for any other name.

    >>> measure("recall@2")(["d1", "d9", "d2"], {"d1": 1, "d2": 1})
    0.5
    """
    kind, _, cut = name.partition("@")
    # isdecimal alone would let other scripts' digits in, and "010" is a second name of "10".
    if kind not in MEASURES or not (cut.isascii() and cut.isdecimal()) or cut.startswith("0"):
        known = ", ".join(f"{kind}@k" for kind in MEASURES)
        raise InputError(
            f"{name!r} is no measure", hint=f"known: {known}, with k of 1 or more, as in ndcg@10"
        )
    return partial(MEASURES[kind], int(cut))


def _first(k: int, ranking: Sequence[str]) -> Sequence[str]:
    first = ranking[:k]
    if len(set(first)) < len(first):
        # Counted twice, one relevant document would lift a metric above 1.
        twice = next(id_ for id_ in first if first.count(id_) > 1)
        raise InputError(f"document {twice!r} stands twice in one ranking")
    return first


def _hits(k: int, ranking: Sequence[str], relevant: Mapping[str, int]) -> list[bool]:
    return [id_ in relevant for id_ in _first(k, ranking)]


def _relevant(k: int, qrels: Mapping[str, int]) -> dict[str, int]:
    if k < 1:
        raise InputError(f"a metric is taken at 1 or more documents, not at {k}")
    relevant = {id_: grade for id_, grade in qrels.items() if grade > 0}
    if not relevant:
        raise InputError("a query without a relevant document cannot be judged")
    return relevant


def _discounted(gains: Sequence[int]) -> float:
    return sum(gain / math.log2(place + 1) for place, gain in enumerate(gains, start=1))
