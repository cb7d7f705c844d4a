"""What a run has to do: which files are new, changed, gone, or as they were.

Content decides, by its hash; a file's date says nothing. What a kill left planned is planned again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from biencoder.corpus.beir import is_beir_folder
from biencoder.embedder.fingerprint import hash_file
from biencoder.errors import InputError
from biencoder.index.filter_check import ColumnType
from biencoder.index.filters import Value
from biencoder.index.layout import is_index
from biencoder.index.ledger import Entry, FileEnd, Ledger
from biencoder.index.rows import CORE, INNER
from biencoder.reading.file_text import ReadFailure
from biencoder.reading.folder import FolderListing, list_folder
from biencoder.reading.kinds import KINDS, kind_of
from biencoder.reading.rows import Row, RowReader

_NOTED = 5_000
# Fields of a row that are columns of the index already, and may come from the row.
_TAKEN_OVER = ("page", "heading")
_TYPES: Mapping[type, ColumnType] = {
    str: "text",
    bool: "boolean",
    int: "integer",
    float: "number",
}


@dataclass(frozen=True, slots=True)
class Job:
    """A file to be read. rows: the sources of the rows to be done, for a file of rows."""

    path: Path
    file: str
    sha256: str
    rows: frozenset[str] | None = None


@dataclass
class Plan:
    """jobs in order; wanted: how many documents they hold that are to be done; gone: sources that are no longer there; failures: file and reason, of files that
    cannot even be opened; unchanged: documents; others: files of kinds that are not read here.
    """

    jobs: list[Job] = field(default_factory=list)
    wanted: int = 0
    gone: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    columns: dict[str, ColumnType] = field(default_factory=dict)
    unchanged: int = 0
    others: tuple[Path, ...] = ()


def make_plan(
    root: Path,
    ledger: Ledger,
    columns: Mapping[str, ColumnType],
    *,
    note: Callable[[list[Entry]], None] = lambda entries: None,
    retry: bool = False,
    tick: Callable[[int], None] = lambda count: None,
) -> Plan:
    """Compare a folder or file with the ledger.

    note: takes the entries of documents that are to be done, some thousand at a time. columns: of metadata that the table has. retry: read failed files again though they have not
    changed. Raises InputError where nothing there can be read.
    """
    listing = list_sources(root)
    if not listing.files and not listing.failures:
        kinds = ", ".join(sorted(KINDS))
        raise InputError(
            f"{root} holds no file that can be read here", hint=f"readable are {kinds}"
        )
    base = root if root.is_dir() else root.parent
    names = {path: path.relative_to(base).as_posix() for path in listing.files}
    plan = Plan(columns=dict(columns), others=listing.others)
    plan.failures = {
        path.relative_to(base).as_posix(): failure.reason for path, failure in listing.failures
    }
    known = ledger.files()
    unfinished = {entry.file for entry in ledger.entries("planned", "embedded")}
    unfinished |= {entry.file for entry in ledger.entries("failed")} if retry else set()
    wanted: list[Entry] = []
    for path, name in names.items():
        for entry in _plan_file(
            plan, ledger, path, name, None if name in unfinished else known.get(name)
        ):
            wanted.append(entry)
            if len(wanted) == _NOTED:
                plan.wanted += len(wanted)
                note(wanted)
                wanted = []
        tick(1)
    plan.wanted += len(wanted)
    note(wanted)
    # A file that cannot be opened today is not gone.
    there = {*names.values(), *plan.failures}
    plan.gone += [entry.source for entry in ledger.entries() if not _below(entry.file, there)]
    return plan


def list_sources(root: Path) -> FolderListing:
    """What is to be indexed under a name: a file, a BEIR folder's corpus, or a folder's files."""
    if root.is_file():
        if kind_of(root) is None:
            raise InputError(
                f"{root} is of a kind that is not read here",
                hint=f"readable are {', '.join(sorted(KINDS))}",
            )
        return FolderListing((root,), (), ())
    if not root.exists():
        raise InputError(f"there is no file or folder {root}")
    listing = list_folder(root)
    if is_beir_folder(root):
        corpus = [path for path in listing.files if path.name.startswith("corpus.jsonl")]
        return FolderListing(tuple(path for path in corpus if path.parent == root), (), ())
    # An index may lie inside the folder that it was made of.
    indices = {path.parent for path in listing.others if path.name == "index.json"}
    indices = {folder for folder in indices if is_index(folder)}
    return FolderListing(
        tuple(path for path in listing.files if not indices.intersection(path.parents)),
        tuple(path for path in listing.others if not indices.intersection(path.parents)),
        tuple(pair for pair in listing.failures if not indices.intersection(pair[0].parents)),
    )


def row_source(file: str, row: Row) -> str:
    """A row's name in the index: its file's and its own."""
    # Half a surrogate pair is no text; the ledger and the table take its escape.
    return f"{file}#{row.id}".encode("utf-8", "backslashreplace").decode("utf-8")


def row_hash(row: Row) -> str:
    """SHA-256 of what a row says."""
    facts = json.dumps([row.title, row.text, row.metadata], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()


def own_metadata(row: Row) -> dict[str, Value]:
    """A row's metadata without the fields that are the index's own columns."""
    return {
        name: value
        for name, value in row.metadata.items()
        if name not in CORE and name not in INNER
    }


def taken_over(row: Row) -> tuple[int | None, str]:
    """Page and heading, where a row brings them."""
    page, heading = (row.metadata.get(name) for name in _TAKEN_OVER)
    return (
        page if isinstance(page, int) and not isinstance(page, bool) else None,
        heading if isinstance(heading, str) else "",
    )


def misfit(metadata: Mapping[str, Value], columns: Mapping[str, ColumnType]) -> str:
    """Why a row's metadata cannot stand in the columns, or nothing."""
    for name, value in metadata.items():
        kind, there = _TYPES[type(value)], columns[name]
        if kind != there and not (kind == "integer" and there == "number"):
            return f"its field {name!r} is {kind} here and {there} in other rows: make them alike"
    return ""


def _plan_file(
    plan: Plan, ledger: Ledger, path: Path, name: str, known: FileEnd | None
) -> Iterator[Entry]:
    """The entries of a file's documents that are to be done."""
    try:
        sha256 = hash_file(path)
    except OSError as error:
        plan.failures[name] = f"cannot be opened: {error.strerror or error}"
        return
    if known is not None and known.sha256 == sha256:
        plan.unchanged += sum(entry.state == "committed" for entry in ledger.entries_of(name))
        return
    if kind_of(path) == "rows":
        yield from _plan_rows(plan, ledger, path, name, sha256)
        return
    plan.jobs.append(Job(path, name, sha256))
    yield _wanted(ledger.entry(name), name, name, sha256)


def _plan_rows(plan: Plan, ledger: Ledger, path: Path, name: str, sha256: str) -> Iterator[Entry]:
    todo: set[str] = set()
    seen: set[str] = set()
    broken = False
    for row in RowReader(path, name):
        if isinstance(row, ReadFailure):
            broken = True
            continue
        source, content = row_source(name, row), row_hash(row)
        _learn_types(own_metadata(row), plan.columns)
        if source in seen:
            continue
        seen.add(source)
        entry = ledger.entry(source)
        if entry is not None and entry.state == "committed" and entry.sha256 == content:
            plan.unchanged += 1
            continue
        todo.add(source)
        yield _wanted(entry, source, name, content)
    # Where lines cannot be read, a row that is not seen is not known to be gone.
    plan.gone += [
        entry.source
        for entry in ledger.entries_of(name)
        if entry.source not in seen and (not broken or not entry.sha256)
    ]
    plan.jobs.append(Job(path, name, sha256, frozenset(todo)))


def _learn_types(metadata: Mapping[str, Value], columns: dict[str, ColumnType]) -> None:
    for name, value in metadata.items():
        kind = _TYPES[type(value)]
        columns.setdefault(name, kind)


def _wanted(before: Entry | None, source: str, file: str, sha256: str) -> Entry:
    if before is None:
        return Entry(source, file, "planned", sha256)
    return replace(before, state="planned", wanted=sha256, reason="")


def _below(file: str, there: set[str]) -> bool:
    """Whether a file is listed, or lies in a folder that could not be opened."""
    return file in there or any(
        file[:end] in there for end, letter in enumerate(file) if letter == "/"
    )
