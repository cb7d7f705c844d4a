"""What is in a folder: files to read, files of other kinds, and what cannot or must not be read."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from biencoder.errors import InputError
from biencoder.reading.file_text import ReadFailure
from biencoder.reading.kinds import kind_of


@dataclass(frozen=True, slots=True)
class FolderListing:
    """Everything below a folder but hidden files and folders, each sorted by its path there.

    ``files`` are of the kinds read here, rows included; ``others`` are not; ``failures`` are
    folders and files that cannot be read, or must not be, with the reason.
    """

    files: tuple[Path, ...]
    others: tuple[Path, ...]
    failures: tuple[tuple[Path, ReadFailure], ...]


def list_folder(root: Path) -> FolderListing:
    """Walk a folder; links are followed to files below the root only.

    Raises InputError where the root is no folder or cannot be read.
    """
    if not root.is_dir():
        raise InputError(f"there is no folder {root}")
    if not os.access(root, os.R_OK | os.X_OK):
        raise InputError(f"{root} cannot be opened: Permission denied")
    files: list[Path] = []
    others: list[Path] = []
    failures: list[tuple[Path, ReadFailure]] = []
    real_root = root.resolve()
    for path, failure in _walk(root, real_root):
        if failure is not None:
            failures.append((path, failure))
        elif kind_of(path) is None:
            others.append(path)
        else:
            files.append(path)

    def place(path: Path) -> str:
        return path.relative_to(root).as_posix()

    return FolderListing(
        tuple(sorted(files, key=place)),
        tuple(sorted(others, key=place)),
        tuple(sorted(failures, key=lambda failed: place(failed[0]))),
    )


def _walk(folder: Path, real_root: Path) -> Iterator[tuple[Path, ReadFailure | None]]:
    """Files, and whatever is refused, in no order."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries]
    except OSError as error:
        yield folder, ReadFailure.from_system(error)
        return
    for name in names:
        if name.startswith("."):
            continue
        path = folder / name
        failure = _refused(path, real_root)
        if failure is None and path.is_dir():
            yield from _walk(path, real_root)
        else:
            yield path, failure


def _refused(path: Path, real_root: Path) -> ReadFailure | None:
    if not _is_unicode(path.name):
        return ReadFailure("has a name that is not UTF-8: rename it")
    try:
        found = path.stat()
        if path.is_symlink():
            return _refused_link(path, found, real_root)
    except FileNotFoundError:
        return ReadFailure("is a link to a file that does not exist")
    except (OSError, RuntimeError) as error:
        return ReadFailure(f"cannot be opened: {getattr(error, 'strerror', None) or error}")
    if stat.S_ISDIR(found.st_mode):
        return None
    return _refused_file(path, found)


def _refused_link(path: Path, found: os.stat_result, real_root: Path) -> ReadFailure | None:
    if not path.resolve(strict=True).is_relative_to(real_root):
        return ReadFailure("is a link that leaves the folder: copy its target into the folder")
    if stat.S_ISDIR(found.st_mode):
        return ReadFailure("is a link to a folder that is read at its own place")
    return _refused_file(path, found)


def _refused_file(path: Path, found: os.stat_result) -> ReadFailure | None:
    if not stat.S_ISREG(found.st_mode):
        return ReadFailure("is no regular file")
    if not os.access(path, os.R_OK):
        return ReadFailure("cannot be opened: Permission denied")
    return None


def listed_name(path: Path, base: Path) -> str:
    """A file's name below a folder as an index keeps it; bytes that are not UTF-8 are escaped.

    >>> listed_name(Path(os.fsdecode(b"docs/caf\\xe9.txt")), Path("docs"))
    'caf\\\\xe9.txt'
    """
    return os.fsencode(path.relative_to(base).as_posix()).decode("utf-8", "backslashreplace")


def _is_unicode(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
