"""Fewer bytes per number of a vector: int8 by ranges or by one scale, one bit by sign.

Ranges and signs are those of sentence-transformers, ``quantize_embeddings`` (precisions ``int8`` and
``binary``), so that vectors of the two libraries can live in one index. One scale is for an answer
over the wire: whoever gets the integers can compare them without any ranges.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biencoder.config.dialects import read_json
from biencoder.errors import ConfigError, DimensionError, InputError
from biencoder.types import FloatArray

Int8Array = npt.NDArray[np.int8]

# Below this, a dimension's minimum and maximum say little about the corpus.
CALIBRATION_ROWS = 100

SCALES_FILE = "quantization.json"


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


def to_scaled_int8(vectors: FloatArray, scale: float | None) -> tuple[Int8Array, FloatArray, int]:
    """Codes q from -127 to 127 with vector = scale * q; halves go to the even neighbour.

    scale: one constant for all vectors, which keeps the order of dot products; None takes each
    vector's greatest magnitude / 127, which keeps that of cosines only.
    Returns the codes, shape (n, dimensions), the scales, shape (n,), and how many numbers a constant
    scale clipped.

    >>> codes, scales, clipped = to_scaled_int8(np.array([[0.6, -0.8, 0.0]], np.float32), None)
    >>> codes.tolist(), clipped
    ([[95, -127, 0]], 0)
    """
    if scale is None:
        scales = np.abs(vectors).max(axis=1) / np.float32(127)
        # A vector of zeros has no scale; any does.
        scales = np.where(scales == 0, np.float32(1), scales)
    else:
        scales = np.full(len(vectors), scale, dtype=np.float32)
    steps = np.rint(vectors / scales[:, None])
    clipped = int(np.count_nonzero(np.abs(steps) > 127))
    return np.clip(steps, -127, 127).astype(np.int8), scales, clipped


def calibrated_scales(folder: Path) -> Mapping[int, float]:
    """Scale by vector size from a checkpoint's ``quantization.json``; empty where it has none.

    The file: ``{"int8_scales": {"384": 0.0021, ...}}``. Raises ConfigError for anything else in it.
    """
    path = folder / SCALES_FILE
    if not path.exists():
        return {}
    stated = read_json(path).get("int8_scales")
    if not isinstance(stated, dict) or not all(map(_is_scale, stated, stated.values())):
        raise ConfigError(
            f'{path} does not hold an object "int8_scales" of vector sizes and scales in (0, 1]',
            hint='expected {"int8_scales": {"384": 0.0021}}; without the file each vector has its own',
        )
    return {int(size): float(scale) for size, scale in stated.items()}


def _is_scale(size: str, scale: object) -> bool:
    # No number of a unit vector is above 1, so no scale is.
    return size.isdecimal() and isinstance(scale, float) and 0 < scale <= 1
