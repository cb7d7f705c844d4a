"""What a run has to do: which files are new, changed, gone, or as they were.

Content decides, by its hash; a file's date says nothing. What a kill left planned is planned again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from biencoder.embedder.fingerprint import hash_file
from biencoder.errors import EncodingError, InputError
from biencoder.index.columns import Fields
from biencoder.index.filter_check import ColumnType
from biencoder.index.ledger import Entry, FileEnd, Ledger
from biencoder.index.listing import check_source, list_sources, nothing_to_read
from biencoder.index.metadata import is_misfit, own_metadata
from biencoder.index.page_sources import has_looks
from biencoder.reading.file_text import ReadFailure
from biencoder.reading.folder import listed_name
from biencoder.reading.kinds import kind_of
from biencoder.reading.rows import Row, RowReader

_NOTED = 5_000
# As `Store.held`: columns and the sources that leave.
Held: TypeAlias = Callable[[Sequence[str], Set[str]], Mapping[str, bool]]


@dataclass(frozen=True, slots=True)
class Job:
    """A file to be read. rows: the sources of the rows to be done, for a file of rows. by_looks: its
    pages are read as images.
    """

    path: Path
    file: str
    sha256: str
    rows: frozenset[str] | None = None
    by_looks: bool = False


@dataclass
class Plan:
    """jobs in order; wanted: how many documents they hold that are to be done; gone: sources that are
    no longer there; failures: file and reason, of files that cannot even be opened; columns: of
    metadata, as they are when all is done; unchanged: documents; others: files that are no documents
    here.
    """

    jobs: list[Job] = field(default_factory=list)
    wanted: int = 0
    gone: list[str] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    columns: dict[str, ColumnType] = field(default_factory=dict)
    unchanged: int = 0
    others: tuple[Path, ...] = ()

    def leaving(self) -> set[str]:
        """The sources whose rows in the table are to be replaced or removed."""
        return {*self.gone, *(row for job in self.jobs for row in job.rows or ())}


def make_plan(
    root: Path,
    ledger: Ledger,
    columns: Mapping[str, ColumnType],
    *,
    note: Callable[[list[Entry]], None] = lambda entries: None,
    retry: bool = False,
    may_empty: bool = False,
    widens: Callable[[str], bool] = lambda name: True,
    held: Held = lambda names, leaving: dict.fromkeys(names, False),
    by_looks: bool = False,
    before: Ledger | None = None,
    tick: Callable[[int], None] = lambda count: None,
) -> Plan:
    """Compare a folder or file with the ledger.

    note: takes the entries of documents that are to be done, some thousand at a time. columns: of
    metadata that the table has; widens: whether one of whole numbers may become one of fractions; held:
    which of them hold a value of a document that is not among those that leave (`Store.held`).
    retry: read failed files again though they have not changed. may_empty: every document may leave.
    by_looks: image files and PDFs are read as page images. before: the ledger that says which files
    are read on (`list_sources`), where it is another. Raises InputError where nothing there can be read.
    """
    base = root.parent if check_source(root, images=by_looks) else root
    listing = list_sources(
        root,
        images=by_looks,
        stands=lambda path: _stands(before or ledger, listed_name(path, base)),
    )
    names = {path: listed_name(path, base) for path in listing.files}
    plan = Plan(others=listing.others)
    plan.failures = {listed_name(path, base): bad.reason for path, bad in listing.failures}
    # A file that cannot be opened today is not gone.
    there = {*names.values(), *plan.failures}
    plan.gone = [entry.source for entry in ledger.entries() if not _below(entry.file, there)]
    if not names and not may_empty:
        _refuse_emptying(root, plan, ledger, by_looks)
    fields, wanted = Fields(), list[Entry]()
    for path, end in _looked_at(plan, names, ledger, retry):
        job = Job(path, names[path], "", by_looks=by_looks and has_looks(path))
        for entry in _plan_file(plan, ledger, job, end, fields):
            wanted.append(entry)
            if len(wanted) == _NOTED:
                plan.wanted += len(wanted)
                note(wanted)
                wanted = []
        tick(1)
    plan.wanted += len(wanted)
    note(wanted)
    plan.columns = fields.choose(
        columns, widens=widens, held=lambda names: held(names, plan.leaving())
    )
    return plan


def _looked_at(
    plan: Plan, names: Mapping[Path, str], ledger: Ledger, retry: bool
) -> Iterator[tuple[Path, FileEnd | None]]:
    """Every file with what is known of it, while the plan grows; None where it is read in any case."""
    known = ledger.files()
    unfinished = {entry.file for entry in ledger.entries("planned", "embedded")}
    misfits: set[str] = set()
    for entry in ledger.entries("failed"):
        # What could not even be opened says nothing of what it holds; what the model gave no number
        # for, another number format may read.
        unopened = entry.source == entry.file and not entry.wanted
        if retry or unopened or EncodingError.no_vector in entry.reason:
            unfinished.add(entry.file)
        elif is_misfit(entry.reason):
            misfits.add(entry.file)
    for path, name in sorted(names.items(), key=lambda item: item[1] in misfits):
        # What such rows do not fit may be among what changes or leaves.
        again = name in misfits and (plan.gone or any(job.rows for job in plan.jobs))
        yield path, None if again or name in unfinished else known.get(name)


def _stands(ledger: Ledger, file: str) -> bool:
    return any(entry.sha256 for entry in ledger.entries_of(file))


def _refuse_emptying(root: Path, plan: Plan, ledger: Ledger, images: bool) -> None:
    """A disk that is not mounted looks like a folder that somebody emptied."""
    standing, _ = ledger.standing()
    leaving = sum(bool(ledger.standing_rows(source)) for source in plan.gone)
    if leaving and leaving == standing:
        its = "its only document" if leaving == 1 else f"all of its {leaving:,} documents"
        raise InputError(
            f"{root} holds no file that can be read here; {its} would leave the index",
            hint="is a disk not mounted? If they are to leave: --allow-empty",
        )
    if not plan.failures and not plan.gone and not standing:
        raise nothing_to_read(root, images)


def row_source(file: str, row: Row) -> str:
    """A row's name in the index: its file's and its own."""
    # Half a surrogate pair is no text; the ledger and the table take its escape.
    return f"{file}#{row.id}".encode("utf-8", "backslashreplace").decode("utf-8")


def row_hash(row: Row) -> str:
    """SHA-256 of what a row says."""
    facts = json.dumps([row.title, row.text, row.metadata], sort_keys=True)
    return hashlib.sha256(facts.encode()).hexdigest()


def _plan_file(
    plan: Plan,
    ledger: Ledger,
    job: Job,
    known: FileEnd | None,
    fields: Fields,
) -> Iterator[Entry]:
    """The entries of a file's documents that are to be done."""
    name = job.file
    try:
        sha256 = hash_file(job.path)
    except OSError as error:
        plan.failures[name] = f"cannot be opened: {error.strerror or error}"
        return
    if known is not None and known.sha256 == sha256:
        plan.unchanged += sum(entry.state == "committed" for entry in ledger.entries_of(name))
        return
    if kind_of(job.path) == "rows":
        yield from _plan_rows(plan, ledger, replace(job, sha256=sha256), fields)
        return
    plan.jobs.append(replace(job, sha256=sha256))
    yield _wanted(ledger.entry(name), name, name, sha256)


def _plan_rows(plan: Plan, ledger: Ledger, job: Job, fields: Fields) -> Iterator[Entry]:
    name = job.file
    todo: set[str] = set()
    seen: set[str] = set()
    broken = False
    for row in RowReader(job.path, name):
        if isinstance(row, ReadFailure):
            broken = True
            continue
        source, content = row_source(name, row), row_hash(row)
        if source in seen:
            continue
        seen.add(source)
        entry = ledger.entry(source)
        if entry is not None and entry.state == "committed" and entry.sha256 == content:
            plan.unchanged += 1
            continue
        todo.add(source)
        fields.take(own_metadata(row))
        yield _wanted(entry, source, name, content)
    # Where lines cannot be read, a row that is not seen is not known to be gone.
    plan.gone += [
        entry.source
        for entry in ledger.entries_of(name)
        if entry.source not in seen and (not broken or not entry.sha256)
    ]
    plan.jobs.append(replace(job, rows=frozenset(todo)))


def _wanted(before: Entry | None, source: str, file: str, sha256: str) -> Entry:
    if before is None:
        return Entry(source, file, "planned", sha256)
    return replace(before, state="planned", wanted=sha256, reason="")


def _below(file: str, there: set[str]) -> bool:
    """Whether a file is listed, or lies in a folder that could not be opened."""
    return file in there or any(
        file[:end] in there for end, letter in enumerate(file) if letter == "/"
    )
