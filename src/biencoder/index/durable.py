"""What is told as done must outlive a power cut: files and folders brought to the disk, in order.

LanceDB never syncs (measured: no fsync in a trace of six commits), so every file that it wrote since
the last acknowledged version is synced here, then the folders that name them.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from biencoder.drafts import new_file
from biencoder.errors import OutputError

LOCAL_DISK = "keep the index on a local disk: network file systems may lack locks and shared memory"
# The system's ways to say that this user may not.
NO_RIGHT = (errno.EACCES, errno.EPERM)
_HINTS = {
    errno.EROFS: "the file system is mounted for reading only: mount it for writing",
    **dict.fromkeys(
        NO_RIGHT, "ask its owner for the right to write there, or run this as the owner"
    ),
}


def sync_file(path: Path) -> None:
    """Bring a file's bytes, or a folder's names, to the disk itself.

    Raises OutputError where the disk refuses.
    """
    with disk_errors(path):
        handle = os.open(path, os.O_RDONLY)
        try:
            if sys.platform == "darwin":
                # On macOS fsync stops at the drive's own cache; F_FULLFSYNC goes through it.
                import fcntl

                fcntl.fcntl(handle, fcntl.F_FULLFSYNC)
            else:
                os.fsync(handle)
        finally:
            os.close(handle)


def files_below(folder: Path) -> Iterator[Path]:
    """Every file of a tree."""
    for parent, _, names in os.walk(folder):
        yield from (Path(parent, name) for name in names)


def bytes_below(folder: Path) -> int:
    """The sizes of all files of a tree; what another process removes meanwhile counts as nothing."""
    return sum(map(size_of, files_below(folder)))


def size_of(path: Path) -> int:
    """A file's bytes, 0 where it is gone or may not be looked at."""
    try:
        return path.stat().st_size
    except (FileNotFoundError, PermissionError):
        return 0


def sync_new(files: Iterable[Path], root: Path) -> None:
    """Sync files, then each folder from theirs up to ``root``: a name is lost without its folder.

    Raises OutputError where the disk refuses.
    """
    taken = list(files)
    folders = {folder for file in taken for folder in file.parents if folder.is_relative_to(root)}
    for file in taken:
        sync_file(file)
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        sync_file(folder)


def write_durably(path: Path, value: object) -> None:
    """One JSON value: the old or the new one whole, on the disk when this returns.

    Raises OutputError where it cannot be written.
    """
    with new_file(path) as draft:
        draft.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
        # Before it takes the name: a power cut may keep a rename and lose the bytes.
        sync_file(draft)
    sync_file(path.parent)


@contextmanager
def disk_errors(place: Path) -> Iterator[None]:
    """The system's errors of writing below a place in this library's words."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{place} could not be written: {error.strerror or error}",
            hint=writing_hint(
                error, "is the disk full or failing? Nothing acknowledged is lost; run again"
            ),
        ) from error


def writing_hint(error: OSError, otherwise: str) -> str:
    """What to do where the system refused to write; ``otherwise``, unless it is a matter of rights."""
    return _HINTS.get(error.errno or 0, otherwise)
