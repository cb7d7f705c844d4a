"""Where what lies in an index's folder.

    my-index/
      index.json          which generation is live
      lock                held by the one writer
      g1/                 a generation: everything that one model made
        ledger.sqlite     the account (see `ledger.py`)
        chunks.lance/     the table
        mirror/           what searching maps into memory, made from the table
        quarantine/       what recovery moved aside, never deleted
        lost/             a ledger that could not be read

A re-embedding makes its generation beside the live one; swapping replaces index.json and nothing
else, so a reader sees the old or the new one, never a mixture.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from biencoder.drafts import write_json
from biencoder.errors import IndexDamagedError, InputError
from biencoder.index.durable import sync_file

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
    def quarantine(self) -> Path:
        """What recovery moved aside."""
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
        taken = [self.live, *self.kept, *(path.name for path in self.folder.glob("g*"))]
        return f"g{1 + max(int(name[1:]) for name in taken if name[1:].isdigit())}"

    def write(self, **changes: object) -> Layout:
        """The layout with changes, on the disk when this returns."""
        changed = replace(self, **changes)  # type: ignore[arg-type]
        facts = {"format": FORMAT, **asdict(changed)}
        del facts["folder"]
        write_json(self.folder / "index.json", facts)
        sync_file(self.folder / "index.json")
        sync_file(self.folder)
        return changed


def is_index(folder: Path) -> bool:
    """Whether a folder is an index."""
    return (folder / "index.json").is_file()


def read_layout(folder: Path) -> Layout:
    """The layout of an existing index.

    Raises InputError where there is none, IndexDamagedError where index.json cannot be read.
    """
    path = folder / "index.json"
    if not path.exists():
        raise InputError(
            f"{folder} is no index",
            hint=f"make one with: biencoder index FOLDER --to {folder}",
        )
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        return _parse(folder, facts)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise IndexDamagedError(
            f"{path} cannot be read: {error}",
            hint='write {"format": 1, "live": "g1", "building": null, "kept": []} into it, '
            "with the name of the newest folder g1, g2 …",
        ) from error


def check_place(folder: Path) -> None:
    """Raise InputError where something is there that is no index."""
    if folder.exists() and not is_index(folder) and (not folder.is_dir() or _foreign(folder)):
        raise InputError(
            f"{folder} is there already and is no index", hint="give a new folder with --to"
        )


def create_layout(folder: Path) -> Layout:
    """A new index in a folder that is there, with an empty first generation."""
    layout = Layout(folder)
    layout.generation().folder.mkdir(exist_ok=True)
    return layout.write()


def _foreign(folder: Path) -> bool:
    # A run that was killed before index.json was whole leaves these.
    ours = (LOCK, "g1")
    return any(not path.name.startswith(".") and path.name not in ours for path in folder.iterdir())


def _parse(folder: Path, facts: Mapping[str, object]) -> Layout:
    if facts["format"] != FORMAT:
        raise ValueError(f"its format is {facts['format']!r}, this version reads {FORMAT}")
    live, building, kept = facts["live"], facts["building"], facts["kept"]
    names = [live, building, *kept] if isinstance(kept, list) else [None]
    if not all(name is None or _is_name(name) for name in names) or live is None:
        raise ValueError("it does not name generations")
    return Layout(folder, str(live), None if building is None else str(building), tuple(kept))  # type: ignore[arg-type]


def _is_name(name: object) -> bool:
    return isinstance(name, str) and name[:1] == "g" and name[1:].isdigit() and os.sep not in name
