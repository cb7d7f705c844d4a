"""The best k by inner product: every document compared, in float32, in bounded memory.

Documents come block by block; of each block only those are looked at that reach a query's present
k-th place. Shapes: Q queries, D numbers of a vector, B documents of a block, C candidates, K best.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

from biencoder.errors import DimensionError, InputError
from biencoder.types import FloatArray, IntArray

KeyArray: TypeAlias = npt.NDArray[np.uint64]
Excluded: TypeAlias = Sequence[Collection[int]] | None
"""For each query, the rows of documents that it must not find."""

# Sizes at which the scores of a block stay near the processor; see benchmarks/exact_search.py.
_BLOCK_ROWS = 4096
_BLOCK_QUERIES = 1024
# Products of odd shapes are slower.
_STEP = 16
# float32's rounding, and how many numbers are multiplied again at a time.
_EPSILON = float(np.finfo(np.float32).eps)
_AGAIN = 250_000


class Vectors(Protocol):
    """Stored vectors that are decoded block by block."""

    def __len__(self) -> int:
        """Number of vectors."""

    def block(self, start: int, stop: int) -> FloatArray:
        """Rows ``start`` to ``stop``, float32, shape (stop - start, D)."""


@dataclass(frozen=True, slots=True)
class TopK:
    """The best documents of each query, best first, shape (Q, K) both.

    rows_QK: int64, -1 where fewer than K were found. scores_QK: float32, there -inf.
    """

    rows_QK: IntArray
    scores_QK: FloatArray


class TieOrder:
    """trec_eval's order as one whole number: score descending, then id descending as a string.

    A key holds the score in its upper 32 bits, turned so that it sorts as a whole number, and below
    it the document's place among the sorted ids. 0 stands for no document.
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self.rows_N: IntArray = np.fromiter(
            sorted(range(len(ids)), key=ids.__getitem__), dtype=np.int64, count=len(ids)
        )
        self.places_N: KeyArray = np.empty(len(ids), dtype=np.uint64)
        self.places_N[self.rows_N] = np.arange(len(ids), dtype=np.uint64)

    def keys(self, scores: FloatArray, rows: IntArray | slice) -> KeyArray:
        """Keys of documents, NaN for no document; ``rows`` fits the scores' last axis."""
        # The sum turns -0.0 into 0.0: the two are a tie.
        bits = (scores + np.float32(0)).view(np.uint32)
        turned = np.where(bits >> 31, ~bits, bits | np.uint32(1 << 31))
        keys: KeyArray = (turned.astype(np.uint64) << np.uint64(32)) | self.places_N[rows]
        keys[np.isnan(scores)] = 0
        return keys

    def top(self, keys_QC: KeyArray, k: int) -> TopK:
        """The best k of the keys, decoded; fewer keys than k are filled up."""
        keys_QC = np.sort(keys_QC, axis=1)[:, ::-1][:, :k]
        rows_QK = np.full((len(keys_QC), k), -1, dtype=np.int64)
        scores_QK = np.full((len(keys_QC), k), -np.inf, dtype=np.float32)
        found = keys_QC > 0
        places = keys_QC[found] & np.uint64(0xFFFFFFFF)
        rows_QK[:, : keys_QC.shape[1]][found] = self.rows_N[places.astype(np.int64)]
        scores_QK[:, : keys_QC.shape[1]] = scores_of(keys_QC)
        return TopK(rows_QK, scores_QK)


def scores_of(keys: KeyArray) -> FloatArray:
    """The scores that keys were made from; -inf for no document."""
    turned = (keys >> np.uint64(32)).astype(np.uint32)
    bits = np.where(turned >> 31, turned & np.uint32(0x7FFFFFFF), ~turned)
    return np.where(keys > 0, bits.view(np.float32), np.float32(-np.inf))


def search(
    queries_QD: FloatArray,
    documents: FloatArray | Vectors,
    ids: Sequence[str],
    *,
    k: int,
    excluded: Excluded = None,
    block_rows: int = _BLOCK_ROWS,
) -> TopK:
    """The best k documents of each query: score descending as float32, ties by id descending.

    documents: an array or memory map, shape (n, D), or `Vectors`. ids: the documents' ids, unique.
    excluded: never found, whatever their score. The order is exact at the k-th place too, however
    many documents share its score.

    Raises DimensionError where queries and documents differ in size, InputError for a number that
    is not finite.

    >>> found = search(np.eye(2, dtype=np.float32), np.eye(2, dtype=np.float32), ["a", "b"], k=1)
    >>> found.rows_QK.tolist(), found.scores_QK.tolist()
    ([[0], [1]], [[1.0], [1.0]])
    """
    check_sizes(k, len(ids), len(documents), excluded, len(queries_QD))
    queries_QD = np.asarray(queries_QD, dtype=np.float32)
    _check_finite(queries_QD, "query", 0)
    # Rows of zeros, so that every product has a shape that suits the kernels.
    padded_QD = _lengthened(queries_QD, _rounded(len(queries_QD)))
    order, out = TieOrder(ids), _Exclusions(excluded)
    best_QK = np.zeros((len(queries_QD), min(k, len(ids))), dtype=np.uint64)
    rows = _rounded(min(block_rows, len(ids)))
    room = np.empty((min(_BLOCK_QUERIES, len(padded_QD)), rows), dtype=np.float32)
    for start, block_BD in _blocks(documents, rows, queries_QD.shape[1]):
        for first in range(0, len(queries_QD), _BLOCK_QUERIES):
            part_QD = padded_QD[first : first + _BLOCK_QUERIES]
            scores_QB = np.matmul(part_QD, block_BD.T, out=room[: len(part_QD)])
            scores_QB[:, len(documents) - start :] = -np.inf
            out.apply(scores_QB, first, start)
            best = best_QK[first : first + _BLOCK_QUERIES]
            _take(best, scores_QB[: len(best)], part_QD, block_BD, order, start)
    return order.top(best_QK, k)


def check_sizes(k: int, ids: int, documents: int, excluded: Excluded, queries: int) -> None:
    """Raise InputError where the parts of a search do not belong together."""
    if k < 1:
        raise InputError(f"a search is for 1 or more documents, not for {k}")
    if ids != documents:
        raise InputError(f"{ids} ids do not fit {documents} documents")
    if excluded is None:
        return
    if len(excluded) != queries:
        raise InputError(f"exclusions for {len(excluded)} queries do not fit {queries} queries")
    strangers = {row for rows in excluded for row in rows if not 0 <= row < documents}
    if strangers:
        raise InputError(f"excluded row {min(strangers)} is none of {documents} documents")


class _Exclusions:
    """Excluded pairs by row, so that each block finds its own."""

    def __init__(self, excluded: Excluded) -> None:
        lengths = [len(rows) for rows in excluded or ()]
        rows = np.fromiter(chain.from_iterable(excluded or ()), dtype=np.int64, count=sum(lengths))
        by_row = np.argsort(rows, kind="stable")
        self._rows = rows[by_row]
        self._queries = np.repeat(np.arange(len(lengths)), lengths)[by_row]

    def apply(self, scores_QB: FloatArray, first: int, start: int) -> None:
        """Take the scores out; they begin at query ``first`` and document ``start``."""
        queries, rows = scores_QB.shape
        low, high = np.searchsorted(self._rows, (start, start + rows))
        here = self._queries[low:high] - first
        mine = (here >= 0) & (here < queries)
        scores_QB[here[mine], self._rows[low:high][mine] - start] = -np.inf


def _blocks(
    documents: FloatArray | Vectors, rows: int, size: int
) -> Iterator[tuple[int, FloatArray]]:
    """Start and vectors of each block; the last one is filled up with zeros to the same shape."""
    for start in range(0, len(documents), rows):
        stop = min(start + rows, len(documents))
        if isinstance(documents, np.ndarray):
            block_BD = np.asarray(documents[start:stop], dtype=np.float32)
        else:
            block_BD = documents.block(start, stop)
        if block_BD.shape[1:] != (size,):
            raise DimensionError(
                f"queries have {size} numbers and documents {' x '.join(map(str, block_BD.shape[1:]))}",
                hint="encode both with one model at one size",
            )
        _check_finite(block_BD, "document", start)
        yield start, _lengthened(block_BD, rows)


def _take(
    best_QK: KeyArray,
    scores_QB: FloatArray,
    queries_QD: FloatArray,
    block_BD: FloatArray,
    order: TieOrder,
    start: int,
) -> None:
    """Put the keys of a block's documents among the best, in place.

    The block's product says who may be among them, within its rounding. It does not say the score:
    a kernel adds up in an order that depends on the place, so that equal documents would differ in
    the last digit and no longer tie. Each candidate's score is added up again, row by row.
    """
    last_Q = best_QK.min(axis=1)
    reaching = _reaching(scores_QB, scores_of(last_Q), best_QK.shape[1], queries_QD, block_BD)
    query_C, column_C = np.divmod(reaching, scores_QB.shape[1])
    scores_C = _products(queries_QD, block_BD, query_C, column_C)
    keys_C = order.keys(scores_C, start + column_C)
    # A score equal to the last one's counts only where the id is the greater one.
    better = keys_C > last_Q[query_C]
    query_C, keys_C = query_C[better], keys_C[better]
    counts = np.bincount(query_C, minlength=len(best_QK))
    touched = np.flatnonzero(counts)
    ends = np.cumsum(counts)
    keys_QC = np.zeros((len(best_QK), counts.max(initial=0)), dtype=np.uint64)
    keys_QC[query_C, np.arange(len(keys_C)) - (ends - counts)[query_C]] = keys_C
    best_QK[touched] = _merged(best_QK[touched], keys_QC[touched])


def _reaching(
    scores_QB: FloatArray,
    last_Q: FloatArray,
    k: int,
    queries_QD: FloatArray,
    block_BD: FloatArray,
) -> IntArray:
    """Flat places of the pairs that may be among their query's best k; never those at -inf."""
    lengths_Q = np.linalg.norm(queries_QD[: len(scores_QB)], axis=1)
    longest = np.linalg.norm(block_BD, axis=1).max(initial=0.0)
    slack_Q = 2 * _EPSILON * block_BD.shape[1] * lengths_Q * longest
    least_Q = np.maximum(last_Q - slack_Q, np.finfo(np.float32).min)
    reaching = np.flatnonzero(scores_QB >= least_Q[:, None])
    if len(reaching) > scores_QB.size // 8 and k < scores_QB.shape[1]:
        # As in the first block: of its own documents, too, only the best k can stay.
        place = scores_QB.shape[1] - k
        own_Q = np.partition(scores_QB, place, axis=1)[:, place]
        least_Q = np.maximum(least_Q, own_Q - slack_Q)
        reaching = np.flatnonzero(scores_QB >= least_Q[:, None])
    return reaching


def _products(
    queries_QD: FloatArray, block_BD: FloatArray, query_C: IntArray, column_C: IntArray
) -> FloatArray:
    """The scores of some pairs, each the same wherever it stands, shape (C,)."""
    scores_C = np.empty(len(query_C), dtype=np.float32)
    step = max(1, _AGAIN // max(1, block_BD.shape[1]))
    for first in range(0, len(query_C), step):
        part = slice(first, first + step)
        products_CD = queries_QD[query_C[part]]
        products_CD *= block_BD[column_C[part]]
        # numpy adds a row up in an order that depends on its length alone.
        products_CD.sum(axis=1, out=scores_C[part])
    return scores_C


def _merged(best_QK: KeyArray, keys_QC: KeyArray) -> KeyArray:
    """The best K of both, in no order."""
    width = best_QK.shape[1]
    both = np.concatenate((best_QK, keys_QC), axis=1)
    return np.partition(both, -width, axis=1)[:, -width:]


def _check_finite(vectors_ND: FloatArray, kind: str, start: int) -> None:
    """Raise InputError where a score could overflow or be NaN.

    A finite sum of squares bounds every product: the greatest score is at most the product of both
    lengths, and each is below the root of float32's greatest number.
    """
    flat = np.ascontiguousarray(vectors_ND).reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.dot(flat, flat)):
            return
        # All rows together may overflow where none does alone.
        squares_N = np.einsum("nd,nd->n", vectors_ND, vectors_ND)
    if not np.isfinite(squares_N).all():
        row = start + int(np.argmin(np.isfinite(squares_N)))
        raise InputError(
            f"the vector of {kind} {row} holds NaN, infinity or numbers too large to score",
            hint="the model or the file that the vectors come from is broken",
        )


def _lengthened(vectors_ND: FloatArray, rows: int) -> FloatArray:
    missing = rows - len(vectors_ND)
    return np.pad(vectors_ND, ((0, missing), (0, 0))) if missing else vectors_ND


def _rounded(rows: int) -> int:
    """Rows up to the next whole step, at least one."""
    return max(1, -(-rows // _STEP)) * _STEP
