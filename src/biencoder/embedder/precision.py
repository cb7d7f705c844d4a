"""Fewer bytes per number of a stored vector: int8 by ranges, one bit by sign.

Source of both rules: sentence-transformers, ``quantize_embeddings`` (precisions ``int8`` and
``binary``), so that vectors of the two libraries can live in one index.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from biencoder.errors import DimensionError, InputError
from biencoder.types import FloatArray

Int8Array = npt.NDArray[np.int8]

# Below this, a dimension's minimum and maximum say little about the corpus.
CALIBRATION_ROWS = 100


def int8_ranges(sample: FloatArray) -> FloatArray:
    """Least and greatest value of each dimension over a corpus sample, shape (2, dimensions)."""
    if len(sample) < 2:
        raise InputError(
            f"int8 needs a sample of the corpus to find its ranges, not {len(sample)} vector(s)",
            hint="encode at least some hundred texts, or give the ranges of an earlier run",
        )
    return np.stack((sample.min(axis=0), sample.max(axis=0)))


def to_int8(vectors: FloatArray, ranges: FloatArray) -> tuple[Int8Array, int]:
    """255 steps between each dimension's least and greatest value, from -128 to 127.

    Returns the codes, shape (n, dimensions), and how many numbers lay outside their range and were
    clipped.
    """
    if ranges.shape != (2, vectors.shape[1]):
        raise DimensionError(
            f"ranges of shape {ranges.shape} do not fit vectors of {vectors.shape[1]} dimensions"
        )
    starts = ranges[0]
    steps = (ranges[1] - starts) / 255
    # A dimension that never varies has no step; any value does.
    steps = np.where(steps == 0, 1, steps)
    codes = np.clip(np.floor((vectors - starts) / steps), 0, 255)
    clipped = int(np.count_nonzero((vectors < starts) | (vectors > ranges[1])))
    return (codes - 128).astype(np.int8), clipped


def to_binary(vectors: FloatArray) -> Int8Array:
    """One bit per number, 1 where it is above zero, the first number in the highest bit.

    Shape (n, dimensions / 8); each byte is stored minus 128.
    """
    if vectors.shape[1] % 8:
        raise DimensionError(f"binary needs a multiple of 8 dimensions, not {vectors.shape[1]}")
    bits = np.packbits(vectors > 0, axis=-1).astype(np.int16)
    return (bits - 128).astype(np.int8)
