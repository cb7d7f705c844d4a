"""The best k rows by dot product: every row compared, or a short form first and the best rescored.

Shapes: N rows, D numbers of a vector, E numbers of its short form, C candidates, K best.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from biencoder.types import FloatArray, IntArray

Mask: TypeAlias = npt.NDArray[np.bool_]
CodeArray: TypeAlias = npt.NDArray[np.uint64]
Ids: TypeAlias = Callable[[IntArray], Sequence[str]]
Kind: TypeAlias = Literal["prefix", "binary"]

# Products of float32 vectors of length 1 differ by less than this between any two ways to add up.
ROUNDING = 1e-5
# Rows of which at most this share may be found are gathered before they are compared.
_GATHERED = 0.2
_BLOCK = 65_536


def exact(
    vectors_ND: FloatArray, query_D: FloatArray, k: int, mask: Mask | None
) -> tuple[IntArray, FloatArray]:
    """Rows that may stand among the best k, and their scores, both of shape (C,).

    Every row within rounding of the k-th is among them, so that `settle` can decide ties.
    """
    rows, scores = _scores(vectors_ND, query_D, mask)
    return _at_least(rows, scores, _kth(scores, k) - ROUNDING)


def settle(
    vectors_ND: FloatArray, query_D: FloatArray, rows: IntArray, k: int, ids: Ids
) -> tuple[IntArray, FloatArray]:
    """The best k of some rows, highest first, equal scores by id.

    Scored again in float64, row by row: a matrix product gives a row other last digits in another
    place, and equal texts would then change their order from one table to the next.
    """
    products_CD = vectors_ND[rows].astype(np.float64) * query_D.astype(np.float64)
    scores_C = products_CD.sum(axis=1).astype(np.float32)
    return in_order(rows, scores_C, k, ids)


def in_order(rows: IntArray, scores_C: FloatArray, k: int, ids: Ids) -> tuple[IntArray, FloatArray]:
    """The best k, highest score first, equal scores by id."""
    contenders, scores_C = _at_least(rows, scores_C, _kth(scores_C, k))
    names = ids(contenders)
    order = sorted(range(len(contenders)), key=lambda place: (-scores_C[place], names[place]))[:k]
    return contenders[order], scores_C[order]


def binary_codes(vectors_ND: FloatArray) -> CodeArray:
    """The sign of every number as a bit, uint64, shape (N, D / 64); missing bits are 0."""
    packed = np.packbits(vectors_ND > 0, axis=1)
    missing = -packed.shape[1] % 8
    padded = np.pad(packed, ((0, 0), (0, missing))) if missing else packed
    return np.ascontiguousarray(padded).view(np.uint64)


def by_codes(
    codes_NE: CodeArray, query_D: FloatArray, candidates: int, mask: Mask | None
) -> IntArray:
    """The rows whose signs agree most with the query's, shape (C,), C >= candidates on ties."""
    code_E = binary_codes(query_D[None])[0]
    rows = np.arange(len(codes_NE)) if mask is None else np.flatnonzero(mask)
    apart = np.empty(len(rows), dtype=np.int32)
    for start in range(0, len(rows), _BLOCK):
        block = slice(start, start + _BLOCK)
        there = codes_NE[block] if mask is None else codes_NE[rows[block]]
        apart[block] = np.bitwise_count(there ^ code_E).sum(axis=1, dtype=np.int32)
    return _at_least(rows, -apart.astype(np.float32), _kth(-apart.astype(np.float32), candidates))[
        0
    ]


def unit_prefix(vectors_ND: FloatArray, size: int) -> FloatArray:
    """The first numbers of each vector, of length 1 again, shape (N, size)."""
    prefix = vectors_ND[:, :size]
    lengths = np.linalg.norm(prefix, axis=1, keepdims=True)
    short: FloatArray = prefix / np.maximum(lengths, np.float32(1e-12))
    return short


def _scores(
    vectors_ND: FloatArray, query_D: FloatArray, mask: Mask | None
) -> tuple[IntArray, FloatArray]:
    if mask is None:
        return np.arange(len(vectors_ND)), vectors_ND @ query_D
    rows = np.flatnonzero(mask)
    if len(rows) <= _GATHERED * len(mask):
        return rows, vectors_ND[rows] @ query_D
    return rows, (vectors_ND @ query_D)[rows]


def _kth(scores: FloatArray, k: int) -> float:
    """The k-th highest score; minus infinity where there are not more than k."""
    if len(scores) <= k:
        return -np.inf
    return float(np.partition(scores, len(scores) - k)[len(scores) - k])


def _at_least(rows: IntArray, scores: FloatArray, least: float) -> tuple[IntArray, FloatArray]:
    chosen = np.flatnonzero(scores >= least)
    return rows[chosen], scores[chosen]
