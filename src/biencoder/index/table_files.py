"""The files of a table as LanceDB names them: which are there, which are whole, which are put aside."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from biencoder.errors import IndexDamagedError
from biencoder.index.durable import disk_errors, files_below, sync_file
from biencoder.index.layout import Generation
from biencoder.index.rights import rights_told

HINT = "_versions/latest_version_hint.json"
# How the folders end in which nothing lies but what a stopped writer was about to do.
UNFINISHED = "-unfinished"
_TAIL = 64
# The last bytes of every file of Lance's own format.
_MAGIC = b"LANC"


class RecoveryWarning(UserWarning):
    """Something of an index was lost or made anew; the message says what."""


def manifest_name(version: int) -> str:
    """LanceDB's file of a version, below the table's folder: newer versions sort first.

    >>> manifest_name(1)
    '_versions/18446744073709551614.manifest'
    """
    return f"_versions/{2**64 - 1 - version:020d}.manifest"


def manifest_versions(table: Path) -> list[int]:
    """The versions whose manifests are there, newest first."""
    names = (path.stem for path in (table / "_versions").glob("*.manifest"))
    return sorted((2**64 - 1 - int(name) for name in names if name.isdigit()), reverse=True)


def check_newest(table: Path) -> None:
    """Raise IndexDamagedError where the newest manifest is cut short: LanceDB may panic on it; of
    these RightsError where this user may not read it.
    """
    with rights_told(table):
        newest = manifest_versions(table)[:1]
    for version in newest:
        path = table / manifest_name(version)
        try:
            with rights_told(path):
                whole = path.read_bytes().endswith(_MAGIC)
        except FileNotFoundError:
            return  # cleaned up meanwhile, so there is a newer one
        if not whole:
            raise IndexDamagedError(f"{path} is cut short")


def table_files(table: Path) -> Iterator[tuple[str, Path]]:
    """Every file but the hint, which is rewritten with each version, by its name in the ledger."""
    for path in files_below(table):
        name = path.relative_to(table).as_posix()
        if name != HINT:
            yield name, path


def is_whole(path: Path, size: int) -> bool:
    """Whether a file has the size that was synced, and an end that is not all zeros."""
    try:
        if path.stat().st_size != size:
            return False
        with path.open("rb") as file:
            file.seek(max(0, size - _TAIL))
            return size == 0 or any(file.read(_TAIL))
    except OSError:
        return False


def set_aside(generation: Generation, names: Iterable[str], *, damaged: bool = True) -> None:
    """Move files out of the table's folder, keeping their names; nothing is deleted here.

    damaged: else they are what a writer that was stopped had not acknowledged; `drop_unfinished` does
    away with those. Raises OutputError where the system refuses.
    """
    aside = generation.quarantine / f"{moment()}{'' if damaged else UNFINISHED}"
    with disk_errors(aside):
        for name in names:
            path, target = generation.table / name, aside / name
            if path.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                path.replace(target)
                sync_file(path.parent)


def drop_unfinished(generation: Generation) -> None:
    """Remove what stopped writers were about to do: a full disk gets its space back.

    Only where the acknowledged version was opened without it. Raises OutputError where the system
    refuses.
    """
    with disk_errors(generation.quarantine):
        for folder in generation.quarantine.glob(f"*{UNFINISHED}"):
            shutil.rmtree(folder)


def moment() -> str:
    """A name for what is put aside now."""
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}"
