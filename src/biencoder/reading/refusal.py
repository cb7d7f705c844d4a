"""Which files are not even opened."""

from __future__ import annotations

import stat
from pathlib import Path

from biencoder.reading.file_text import ReadFailure
from biencoder.reading.limits import MEBIBYTE, Limits


def refusal(path: Path, limits: Limits) -> ReadFailure | None:
    """Why a file is not even opened, if so: a pipe, for one, would never end."""
    try:
        found = path.stat()
    except OSError as error:
        return ReadFailure.from_system(error)
    if not stat.S_ISREG(found.st_mode):
        return ReadFailure("is no regular file")
    return size_refusal(found.st_size, limits)


def size_refusal(size: int, limits: Limits) -> ReadFailure | None:
    """Why a file of so many bytes is not read, if so."""
    if size == 0:
        return ReadFailure("is empty")
    if size > limits.max_bytes:
        found, most = (amount // MEBIBYTE for amount in (size, limits.max_bytes))
        return ReadFailure(f"is {found:,} MiB large; at most {most:,} MiB are read")
    return None
