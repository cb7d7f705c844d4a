"""Pack token lists into batches without padding.

Sorted by length, texts of equal length stand side by side, so attention takes them in one call;
cut at a token budget, a batch's activations stay in the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from biencoder.types import Batch, IntArray


def pack(ids: Sequence[IntArray], *, budget: int) -> Iterator[Batch]:
    """Batches of at most ``budget`` tokens, longest texts first; a longer text goes alone.

    Longest first, so that a machine with too little memory fails at once and not after an hour.
    ``rows_S`` of each batch tells where its texts stand in ``ids``.
    """
    lengths = np.fromiter((len(tokens) for tokens in ids), dtype=np.int64, count=len(ids))
    order = np.argsort(-lengths, kind="stable")
    start = 0
    while start < len(order):
        stop = start + 1
        total = int(lengths[order[start]])
        while stop < len(order) and total + lengths[order[stop]] <= budget:
            total += int(lengths[order[stop]])
            stop += 1
        yield build_batch(ids, order[start:stop])
        start = stop


def build_batch(ids: Sequence[IntArray], rows: IntArray) -> Batch:
    """One batch of the given rows, in that order."""
    chosen = [ids[row] for row in rows]
    lengths = np.fromiter((len(tokens) for tokens in chosen), dtype=np.int64, count=len(chosen))
    bounds = np.concatenate((np.zeros(1, np.int64), np.cumsum(lengths)))
    positions = np.arange(bounds[-1]) - np.repeat(bounds[:-1], lengths)
    return Batch(
        tokens_T=np.concatenate(chosen),
        positions_T=positions,
        bounds=bounds,
        rows_S=np.asarray(rows, dtype=np.int64),
    )
