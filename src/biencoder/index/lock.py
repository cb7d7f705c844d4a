"""One writer at a time: a lock that the system itself takes back when its holder dies.

The file says who holds it, for the person who is refused; the lock is the kernel's (flock), so a
killed writer leaves none behind.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from biencoder.errors import LockedError, OutputError
from biencoder.index.durable import LOCAL_DISK, disk_errors, sync_file, writing_hint
from biencoder.index.rights import rights_told

# A first run that could not start removes its lock file; nobody meets many of them.
_TRIES = 10
# How a file system says that it has none.
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS)


@contextmanager
def writing(path: Path, *, verb: str) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs; its folder is made if it is not there.

    Raises LockedError at once where another holds it, and says who; OutputError where the folder
    cannot be written, or lies on a file system without locks.
    """
    handle = _hold(path)
    try:
        with disk_errors(path):
            _sign(handle, verb)
        yield
    finally:
        # Closing gives the lock back; the file stays where there is an index.
        os.close(handle)


@contextmanager
def reading_alone(path: Path, *, verb: str) -> Iterator[None]:
    """Keep writers away while the block runs, also where the lock file may only be read.

    Raises LockedError where somebody writes, RightsError where the lock may not even be read.
    """
    if os.access(path, os.W_OK) and os.access(path.parent, os.W_OK):
        with writing(path, verb=verb):
            yield
        return
    with disk_errors(path), rights_told(path):
        handle = os.open(path, os.O_RDONLY)
    try:
        with disk_errors(path):
            # A shared lock is what a file that is open for reading can have everywhere.
            _take(handle, path, fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _hold(path: Path) -> int:
    """The locked file. A first run that could not start removes its own, and then another is taken."""
    for _ in range(_TRIES):
        handle = _open(path)
        try:
            with disk_errors(path):
                _take(handle, path, fcntl.LOCK_EX)
                if _is_at(handle, path):
                    return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    raise OutputError(
        f"{path} is another file each time it is looked at, so that it locks nobody out",
        hint=LOCAL_DISK,
    )


def _is_at(handle: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _take(handle: int, path: Path, kind: int) -> None:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise _locked(path, handle) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        raise OutputError(
            f"{path.parent} lies on a file system without locks: {error.strerror or error}",
            hint=LOCAL_DISK,
        ) from error


def _locked(path: Path, handle: int) -> LockedError:
    return LockedError(
        f"{path.parent} is being written: {_holder(handle)}",
        hint="wait until it is done, or stop that process; searching works meanwhile",
    )


def _open(path: Path) -> int:
    made = [folder for folder in path.parents if not folder.exists()]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in made:
            # A new folder's name lies in the one above it.
            sync_file(folder.parent)
        return os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise OutputError(
            f"{path.parent} cannot be written: {error.strerror or error}",
            hint=writing_hint(error, "check the folder and its disk"),
        ) from error


def _sign(handle: int, verb: str) -> None:
    started = datetime.now(UTC).isoformat(timespec="seconds")
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "verb": verb, "since": started}
    os.ftruncate(handle, 0)
    os.pwrite(handle, json.dumps(holder).encode(), 0)


def _holder(handle: int) -> str:
    try:
        holder = json.loads(os.pread(handle, 4096, 0))
        return (
            f"`biencoder {holder['verb']}`, process {holder['pid']} on {holder['host']}, "
            f"since {holder['since']}"
        )
    except (ValueError, KeyError, TypeError):
        return "another process, which has not signed yet"
