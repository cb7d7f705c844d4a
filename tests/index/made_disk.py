"""Made for the tests of durability: a disk that watches what is synced, and one that is full."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from biencoder.index.ledger import Ledger

State = tuple[int, int, int]


@dataclass
class WatchedDisk:
    """Every file and folder as it was when it was synced; ``late``: what was acknowledged too soon.

    ``names``: in the order of syncing, as they were then called. It sees what Python syncs (on Linux:
    the name of an open file). SQLite syncs its own files.
    """

    folder: Path
    synced: set[State] = field(default_factory=set)
    names: list[str] = field(default_factory=list)
    acknowledgements: int = 0
    late: list[str] = field(default_factory=list)

    def note(self, handle: int) -> None:
        """A sync."""
        path = Path(f"/proc/self/fd/{handle}").readlink()
        self.synced.add(_state(path))
        self.names.append(path.name)

    def has(self, path: Path) -> bool:
        """Whether a file or folder lies on it as it is now."""
        return _state(path) in self.synced

    def check(self, generation: Path) -> None:
        """At an acknowledgement: is everything below the table, and every folder above it, synced?"""
        self.acknowledgements += 1
        table = generation / "chunks.lance"
        files = [path for path in table.rglob("*") if path.is_file()]
        assert files
        above = {parent for path in files for parent in path.parents}
        folders = {path for path in above if path == self.folder or self.folder in path.parents}
        # SQLite makes its log in the generation's folder and removes it, and syncs that itself.
        for path in {*files, *folders, generation / "generation.json"} - {generation}:
            if _state(path) not in self.synced:
                self.late.append(path.relative_to(self.folder).as_posix())
        if generation.name not in self.names:
            self.late.append(generation.name)


def watch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> WatchedDisk:
    """Watch an index's folder from now on."""
    disk, set_fact = WatchedDisk(folder.resolve()), Ledger.set_fact

    def noted(ledger: Ledger, name: str, value: object) -> None:
        if name == "acknowledged" and value is not None:
            disk.check(ledger.path.parent.resolve())
        set_fact(ledger, name, value)

    monkeypatch.setattr(os, "fsync", disk.note)
    monkeypatch.setattr(Ledger, "set_fact", noted)
    return disk


def full_after(calls: int, call: Callable[..., Any]) -> Callable[..., Any]:
    """A function that works some times and then finds the disk full."""
    left = iter(range(calls))

    def limited(*values: Any, **more: Any) -> Any:
        if next(left, None) is None:
            raise OSError(28, "No space left on device")
        return call(*values, **more)

    return limited


@contextmanager
def small_disk(place: Path, kibibytes: int) -> Iterator[Path]:
    """A file system of its own, in memory; the test is skipped where that is not allowed."""
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={kibibytes}k", "tmpfs", str(place)]
    may = sys.platform == "linux" and os.geteuid() == 0
    if not may or subprocess.run(["mount", *options], capture_output=True, check=False).returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@contextmanager
def read_only_copy(folder: Path, closed: Sequence[str] = ()) -> Iterator[Path]:
    """A copy of a folder that may be read and not written; the superuser, who may all, steps aside.

    closed: names below it that may not even be read.
    """
    with tempfile.TemporaryDirectory() as place:
        copy = shutil.copytree(folder, Path(place, "copy"))
        below = [Path(place), copy, *(path for path in copy.rglob("*") if path.is_dir())]
        for path in below:
            path.chmod(0o555)
        for name in closed:
            (copy / name).chmod(0)
        superuser = os.geteuid() == 0
        if superuser:
            os.setresuid(65534, 65534, 0)
        try:
            yield copy
        finally:
            if superuser:
                os.setresuid(0, 0, 0)
            for path in (*below, *(copy / name for name in closed)):
                path.chmod(0o755)


@contextmanager
def mounted_for_reading(disk: Path) -> Iterator[None]:
    """A `small_disk` that nobody may write to, not even the superuser."""
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        yield
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)


def _state(path: Path) -> State:
    found = path.stat()
    return (found.st_ino, found.st_size, found.st_mtime_ns)
