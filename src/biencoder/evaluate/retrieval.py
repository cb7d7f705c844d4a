"""Exact retrieval over vectors, scored query by query."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from biencoder.evaluate.metrics import ndcg_at, rank, recall_at
from biencoder.types import FloatArray

_BLOCK_QUERIES = 256


@dataclass(frozen=True, slots=True)
class Scores:
    """Means over the judged queries, as fractions."""

    ndcg_at_10: float
    recall_at_5: float
    queries: int


def score_retrieval(
    query_ids: Sequence[str],
    queries_QD: FloatArray,
    document_ids: Sequence[str],
    documents_PD: FloatArray,
    qrels: Mapping[str, Mapping[str, int]],
) -> Scores:
    """nDCG@10 and Recall@5 of unit vectors, every document compared, in float32.

    Queries without a relevant document are left out, as mteb does.
    """
    judged = [
        row for row, id_ in enumerate(query_ids) if any(g > 0 for g in qrels.get(id_, {}).values())
    ]
    ndcg: list[float] = []
    recall: list[float] = []
    for start in range(0, len(judged), _BLOCK_QUERIES):
        rows = judged[start : start + _BLOCK_QUERIES]
        for row, scores_P in zip(rows, queries_QD[rows] @ documents_PD.T, strict=True):
            ranking = _top(scores_P, document_ids, 10)
            grades = qrels[query_ids[row]]
            ndcg.append(ndcg_at(10, ranking, grades))
            recall.append(recall_at(5, ranking, grades))
    return Scores(float(np.mean(ndcg)), float(np.mean(recall)), len(judged))


def _top(scores_P: FloatArray, ids: Sequence[str], k: int) -> list[str]:
    """The best k, ties at the border included before they are ordered."""
    if len(ids) <= k:
        return rank(dict(zip(ids, scores_P.tolist(), strict=True)))
    border = np.partition(scores_P, -k)[-k]
    best = np.flatnonzero(scores_P >= border)
    return rank({ids[index]: float(scores_P[index]) for index in best.tolist()})[:k]
