"""Where what lies in an index's folder.

    my-index/
      index.json          which generation is live
      lock                held by the one writer
      g1/                 a generation: everything that one model made
        ledger.sqlite     the account (see `ledger.py`)
        chunks.lance/     the table
        mirror/           what searching maps into memory, made from the table
        pages/            of pages: their pictures, and how the model saw them (`page_files.py`)
        quarantine/       damaged files that recovery moved aside, never deleted
        lost/             a ledger that could not be read
        was-live          an empty file: this generation is or was the live one

A re-embedding makes its generation beside the live one; swapping replaces index.json and nothing
else, so a reader sees the old or the new one, never a mixture. Should index.json be damaged, the
newest generation with a ``was-live`` is the live one: a name cannot be cut to zero.
"""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeGuard

from biencoder.errors import IndexDamagedError, InputError
from biencoder.index.durable import disk_errors, sync_new, write_durably
from biencoder.index.rights import is_there, rights_told

FORMAT = 1
TABLE = "chunks"
LOCK = "lock"


@dataclass(frozen=True, slots=True)
class Generation:
    """One generation's folder and what lies in it."""

    folder: Path

    @property
    def name(self) -> str:
        """``g1``, ``g2`` …"""
        return self.folder.name

    @property
    def ledger(self) -> Path:
        """The account."""
        return self.folder / "ledger.sqlite"

    @property
    def table(self) -> Path:
        """LanceDB's folder of the table."""
        return self.folder / f"{TABLE}.lance"

    @property
    def mirror(self) -> Path:
        """What searching maps into memory."""
        return self.folder / "mirror"

    @property
    def pages(self) -> Path:
        """Pictures of pages, where it has any."""
        return self.folder / "pages"

    @property
    def was_live(self) -> Path:
        """Its name alone says something."""
        return self.folder / "was-live"

    @property
    def quarantine(self) -> Path:
        """What recovery moved aside: damaged files, and for a moment what was not acknowledged."""
        return self.folder / "quarantine"


@dataclass(frozen=True, slots=True)
class Layout:
    """An index's folder; live, building and kept are names of generations."""

    folder: Path
    live: str = "g1"
    building: str | None = None
    kept: tuple[str, ...] = ()

    @property
    def lock(self) -> Path:
        """The writer's lock file."""
        return self.folder / LOCK

    def generation(self, name: str | None = None) -> Generation:
        """A generation by name; the live one without."""
        return Generation(self.folder / (name or self.live))

    def next_name(self) -> str:
        """A generation name that nothing bears yet."""
        taken = [self.live, *self.kept, *(path.name for path in _generations(self.folder))]
        return f"g{1 + max(int(name[1:]) for name in taken)}"

    def write(self, **changes: object) -> Layout:
        """The layout with changes, on the disk when this returns."""
        changed = replace(self, **changes)  # type: ignore[arg-type]
        facts = {"format": FORMAT, **asdict(changed)}
        del facts["folder"]
        write_durably(self.folder / "index.json", facts)
        changed.mark()
        return changed

    def mark(self) -> None:
        """Note beside the live generation that it is live; after index.json says so, not before."""
        mark = self.generation().was_live
        if not mark.exists():
            with disk_errors(mark):
                mark.touch()
            sync_new([mark], self.folder)

    def unnamed(self) -> list[Path]:
        """Generations that a killed writer was about to remove."""
        named = {self.live, self.building, *self.kept}
        return [path for path in _generations(self.folder) if path.name not in named]


def is_index(folder: Path) -> bool:
    """Whether a folder is an index; raises RightsError where that may not be seen."""
    path = folder / "index.json"
    return is_there(path) and path.is_file()


def read_layout(folder: Path) -> Layout:
    """The layout of an existing index; told by its generations where index.json is damaged.

    Raises InputError where there is none, IndexDamagedError where it cannot be read, and of these
    RightsError where this user may not.
    """
    try:
        return stated_layout(folder)
    except ValueError as error:
        return _layout_of_generations(folder, error)


def stated_layout(folder: Path) -> Layout:
    """The layout that index.json states. Raises as `read_layout`, and ValueError for a damaged one."""
    path = folder / "index.json"
    if not is_there(path):
        raise InputError(
            f"{folder} is no index",
            hint=f"make one with: biencoder index FOLDER --to {shlex.quote(str(folder))}",
        )
    try:
        with rights_told(path):
            facts = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise IndexDamagedError(
            f"{path} cannot be read: {error.strerror or error}",
            hint="check the disk",
        ) from error
    try:
        return _parse(folder, facts)
    except (KeyError, TypeError) as error:
        raise ValueError(f"it lacks a value: {error}") from error


def check_place(folder: Path) -> None:
    """Raise InputError where something is there that is no index."""
    if is_index(folder):
        return
    with rights_told(folder):
        foreign = folder.exists() and (not folder.is_dir() or _foreign(folder))
    if foreign:
        raise InputError(
            f"{folder} is there already and is no index", hint="give a new folder with --to"
        )


def create_layout(folder: Path) -> Layout:
    """A new index in a folder that is there, with an empty first generation."""
    layout = Layout(folder)
    with disk_errors(folder):
        layout.generation().folder.mkdir(exist_ok=True)
    return layout.write()


def _foreign(folder: Path) -> bool:
    # A run that was killed before index.json was whole leaves these.
    ours = (LOCK, "g1")
    return any(not path.name.startswith(".") and path.name not in ours for path in folder.iterdir())


def _layout_of_generations(folder: Path, damage: ValueError) -> Layout:
    with rights_told(folder):
        names = [path.name for path in _generations(folder)]
        lived = [name for name in names if Generation(folder / name).was_live.exists()]
    if not lived:
        raise IndexDamagedError(
            f"{folder / 'index.json'} cannot be read: {damage}",
            hint=f"no generation was live yet: remove {folder} and index the sources anew",
        ) from damage
    *kept, live = lived
    newer = names[names.index(live) + 1 :]
    return Layout(folder, live, newer[-1] if newer else None, tuple(kept))


def _generations(folder: Path) -> list[Path]:
    """The folders of generations, oldest first."""
    found = (path for path in folder.iterdir() if _is_name(path.name) and path.is_dir())
    return sorted(found, key=lambda path: int(path.name[1:]))


def _parse(folder: Path, facts: Mapping[str, object]) -> Layout:
    if facts["format"] != FORMAT:
        # Not damaged: it must not be read as if it were ours.
        raise IndexDamagedError(
            f"{folder} has format {facts['format']!r}, this version reads {FORMAT}",
            hint="use the version of biencoder that made it",
        )
    live, building, kept = facts["live"], facts["building"], facts["kept"]
    if not _is_name(live) or not (building is None or _is_name(building)):
        raise ValueError("it does not name generations")
    if not isinstance(kept, list) or not all(_is_name(name) for name in kept):
        raise ValueError("what it keeps is not a list of generations")
    return Layout(folder, live, building, tuple(kept))


def _is_name(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and re.fullmatch(r"g[0-9]{1,9}", name) is not None
