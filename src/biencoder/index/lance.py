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


@cache
def _limit_memory() -> None:
    # LanceDB reads it once, at its first scan; a value that the user has set stays.
    os.environ.setdefault("LANCE_DEFAULT_IO_BUFFER_SIZE", str(_READ_AHEAD_BYTES))
    if sys.platform == "linux" and "MALLOC_ARENA_MAX" not in os.environ:
        # Other C libraries have no such call, and no such heaps.
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
        if mallopt is not None:
            mallopt(_M_ARENA_MAX, _HEAPS)
