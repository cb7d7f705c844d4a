"""What a run has to do: which files are new, changed, gone, or as they were.

Content decides, by its hash; a file's date says nothing. What a kill left planned is planned again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from biencoder.corpus.beir import is_beir_folder
from biencoder.embedder.fingerprint import hash_file
from biencoder.errors import InputError
from biencoder.index.filter_check import ColumnType
from biencoder.index.layout import is_index
from biencoder.index.ledger import Entry, FileEnd, Ledger
from biencoder.index.metadata import learn_types, own_metadata
from biencoder.index.page_sources import has_looks, is_image, with_images
from biencoder.reading.file_text import ReadFailure
from biencoder.reading.folder import FolderListing, list_folder, listed_name
from biencoder.reading.kinds import IMAGE_SUFFIXES, KINDS, kind_of
from biencoder.reading.rows import Row, RowReader

_NOTED = 5_000


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
    metadata, as they are when all is done; unchanged: documents; others: files of kinds that are not
    read here.
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
    may_empty: bool = False,
    widens: Callable[[str], bool] = lambda name: True,
    by_looks: bool = False,
    tick: Callable[[int], None] = lambda count: None,
) -> Plan:
    """Compare a folder or file with the ledger.

    note: takes the entries of documents that are to be done, some thousand at a time. columns: of
    metadata that the table has; widens: whether one of whole numbers may become one of fractions.
    retry: read failed files again though they have not changed. may_empty: every document may leave.
    by_looks: image files and PDFs are read as page images. Raises InputError where nothing there can
    be read.
    """
    listing = list_sources(root, images=by_looks)
    base = root if root.is_dir() else root.parent
    names = {path: listed_name(path, base) for path in listing.files}
    plan = Plan(columns=dict(columns), others=listing.others)
    plan.failures = {listed_name(path, base): bad.reason for path, bad in listing.failures}
    # A file that cannot be opened today is not gone.
    there = {*names.values(), *plan.failures}
    plan.gone = [entry.source for entry in ledger.entries() if not _below(entry.file, there)]
    if not names and not may_empty:
        _refuse_emptying(root, plan, ledger, by_looks)
    widens = cache(widens)
    known = ledger.files()
    unfinished = {entry.file for entry in ledger.entries("planned", "embedded")}
    unfinished |= {entry.file for entry in ledger.entries("failed")} if retry else set()
    wanted: list[Entry] = []
    for path, name in names.items():
        end = None if name in unfinished else known.get(name)
        job = Job(path, name, "", by_looks=by_looks and has_looks(path))
        for entry in _plan_file(plan, ledger, job, end, widens):
            wanted.append(entry)
            if len(wanted) == _NOTED:
                plan.wanted += len(wanted)
                note(wanted)
                wanted = []
        tick(1)
    plan.wanted += len(wanted)
    note(wanted)
    return plan


def check_first(root: Path, *, images: bool = False) -> None:
    """Raise InputError where there is nothing to make a new index of."""
    listing = list_sources(root, images=images)
    if not listing.files and not listing.failures:
        raise _nothing_to_read(root, images)


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
        raise _nothing_to_read(root, images)


def _nothing_to_read(root: Path, images: bool) -> InputError:
    return InputError(f"{root} holds no file that can be read here", hint=_readable(images))


def _readable(images: bool) -> str:
    kinds = [*KINDS, *(IMAGE_SUFFIXES if images else ())]
    return f"readable are {', '.join(sorted(kinds))}"


def list_sources(root: Path, *, images: bool = False) -> FolderListing:
    """What is to be indexed under a name: a file, a BEIR folder's corpus, or a folder's files.

    images: image files are among those that are read.
    """
    try:
        is_file = root.is_file()
    except OSError as error:
        # A folder above it may not be entered.
        raise InputError(f"{root} cannot be opened: {error.strerror or error}") from error
    if is_file:
        if listed_name(root, root.parent) != root.name:
            name = listed_name(root, root.parent)
            raise InputError(f"{name} has a name that is not UTF-8", hint="rename it")
        if kind_of(root) is None and not (images and is_image(root)):
            raise InputError(f"{root} is of a kind that is not read here", hint=_readable(images))
        return FolderListing((root,), (), ())
    if not root.exists():
        raise InputError(f"there is no file or folder {root}")
    listing = with_images(list_folder(root)) if images else list_folder(root)
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


def _plan_file(
    plan: Plan,
    ledger: Ledger,
    job: Job,
    known: FileEnd | None,
    widens: Callable[[str], bool],
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
        yield from _plan_rows(plan, ledger, replace(job, sha256=sha256), widens)
        return
    plan.jobs.append(replace(job, sha256=sha256))
    yield _wanted(ledger.entry(name), name, name, sha256)


def _plan_rows(
    plan: Plan, ledger: Ledger, job: Job, widens: Callable[[str], bool]
) -> Iterator[Entry]:
    name = job.file
    todo: set[str] = set()
    seen: set[str] = set()
    broken = False
    for row in RowReader(job.path, name):
        if isinstance(row, ReadFailure):
            broken = True
            continue
        source, content = row_source(name, row), row_hash(row)
        learn_types(own_metadata(row), plan.columns, widens)
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
