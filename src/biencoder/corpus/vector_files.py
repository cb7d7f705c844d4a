"""Vectors to .npy, .jsonl or .parquet, window by window; the file appears when it is whole."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt

from biencoder.drafts import new_file
from biencoder.errors import InputError

Vectors = npt.NDArray[np.generic]

_NPY_HEADER_BYTES = 128


class VectorWriter(Protocol):
    """Takes rows in order."""

    def append(self, ids: Sequence[str], vectors: Vectors) -> None:
        """Add vectors, shape (n, width), with their ids."""

    def finish(self) -> None:
        """Write what only the last row settles."""

    def close(self) -> None:
        """Let go of the file, finished or not."""


@contextmanager
def vector_file(path: Path) -> Iterator[VectorWriter]:
    """A writer for ``path``, chosen by its ending.

    Raises InputError for another ending, OutputError where it cannot be written.
    """
    writers: dict[str, Callable[[Path], VectorWriter]] = {
        ".npy": _NpyWriter,
        ".jsonl": _JsonlWriter,
        ".parquet": _ParquetWriter,
    }
    if path.suffix not in writers:
        raise InputError(
            f"vectors cannot be written as {path.name!r}",
            hint=f"end the name in one of {', '.join(writers)}",
        )
    with new_file(path) as draft, closing(writers[path.suffix](draft)) as writer:
        yield writer
        writer.finish()


class _NpyWriter:
    """A .npy file whose number of rows is filled in at the end; ids are the row numbers."""

    def __init__(self, path: Path) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._file.write(b"\0" * _NPY_HEADER_BYTES)
        self._rows, self._width = 0, 0
        self._dtype: np.dtype[Any] = np.dtype(np.float32)

    def append(self, ids: Sequence[str], vectors: Vectors) -> None:
        self._rows += len(ids)
        self._width, self._dtype = vectors.shape[1], vectors.dtype
        self._file.write(np.ascontiguousarray(vectors).tobytes())

    def finish(self) -> None:
        fields = (
            f"{{'descr': {self._dtype.str!r}, 'fortran_order': False, "
            f"'shape': ({self._rows}, {self._width}), }}"
        )
        # Version 1.0: magic, a two-byte length, the fields padded with spaces, a line end.
        room = _NPY_HEADER_BYTES - 10
        self._file.seek(0)
        self._file.write(b"\x93NUMPY\x01\x00" + room.to_bytes(2, "little"))
        self._file.write(fields.ljust(room - 1).encode("ascii") + b"\n")

    def close(self) -> None:
        self._file.close()


class _JsonlWriter:
    """One object per line: ``{"id": ..., "embedding": [...]}``."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", encoding="utf-8")

    def append(self, ids: Sequence[str], vectors: Vectors) -> None:
        for id_, vector in zip(ids, vectors.tolist(), strict=True):
            line = json.dumps({"id": id_, "embedding": vector}, ensure_ascii=False)
            self._file.write(line + "\n")

    def finish(self) -> None:
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class _ParquetWriter:
    """Columns ``id`` (string) and ``embedding`` (list of fixed size)."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def append(self, ids: Sequence[str], vectors: Vectors) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        values = pa.array(np.ascontiguousarray(vectors).reshape(-1))
        column = pa.FixedSizeListArray.from_arrays(values, vectors.shape[1])
        table = pa.table({"id": pa.array(list(ids), pa.string()), "embedding": column})
        if self._writer is None:
            self._writer = pq.ParquetWriter(self._path, table.schema)
        self._writer.write_table(table)

    def finish(self) -> None:
        # The footer is written by closing, which is harmless twice.
        self.close()

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
