"""Who may not do what with which file of an index, and whom to ask: a missing right is no damage.

So nothing is healed, put aside or given up because of one, and nobody is told to remove an index.
"""

from __future__ import annotations

import errno
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from biencoder.errors import IndexDamagedError
from biencoder.index.durable import NO_RIGHT


class RightsError(IndexDamagedError):
    """An index that may be whole, and that this user may not read."""


@contextmanager
def rights_told(place: Path) -> Iterator[None]:
    """The system's refusals to read in this library's words; raises RightsError.

    place: what was read, where the system does not say it.
    """
    try:
        yield
    except PermissionError as error:
        named = error.filename
        raise refused(Path(os.fsdecode(named)) if named else place) from error


def refused(path: Path) -> RightsError:
    """The error for a file or folder that may not be read, or that lies where nobody may enter."""
    place, right = _first_closed(path)
    owner, mode = _owner(place)
    # Below a folder that may not be entered there may be more than this index.
    command = "chmod -R a+rX" if right == "read" else "chmod a+x"
    return RightsError(
        f"{place} may not be {right} by {_user(os.geteuid())}: "
        f"it belongs to {owner}, mode {mode}; nothing is damaged",
        hint=f"ask {owner} for the right ({command} {shlex.quote(str(place))}), "
        f"or run this as {owner}",
    )


def is_there(path: Path) -> bool:
    """Whether a file or folder is there; raises RightsError where this user may not see that.

    `Path.exists` would say no from Python 3.14 on.
    """
    with rights_told(path):
        try:
            path.stat()
        except (FileNotFoundError, NotADirectoryError):
            return False
    return True


def check_readable(*places: Path) -> None:
    """Raise RightsError for the first file or folder, at or below one of them, that may not be read.

    What is not there is no matter of rights.
    """
    for place in places:
        for path in (place, *_below(place)):
            if _is_closed(path):
                raise refused(path)


def _below(place: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(place):
        yield from (Path(parent, name) for name in (*folders, *names))


def _is_closed(path: Path) -> bool:
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        return error.errno in NO_RIGHT
    return not os.access(path, os.R_OK | (os.X_OK if is_folder else 0))


def _first_closed(path: Path) -> tuple[Path, str]:
    """The uppermost folder that may not be entered, or the path itself."""
    for folder in reversed(path.absolute().parents):
        if not os.access(folder, os.X_OK):
            return folder, "entered"
    return path, "read"


def _owner(place: Path) -> tuple[str, str]:
    try:
        found = place.stat()
    except OSError as error:
        return "its owner", f"unknown ({errno.errorcode.get(error.errno or 0, 'no code')})"
    return _user(found.st_uid), f"{stat.S_IMODE(found.st_mode):04o}"


def _user(number: int) -> str:
    try:
        return f"{pwd.getpwuid(number).pw_name} (user {number})"
    except KeyError:
        return f"user {number}"
