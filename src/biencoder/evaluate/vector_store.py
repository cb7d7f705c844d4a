"""Vectors of a corpus on disk while it is judged: a killed run goes on where it stopped.

One raw float32 file, written window by window, and an account of its whole rows. Both are removed
when the results stand; until then one run at a time has them.
"""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import numpy as np

from biencoder.drafts import make_folder, write_json
from biencoder.errors import LockedError, OutputError
from biencoder.evaluate.systems import System
from biencoder.types import FloatArray, Role

_BYTES = 4


@dataclass
class Encoded:
    """All vectors of one role, float32, shape (n, dimensions), and their account.

    counts: tokens, cut and unreadable texts. seconds and computed: time, and texts that the model
    computed in it. All are over the parts of a killed run too, so that a rate is of one whole.
    """

    vectors: FloatArray
    counts: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    computed: int = 0


@dataclass
class _Account:
    """What of the file is whole, and what it took."""

    rows: int = 0
    seconds: float = 0.0
    computed: int = 0
    counts: Counter[str] = field(default_factory=Counter)


def encode_to_disk(
    system: System,
    texts: Sequence[str],
    role: Role,
    path: Path,
    tick: Callable[[int], None],
) -> Encoded:
    """Encode what is missing in ``path`` and map the whole; ``tick`` gets each part's length."""
    width = system.dimensions[-1]
    try:
        account = _resume(path, width)
        tick(account.rows)
        before, began = account.seconds, time.perf_counter()
        with path.open("ab") as file:
            for part in system.encode(texts[account.rows :], role):
                file.write(np.ascontiguousarray(part.vectors, dtype=np.float32).tobytes())
                account.rows += len(part.vectors)
                account.computed += len(part.vectors) if part.computed is None else part.computed
                account.counts.update(tokens=part.tokens, cut=part.cut, unreadable=part.unreadable)
                account.seconds = before + time.perf_counter() - began
                _advance(file, path, account)
                tick(len(part.vectors))
    except OSError as error:
        raise OutputError(
            f"{path} could not be written: {error.strerror or error}",
            hint="is the disk full? The same command goes on from here",
        ) from error
    vectors = np.memmap(path, dtype=np.float32, mode="r", shape=(account.rows, width))
    return Encoded(vectors, account.counts, account.seconds, account.computed)


def remove_vectors(path: Path) -> None:
    """Delete the file and its account."""
    _account(path).unlink(missing_ok=True)
    path.unlink(missing_ok=True)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs; the system takes it back from the dead.

    Raises LockedError at once where another run holds it, OutputError where it cannot be made.
    """
    make_folder(path.parent)
    handle = _locked(path)
    try:
        yield
    finally:
        # Removed while it is held: who opened it before sees that it is no longer the file.
        path.unlink(missing_ok=True)
        os.close(handle)


def _locked(path: Path) -> int:
    while True:
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OutputError(f"{path} could not be made: {error.strerror or error}") from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise LockedError(
                f"another run is judging the same model on the same data into {path.parent.parent}",
                hint="wait until it is done, or give another --output",
            ) from None
        if path.exists() and os.path.samestat(os.fstat(handle), path.stat()):
            return handle
        os.close(handle)


def _advance(file: IO[bytes], path: Path, account: _Account) -> None:
    """After the vectors, and when they lie on the disk: what the account lacks is made again."""
    file.flush()
    os.fsync(file.fileno())
    write_json(_account(path), vars(account))


def _resume(path: Path, width: int) -> _Account:
    """The account of whole rows; what stands behind them in the file is cut off."""
    make_folder(path.parent)
    account = _read_account(path)
    size = account.rows * width * _BYTES
    if not path.exists() or path.stat().st_size < size:
        # Rows are lost, and nobody knows their share in the counts.
        account, size = _Account(), 0
    if not account.rows:
        remove_vectors(path)
        return account
    with path.open("r+b") as file:
        file.truncate(size)
    return account


def _read_account(path: Path) -> _Account:
    try:
        stored = json.loads(_account(path).read_text(encoding="utf-8"))
        return _Account(**{**stored, "counts": Counter(stored["counts"])})
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # None yet, of another release, or cut off by a power failure: everything is made anew.
        return _Account()


def _account(path: Path) -> Path:
    return path.with_suffix(".json")
