"""The one who changes a generation: every commit is on the disk before it is acknowledged.

The order of a commit, which `recovery.py` relies on:
1. the ledger notes its documents as embedded;
2. the table loses the rows of documents that changed or are gone, and gets the new rows;
3. every file that this made is synced, those of its pages too, and the folders above it;
4. the ledger, in one synced transaction, names the table's version and the documents as committed.
A reader looks only at the version that the ledger names.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa

from biencoder.index import store as stores
from biencoder.index.durable import disk_errors, sync_file, sync_new
from biencoder.index.filter_check import ColumnType
from biencoder.index.lance import give_back_memory
from biencoder.index.layout import Generation
from biencoder.index.ledger import Entry, FileEnd, Ledger, StoredFile
from biencoder.index.page_files import PageFiles
from biencoder.index.recovery import recover
from biencoder.index.rows import CORE, INNER
from biencoder.index.store import Store
from biencoder.index.table_files import HINT, manifest_name, table_files

ACKNOWLEDGED = "acknowledged"
# LanceDB plans a list of sources as one expression.
_SOURCES_AT_ONCE = 2_000
# Should the newest files be damaged, this many commits can be gone back. Rows are never removed before
# a compaction, so an old version is one small file; full-text indices are large, and soon made.
_KEPT_VERSIONS = 8
_KEPT_INDICES = 2


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of whole documents and their entries for the ledger, as they are when committed.

    pages: the ids of the rows that are pages; their files are written already.
    """

    entries: Sequence[Entry]
    table: pa.Table
    pages: Sequence[str] = ()


class Writer:
    """An open generation; use `open_writer`."""

    def __init__(self, generation: Generation, ledger: Ledger, store: Store) -> None:
        self.generation, self.ledger, self.store = generation, ledger, store
        self.pages = PageFiles(generation.pages)
        self._stored = ledger.stored()

    @property
    def version(self) -> int:
        """The acknowledged version."""
        return int(self.ledger.fact(ACKNOWLEDGED)["version"])

    @property
    def columns(self) -> dict[str, ColumnType]:
        """The columns of metadata that the table has."""
        return metadata_columns(self.store.schema)

    def widens(self, column: str) -> bool:
        """Whether a column could hold fractions and lose nothing; one that is not there yet can."""
        return self.columns.get(column) != "integer" or not self.store.holds_large(column)

    def plan(self, entries: Iterable[Entry]) -> None:
        """Note what is wanted before the work on it begins."""
        with self.ledger.transaction():
            self.ledger.put(entries)

    def commit(
        self,
        rows: Rows,
        *,
        gone: Sequence[str] = (),
        failed: Sequence[Entry] = (),
        ends: Mapping[str, FileEnd] | None = None,
    ) -> None:
        """Store documents and remove others: when this returns, both are on the disk.

        failed: documents that cannot be stored; what stands of them from before stays. ends: files
        that were read to their end.
        """
        with unbroken():
            before = [self._standing(entry) for entry in rows.entries]
            with self.ledger.transaction():
                self.ledger.put(before)
            stale = [entry.source for entry in before if entry.sha256]
            leaving = [source for source in gone if self.ledger.standing_rows(source)]
            self._delete([*stale, *leaving])
            if rows.table.num_rows:
                self._add(rows.table)
            refused = [
                replace(self._standing(entry), state="failed", reason=entry.reason)
                for entry in failed
            ]
            self.acknowledge([*rows.entries, *refused], gone, ends or {}, rows.pages)

    def copy(self, rows: pa.Table) -> None:
        """Rows of another table with the same vectors; they count once acknowledged."""
        self._add(rows)

    def acknowledge(
        self,
        entries: Iterable[Entry] = (),
        gone: Sequence[str] = (),
        ends: Mapping[str, FileEnd] | None = None,
        pages: Iterable[str] = (),
    ) -> None:
        """Sync what the table's newest version is made of, then name that version in the ledger.

        pages: ids of rows whose files are new.
        """
        version = self.store.version
        fresh = self._unsynced(version)
        folder = self.generation.table
        hint = [folder / HINT] if (folder / HINT).exists() else []
        sync_new([*(folder / file.path for file in fresh), *hint], self.generation.folder)
        self.pages.sync(pages, self.generation.folder)
        kept = [pair for pair in self.ledger.versions() if pair[0] < version]
        with self.ledger.transaction():
            self.ledger.put(entries)
            self.ledger.drop(gone)
            for file, end in (ends or {}).items():
                self.ledger.put_file(file, end)
            self.ledger.add_stored(fresh)
            self.ledger.set_versions([*kept, (version, self.store.rows())])
            self.ledger.set_fact(ACKNOWLEDGED, {"version": version})
        self._stored |= {file.path: file for file in fresh}

    def finish(self) -> None:
        """The indices over all rows, old versions away: the run may report done."""
        give_back_memory()
        if self.store.rows() and not self.store.words_complete():
            self.store.build_words()
            self.acknowledge()
        if self.store.rows() > stores.EXACT_ROWS and not self.store.covers(stores.VECTOR):
            self.store.build_vectors()
            self.acknowledge()
        self._forget_old_versions()
        self._sweep_pages()

    def _sweep_pages(self) -> None:
        """Files of pages that left; those of documents that are not done yet wait for the next run."""
        counts = self.ledger.counts()
        if self.generation.pages.exists() and not (counts["planned"] or counts["embedded"]):
            self.pages.sweep(self.store.ids())

    def _standing(self, entry: Entry) -> Entry:
        """A document that is about to be stored, with the rows that stand so far."""
        before = self.ledger.entry(entry.source) or replace(entry, sha256="", chunks=0, checksum="")
        return replace(before, state="embedded", wanted=entry.wanted, reason="")

    def _add(self, table: pa.Table) -> None:
        new, there = metadata_columns(table.schema), self.columns
        missing = {name: kind for name, kind in new.items() if name not in there}
        if missing:
            self.store.add_columns(missing)
        # The plan saw a fraction where the table has whole numbers so far.
        narrow = [n for n, kind in new.items() if (kind, there.get(n)) == ("number", "integer")]
        if narrow:
            self.store.widen(narrow)
        self.store.add(_widened(table, self.store.schema))

    def _delete(self, sources: Sequence[str]) -> None:
        for start in range(0, len(sources), _SOURCES_AT_ONCE):
            self.store.delete_sources(sources[start : start + _SOURCES_AT_ONCE])

    def _unsynced(self, version: int) -> list[StoredFile]:
        """Files that no acknowledged version had."""
        return [
            StoredFile(name, path.stat().st_size, version)
            for name, path in table_files(self.generation.table)
            if name not in self._stored
        ]

    def _forget_old_versions(self) -> None:
        """Old manifests and full-text indices go; those of the newest acknowledged versions stay."""
        versions = self.ledger.versions()
        kept, old = versions[-_KEPT_VERSIONS:], versions[:-_KEPT_VERSIONS]
        least = kept[0][0]
        folders = set[str]()
        for version, _ in kept[-_KEPT_INDICES:]:
            folders |= Store.open(self.generation.folder, version).index_folders()
        doomed = [
            path
            for path in self._stored
            if _is_old_manifest(path, least)
            or (path.startswith("_indices/") and path.split("/")[1] not in folders)
        ]
        if not doomed and not old:
            return
        # The ledger first: a file that it names and that is missing would count as damage.
        with self.ledger.transaction():
            self.ledger.drop_stored(doomed)
            self.ledger.set_versions(kept)
        with disk_errors(self.generation.table):
            for path in doomed:
                self._stored.pop(path)
                (self.generation.table / path).unlink(missing_ok=True)
            _remove_empty_folders(self.generation.table / "_indices")


@contextmanager
def open_writer(
    generation: Generation, dimensions: int, *, start_anew: bool = True
) -> Iterator[Writer]:
    """A generation to be written, healed first if the last writer did not come to its end.

    The caller holds the index's lock. start_anew: as in `recover`.
    """
    ledger, store = recover(generation, dimensions, start_anew=start_anew)
    try:
        writer = Writer(generation, ledger, store)
        if ledger.fact(ACKNOWLEDGED) is None:
            writer.acknowledge()
        yield writer
    finally:
        ledger.close()


@contextmanager
def unbroken() -> Iterator[None]:
    """Ctrl-C waits until the block is done.

    LanceDB writes in a thread of its own and would go on while the caller believes it stopped.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python gives Ctrl-C to the main thread only
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)


def metadata_columns(shape: pa.Schema) -> dict[str, ColumnType]:
    """The columns of a schema that came from metadata."""
    kinds: Mapping[pa.DataType, ColumnType] = {
        pa.string(): "text",
        pa.int64(): "integer",
        pa.float64(): "number",
        pa.bool_(): "boolean",
    }
    own = {*CORE, *INNER}
    return {field.name: kinds[field.type] for field in shape if field.name not in own}


def _widened(table: pa.Table, shape: pa.Schema) -> pa.Table:
    """The rows with every column of the table, in its order."""
    columns = [
        table[field.name] if field.name in table.column_names else pa.nulls(len(table), field.type)
        for field in shape
    ]
    return pa.table(columns, schema=shape)


def _is_old_manifest(path: str, least: int) -> bool:
    return path.startswith("_versions/") and path > manifest_name(least)


def _remove_empty_folders(folder: Path) -> None:
    if folder.is_dir():
        for path in folder.iterdir():
            if path.is_dir() and not any(path.iterdir()):
                path.rmdir()
        sync_file(folder)
