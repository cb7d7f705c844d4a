"""Document vectors as an index would store them, decoded block by block for an exact search.

Queries stay float32: only what is stored is compressed, as in an index.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biencoder.embedder.precision import int8_ranges, to_binary, to_int8
from biencoder.types import FloatArray, Precision

# Enough rows to find each dimension's range; the rest of a corpus clips a number in ten thousand.
_SAMPLE_ROWS = 100_000
_BLOCK_ROWS = 65_536


@dataclass(frozen=True)
class CutVectors:
    """The first ``dimensions`` numbers of each vector, at length 1 again; cut block by block."""

    vectors: FloatArray
    dimensions: int

    def __len__(self) -> int:
        return len(self.vectors)

    def block(self, start: int, stop: int) -> FloatArray:
        """Rows ``start`` to ``stop``, float32, shape (stop - start, dimensions)."""
        part: FloatArray = np.ascontiguousarray(self.vectors[start:stop, : self.dimensions])
        lengths = np.linalg.norm(part, axis=1, keepdims=True)
        unit: FloatArray = part / np.maximum(lengths, np.float32(1e-12))
        return unit


@dataclass(frozen=True)
class Int8Vectors:
    """One byte a number: each dimension's range over the corpus in 255 steps."""

    codes: npt.NDArray[np.int8]
    starts: FloatArray
    steps: FloatArray

    def __len__(self) -> int:
        return len(self.codes)

    def block(self, start: int, stop: int) -> FloatArray:
        """Decoded rows: the middle of each step."""
        codes = self.codes[start:stop].astype(np.float32)
        return self.starts + (codes + np.float32(128.5)) * self.steps


@dataclass(frozen=True)
class BinaryVectors:
    """One bit a number: its sign."""

    codes: npt.NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.codes)

    def block(self, start: int, stop: int) -> FloatArray:
        """Decoded rows: 1 and -1."""
        packed = (self.codes[start:stop].astype(np.int16) + 128).astype(np.uint8)
        return np.unpackbits(packed, axis=1).astype(np.float32) * 2 - 1


Stored = CutVectors | Int8Vectors | BinaryVectors


def compress(vectors: FloatArray, dimensions: int, precision: Precision) -> Stored:
    """Cut and compress unit vectors, shape (n, full size)."""
    cut = CutVectors(vectors, dimensions)
    if precision == "float32":
        return cut
    blocks = [
        range(start, min(start + _BLOCK_ROWS, len(cut)))
        for start in range(0, len(cut), _BLOCK_ROWS)
    ]
    if precision == "binary":
        return BinaryVectors(_joined([to_binary(cut.block(b.start, b.stop)) for b in blocks]))
    ranges = int8_ranges(cut.block(0, min(_SAMPLE_ROWS, len(cut))))
    codes = _joined([to_int8(cut.block(b.start, b.stop), ranges)[0] for b in blocks])
    return Int8Vectors(codes, ranges[0], (ranges[1] - ranges[0]) / np.float32(255))


def bytes_per_document(dimensions: int, precision: Precision) -> float:
    """What one stored vector takes, without its id."""
    return dimensions * {"float32": 4.0, "int8": 1.0, "binary": 0.125}[precision]


def _joined(parts: Sequence[npt.NDArray[np.int8]]) -> npt.NDArray[np.int8]:
    return np.concatenate(parts)
