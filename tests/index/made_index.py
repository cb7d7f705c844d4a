"""Made for the tests of the index: a folder of sources, its later state, and what an index holds."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from biencoder import Embedder, Index
from biencoder.index.build import Options, index_folder
from biencoder.index.ingest import Tally
from biencoder.index.relearn import entries_of

QUESTIONS = ("how do I reset the lamp?", "kettle button 7", "why is the pump loud?")
THINGS = ("lamp", "pump", "kettle", "radio", "fan")
# So small that one run of some fifty documents comes to many commits.
OPTIONS = Options(commit_every=10, workers=1)

Checksums: TypeAlias = dict[str, str]


@dataclass(frozen=True)
class Contents:
    """What an index holds: ids as often as they stand there, a checksum a document, best passages."""

    ids: tuple[str, ...]
    checksums: Checksums
    best: tuple[tuple[tuple[str, float], ...], ...]


@cache
def mini() -> Embedder:
    """The bundled model, loaded once. It computes each text alone, so that a text read again has the
    same bits in whatever company: some processors' products round by a batch's shape.
    """
    embedder = Embedder.load("mini")
    embedder.token_budget = 1
    return embedder


def write_sources(folder: Path, count: int = 32) -> Path:
    """Pages in Markdown and plain text, and ten rows in JSONL."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        _write_page(folder, number, "Press")
    _write_rows(folder, range(10), {})
    return folder


def change_sources(folder: Path) -> None:
    """Five pages say something else, five are gone, five are new; so with rows, one field more."""
    for number in range(5):
        _write_page(folder, number, "Hold")
        _page(folder, 10 + number).unlink()
        _write_page(folder, 100 + number, "Turn")
    _write_rows(folder, range(3, 14), {"room": "cellar"})


def index(source: Path, folder: Path, options: Options = OPTIONS) -> Tally:
    """Index as a user would, in many commits."""
    return index_folder(source, folder, options, embedder=mini())


def contents(folder: Path) -> Contents:
    """What somebody who opens the index finds."""
    return contents_of(Index.open(folder, embedder=mini()))


def contents_of(index: Index) -> Contents:
    """What an open index holds."""
    store = index._snapshot.store
    ids: list[str] = []
    for batch in store.scan(["id"]):
        ids += [str(id_) for id_ in batch.column("id").to_pylist()]
    assert len(index) == len(ids)
    best = (index.search(question, mode="dense", top_k=10) for question in QUESTIONS)
    return Contents(
        ids=tuple(sorted(ids)),
        checksums={entry.source: entry.checksum for entry in entries_of(store)},
        best=tuple(tuple((hit.id, hit.score) for hit in hits) for hits in best),
    )


def answers(folder: Path) -> list[list[str]]:
    """What searching finds, in either way."""
    index = Index.open(folder, embedder=mini())
    return [
        [hit.id for hit in index.search(question, mode=mode, top_k=len(index))]
        for question in QUESTIONS
        for mode in ("dense", "lexical")
    ]


def acknowledged(generation: Path) -> Checksums:
    """The checksums of all documents that a ledger says stand; it is read, and not healed."""
    if not (generation / "ledger.sqlite").exists():
        return {}
    with closing(sqlite3.connect(generation / "ledger.sqlite")) as database:
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'facts'").fetchone():
            return {}
        query = "SELECT source, checksum FROM documents WHERE sha256 != ''"
        return dict(database.execute(query).fetchall())


def live(folder: Path) -> Path:
    """The folder of the live generation; the first where there is no index yet."""
    if not (folder / "index.json").exists():
        return folder / "g1"
    name: str = json.loads((folder / "index.json").read_text(encoding="utf-8"))["live"]
    return folder / name


def newest_files(folder: Path) -> list[Path]:
    """Every file of an index but the lock, the one written last first."""
    files = [path for path in folder.rglob("*") if path.is_file() and path.name != "lock"]
    return sorted(files, key=lambda path: (path.stat().st_mtime_ns, str(path)), reverse=True)


def damage(path: Path, how: str) -> None:
    """Cut a file to nothing or half, or fill it with zeros at its length."""
    data = path.read_bytes()
    damaged = {"zero": b"", "half": data[: len(data) // 2], "filled": bytes(len(data))}[how]
    path.write_bytes(damaged)


def holds_bytes(folder: Path, wanted: bytes) -> list[str]:
    """The files below a folder in which some bytes stand, in any letter case."""
    found = (path for path in folder.rglob("*") if path.is_file())
    return [path.name for path in found if wanted.lower() in path.read_bytes().lower()]


def _write_page(folder: Path, number: int, verb: str) -> None:
    thing = THINGS[number % len(THINGS)]
    sentences = [
        f"{verb} button {number * step % 13} for step {step}." for step in range(number % 7)
    ]
    text = f"# The {thing} {number}\n\n{verb} to reset the {thing}.\n\n{' '.join(sentences)}\n"
    _page(folder, number).write_text(text, encoding="utf-8")


def _page(folder: Path, number: int) -> Path:
    return folder / f"page-{number:03}.{'txt' if number % 4 == 3 else 'md'}"


def _write_rows(folder: Path, numbers: range, more: dict[str, Any]) -> None:
    lines = [
        json.dumps(
            {"id": f"r{number}", "text": f"The {THINGS[number % 5]} {number} is loud.", **more}
            | {"price": number}
        )
        for number in numbers
    ]
    (folder / "rows.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
