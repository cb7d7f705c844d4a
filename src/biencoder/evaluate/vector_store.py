"""Vectors of a corpus on disk while it is judged: a killed run goes on where it stopped.

One raw float32 file, written window by window; its length tells how many rows are whole. It is
removed when the results stand.
"""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from biencoder.drafts import make_folder, write_json
from biencoder.errors import OutputError
from biencoder.evaluate.systems import System
from biencoder.types import FloatArray, Role

_BYTES = 4


@dataclass
class Encoded:
    """All vectors of one role, float32, shape (n, dimensions), and the account of this run.

    counts: tokens, cut and unreadable texts, over resumed parts too. seconds and fresh: time and
    texts of this run alone, so that a rate is never taken from work done before.
    """

    vectors: FloatArray
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    fresh: int = 0


def encode_to_disk(
    system: System,
    texts: Sequence[str],
    role: Role,
    path: Path,
    tick: Callable[[int], None],
) -> Encoded:
    """Encode what is missing in ``path`` and map the whole; ``tick`` gets each part's length."""
    width = system.dimensions[-1]
    counts = _resume(path, width)
    before = done = counts.pop("rows", 0)
    tick(before)
    began = time.perf_counter()
    try:
        with path.open("ab") as file:
            for part in system.encode(texts[before:], role):
                file.write(np.ascontiguousarray(part.vectors, dtype=np.float32).tobytes())
                file.flush()
                done += len(part.vectors)
                counts.update(tokens=part.tokens, cut=part.cut, unreadable=part.unreadable)
                # After the vectors: rows that are not in the account are written again.
                write_json(_account(path), {"rows": done, **counts})
                tick(len(part.vectors))
    except OSError as error:
        raise OutputError(
            f"{path} could not be written: {error.strerror or error}",
            hint="is the disk full? The same command goes on from here",
        ) from error
    seconds = time.perf_counter() - began
    vectors = np.memmap(path, dtype=np.float32, mode="r", shape=(done, width))
    return Encoded(vectors, counts, seconds, done - before)


def remove_vectors(path: Path) -> None:
    """Delete the file and its account."""
    _account(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _resume(path: Path, width: int) -> Counter[str]:
    """The account of whole rows; what stands behind them in the file is cut off."""
    make_folder(path.parent)
    if not _account(path).exists():
        path.unlink(missing_ok=True)
        return Counter()
    counts = Counter(json.loads(_account(path).read_text(encoding="utf-8")))
    with path.open("r+b") as file:
        file.truncate(counts["rows"] * width * _BYTES)
    return counts


def _account(path: Path) -> Path:
    return path.with_suffix(".json")
