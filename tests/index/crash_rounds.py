"""Rounds of kill and run again: whatever the moment, the end is that of an undisturbed run."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.index import made_index

ROOT = Path(__file__).parent.parent.parent
KILLED = -9
# What is done before the verb under test, as letters: index the sources, change them.
JOBS = {
    "first run": ("index", ""),
    "changed sources": ("index", "ic"),
    "compaction": ("compact", "ici"),
    "re-embedding": ("reindex", "ici"),
}


@dataclass
class Server:
    """The process of `crash_child.py`, started."""

    process: subprocess.Popen[str]

    def ask(self, *tasks: dict[str, Any], delay: float | None = None) -> dict[str, Any]:
        """One child's answer."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        print(json.dumps({"tasks": tasks, "delay": delay}), file=self.process.stdin, flush=True)
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        for result in answer["results"]:
            assert "traceback" not in result, result["traceback"]
        return answer


@contextmanager
def serving(module: str = "tests.index.crash_child") -> Iterator[Server]:
    """A server for the length of a block."""
    command = [sys.executable, "-m", module]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        try:
            yield Server(process)
        finally:
            process.stdin.close()


@dataclass
class Job:
    """A verb, the folder as it is before (``start``), and what an undisturbed run makes of it."""

    server: Server
    name: str
    verb: str
    place: Path
    expected: dict[str, Any]
    points: list[str]
    seconds: float
    outcomes: Counter[str] = field(default_factory=Counter)

    def kill_at(self, point: int) -> None:
        """A round that is killed at a commit point."""
        self._round(f"at {point}: {self.points[point]}", {"counted": True, "stop_at": point}, None)

    def kill_after(self, seconds: float) -> bool:
        """A round that is killed some seconds after its work began; False if it was done before."""
        return self._round(f"after {seconds:.3f} s", {}, seconds)

    def _round(self, moment: str, how: dict[str, Any], delay: float | None) -> bool:
        folder = _copy(self.place / "start", self.place / "round")
        task = work(self.verb, self.place / "source", folder)
        killed = self.server.ask(task | how, delay=delay)
        where = f"{self.name}, killed {moment}"
        assert killed["code"] == KILLED or delay is not None, where
        self.outcomes["killed" if killed["code"] == KILLED else "done before the kill came"] += 1
        known = made_index.acknowledged(made_index.live(_copy(folder, self.place / "ledger")))
        # In a copy: looking heals, and the next run must do so by itself.
        seen = _copy(folder, self.place / "copy")
        left, _, end = self.server.ask(look(seen), task, look(folder))["results"]
        self.outcomes[_compare(left, known, where)] += 1
        assert end == self.expected, where
        assert {path.name for path in folder.iterdir()} == {"lock", *_named(folder)}, where
        return bool(killed["code"] == KILLED)


def make_job(
    server: Server,
    place: Path,
    name: str,
    write_sources: Callable[[Path], Path] = made_index.write_sources,
) -> Job:
    """A job in a folder of its own."""
    verb, before = JOBS[name]
    source = write_sources(place / "source")
    index, start = place / "undisturbed", place / "start"
    known = {"i": work("index", source, index), "c": {"do": "change", "source": str(source)}}
    first = [known[letter] for letter in before]
    if first:
        first.append({"do": "copy", "folder": str(index), "to": str(start)})
    counted = work(verb, source, index) | {"counted": True}
    answer = server.ask(*first, counted, look(index))
    assert answer["code"] == 0
    done, expected = answer["results"][-2:]
    return Job(server, name, verb, place, expected, done["points"], done["seconds"])


def some_points(job: Job, chance: random.Random) -> list[int]:
    """A commit point inside a commit, where rows stand that nobody acknowledged, and any other."""
    inside = [point for point, name in enumerate(job.points) if name == "after store add"]
    return [chance.choice(inside), chance.randrange(len(job.points))]


def _compare(left: dict[str, Any], known: made_index.Checksums, where: str) -> str:
    """What a kill left must be readable, as far as it was acknowledged."""
    if "error" in left:
        assert known == {}, f"{where}: {left['error']}"
        return "nothing acknowledged yet"
    assert left["checksums"] == known, where
    assert len(set(left["ids"])) == len(left["ids"]), where
    return "read as acknowledged"


def work(verb: str, source: Path, folder: Path) -> dict[str, Any]:
    """A task: a verb."""
    return {"do": "work", "verb": verb, "source": str(source), "folder": str(folder)}


def look(folder: Path) -> dict[str, Any]:
    """A task: what an index holds."""
    return {"do": "look", "folder": str(folder)}


def _copy(folder: Path, to: Path) -> Path:
    """A copy of a folder, which need not exist, in place of what was there."""
    shutil.rmtree(to, ignore_errors=True)
    if folder.exists():
        shutil.copytree(folder, to)
    return to


def _named(folder: Path) -> set[str]:
    """What an index's folder should hold besides the lock."""
    facts = json.loads((folder / "index.json").read_text(encoding="utf-8"))
    return {"index.json", facts["live"], *facts["kept"]} | ({facts["building"]} - {None})
