"""LanceDB, told to hold little memory.

Measured on a scan of 120,000 rows of 384 numbers (`benchmarks/index.py` shows the whole): as it comes,
LanceDB reads up to 2 GB ahead of its reader, and glibc keeps what its many threads free in a heap for
each of them, 180 MB that nothing uses; with both limits 80 MB, as fast.
"""

from __future__ import annotations

import ctypes
import os
import sys
from functools import cache
from pathlib import Path
from typing import Any

_READ_AHEAD_BYTES = 16 * 1024 * 1024
_HEAPS = 2
# glibc's name for the limit, from malloc.h.
_M_ARENA_MAX = -8


def connect(folder: Path) -> Any:
    """A connection to the tables of a folder."""
    _limit_memory()
    import lancedb

    return lancedb.connect(folder)


def give_back_memory() -> None:
    """What was freed so far goes back to the system; glibc keeps it, 100 MB after 100,000 passages."""
    trim = getattr(_libc(), "malloc_trim", None)
    if trim is not None:
        trim(0)


@cache
def _limit_memory() -> None:
    # LanceDB reads it once, at its first scan; a value that the user has set stays.
    os.environ.setdefault("LANCE_DEFAULT_IO_BUFFER_SIZE", str(_READ_AHEAD_BYTES))
    mallopt = getattr(_libc(), "mallopt", None)
    if mallopt is not None and "MALLOC_ARENA_MAX" not in os.environ:
        mallopt(_M_ARENA_MAX, _HEAPS)


def _libc() -> object:
    """The C library; other than glibc they have neither such heaps nor calls about them."""
    return ctypes.CDLL(None) if sys.platform == "linux" else None
