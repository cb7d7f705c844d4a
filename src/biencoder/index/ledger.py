"""The account of an index: which documents stand in it, which were planned, which failed and why.

SQLite in WAL mode with full syncs: what is acknowledged here outlives a power cut. The table's files
are synced before (see `durable.py`), so the ledger never names a version that the disk may lose.

A document is planned, then embedded (its rows are being handed to the table), then committed (the
rows are on the disk and acknowledged), or failed with a reason. What stands in the acknowledged
version (``sha256``, ``chunks``, ``checksum``) is kept apart from what is wanted (``state``).
"""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

from biencoder.errors import IndexDamagedError, OutputError
from biencoder.index.durable import LOCAL_DISK
from biencoder.index.rights import check_readable, is_there

State: TypeAlias = Literal["planned", "embedded", "committed", "failed"]
STATES: tuple[State, ...] = get_args(State)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS documents (
    source TEXT PRIMARY KEY,
    file TEXT NOT NULL,
    state TEXT NOT NULL,
    wanted TEXT NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    sha256 TEXT NOT NULL DEFAULT '',
    chunks INTEGER NOT NULL DEFAULT 0,
    checksum TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS documents_by_file ON documents (file);
CREATE INDEX IF NOT EXISTS documents_by_state ON documents (state);
CREATE TABLE IF NOT EXISTS files (
    file TEXT PRIMARY KEY, sha256 TEXT NOT NULL, notes TEXT NOT NULL DEFAULT '[]'
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS versions (
    version INTEGER PRIMARY KEY, rows INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS stored (
    path TEXT PRIMARY KEY, size INTEGER NOT NULL, version INTEGER NOT NULL
) WITHOUT ROWID;
"""
_TABLES = "SELECT count(*) FROM sqlite_master WHERE name = 'facts'"
# Where SQLite fails on a file system whose files cannot be locked, or mapped by several at once.
_NO_SHARING = (
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_IOERR_LOCK,
    sqlite3.SQLITE_IOERR_RDLOCK,
    sqlite3.SQLITE_IOERR_SHMLOCK,
    sqlite3.SQLITE_IOERR_SHMMAP,
    sqlite3.SQLITE_IOERR_SHMOPEN,
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One document. wanted: the content that should stand in the index; sha256: the one that does.

    reason: why it failed; of one that stands, what to know of it. chunks and checksum: of the rows that
    stand there; empty where none do.
    """

    source: str
    file: str
    state: State
    wanted: str
    reason: str = ""
    sha256: str = ""
    chunks: int = 0
    checksum: str = ""


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of the table as it was when synced; version: the first acknowledged one that had it."""

    path: str
    size: int
    version: int


@dataclass(frozen=True, slots=True)
class FileEnd:
    """A file was read to its end."""

    sha256: str
    notes: tuple[str, ...] = ()


class Ledger:
    """One open ledger file. Every method that writes is one transaction, synced when it returns."""

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._database = _open(path, read_only)

    def close(self) -> None:
        """Fold the write-ahead log in and let go of the file."""
        self._database.close()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All writes of the block together, or none."""
        with _told(self.path), self._database:
            self._database.execute("BEGIN IMMEDIATE")
            yield

    def fact(self, name: str) -> Any:
        """A named value, or None."""
        row = self._one("SELECT value FROM facts WHERE name = ?", (name,))
        return None if row is None else json.loads(row[0])

    def set_fact(self, name: str, value: object) -> None:
        """Write a named value; inside a `transaction`."""
        text = json.dumps(value, ensure_ascii=True, sort_keys=True)
        self._database.execute("REPLACE INTO facts VALUES (?, ?)", (name, text))

    def entry(self, source: str) -> Entry | None:
        """A document by its source."""
        row = self._one(f"SELECT {_COLUMNS} FROM documents WHERE source = ?", (source,))
        return None if row is None else Entry(*row)

    def entries(self, *states: State) -> Iterator[Entry]:
        """Documents in these states (in any, if none is given), by source."""
        chosen = states or STATES
        marks = ",".join("?" * len(chosen))
        query = f"SELECT {_COLUMNS} FROM documents WHERE state IN ({marks}) ORDER BY source"
        with closing(self._database.execute(query, chosen)) as rows:
            yield from (Entry(*row) for row in rows)

    def entries_of(self, file: str) -> list[Entry]:
        """The documents that one file holds, by source."""
        query = f"SELECT {_COLUMNS} FROM documents WHERE file = ? ORDER BY source"
        return [Entry(*row) for row in self._database.execute(query, (file,))]

    def remarked(self) -> dict[str, str]:
        """Documents that stand, and what to know of them, by source."""
        query = "SELECT source, reason FROM documents WHERE state = 'committed' AND reason != ''"
        return dict(self._database.execute(f"{query} ORDER BY source"))

    def counts(self) -> dict[State, int]:
        """Documents by state."""
        rows = dict(self._database.execute("SELECT state, count(*) FROM documents GROUP BY state"))
        return {state: rows.get(state, 0) for state in STATES}

    def standing(self) -> tuple[int, int]:
        """Documents and chunks that stand in the acknowledged version."""
        row = self._one("SELECT count(*), sum(chunks) FROM documents WHERE sha256 != ''")
        assert row is not None
        return row[0], row[1] or 0

    def standing_rows(self, source: str) -> int:
        """How many rows of a document stand in the acknowledged version."""
        entry = self.entry(source)
        return 0 if entry is None else entry.chunks

    def put(self, entries: Iterable[Entry]) -> None:
        """Write documents as given; inside a `transaction`."""
        marks = ",".join("?" * len(_FIELDS))
        rows = (tuple(getattr(entry, field) for field in _FIELDS) for entry in entries)
        self._database.executemany(f"REPLACE INTO documents ({_COLUMNS}) VALUES ({marks})", rows)

    def drop(self, sources: Sequence[str]) -> None:
        """Forget documents, and the files that hold no other; inside a `transaction`."""
        for source in sources:
            entry = self.entry(source)
            self._database.execute("DELETE FROM documents WHERE source = ?", (source,))
            # A file that comes back must count as new.
            if entry is not None and not self._holds_documents(entry.file):
                self.drop_files([entry.file])

    def files(self) -> dict[str, FileEnd]:
        """Every source file that was read to its end."""
        rows = self._database.execute("SELECT file, sha256, notes FROM files")
        return {file: FileEnd(sha256, tuple(json.loads(notes))) for file, sha256, notes in rows}

    def put_file(self, file: str, end: FileEnd) -> None:
        """Note that a file was read to its end; inside a `transaction`."""
        text = json.dumps(end.notes)
        self._database.execute("REPLACE INTO files VALUES (?, ?, ?)", (file, end.sha256, text))

    def drop_files(self, files: Iterable[str]) -> None:
        """Forget files; inside a `transaction`."""
        rows = ((file,) for file in files)
        self._database.executemany("DELETE FROM files WHERE file = ?", rows)

    def versions(self) -> list[tuple[int, int]]:
        """Acknowledged versions of the table that are still kept, with their rows, ascending."""
        return list(self._database.execute("SELECT version, rows FROM versions ORDER BY version"))

    def set_versions(self, versions: Iterable[tuple[int, int]]) -> None:
        """Replace the list of kept versions; inside a `transaction`."""
        self._database.execute("DELETE FROM versions")
        self._database.executemany("INSERT INTO versions VALUES (?, ?)", versions)

    def stored(self) -> dict[str, StoredFile]:
        """Every synced file of the table."""
        rows = self._database.execute("SELECT path, size, version FROM stored")
        return {path: StoredFile(path, size, version) for path, size, version in rows}

    def add_stored(self, files: Iterable[StoredFile]) -> None:
        """Note files as synced; inside a `transaction`."""
        rows = ((file.path, file.size, file.version) for file in files)
        self._database.executemany("REPLACE INTO stored VALUES (?, ?, ?)", rows)

    def drop_stored(self, paths: Iterable[str]) -> None:
        """Forget files that were removed on purpose; inside a `transaction`."""
        rows = ((path,) for path in paths)
        self._database.executemany("DELETE FROM stored WHERE path = ?", rows)

    def _holds_documents(self, file: str) -> bool:
        return self._one("SELECT 1 FROM documents WHERE file = ? LIMIT 1", (file,)) is not None

    def _one(self, query: str, values: Sequence[object] = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._database.execute(query, values).fetchone()
        return row


_FIELDS = tuple(Entry.__dataclass_fields__)
_COLUMNS = ", ".join(_FIELDS)


def _open(path: Path, read_only: bool) -> sqlite3.Connection:
    with _told(path):
        database = _connect(path, "ro" if read_only else "rwc")
        try:
            if not read_only:
                _log_ahead(database, path)
                database.execute("PRAGMA synchronous = FULL")
                # On macOS a plain sync stops at the drive's own cache.
                database.execute("PRAGMA fullfsync = ON")
                database.execute("PRAGMA secure_delete = ON")
                # All tables or none: a kill must not leave half of them.
                database.executescript(f"BEGIN; {_SCHEMA} COMMIT;")
            if database.execute("PRAGMA quick_check").fetchone() != ("ok",):
                raise IndexDamagedError(f"{path} is damaged")
            if not database.execute(_TABLES).fetchone()[0]:
                raise IndexDamagedError(f"{path} is empty")
        except BaseException:
            database.close()
            raise
    return database


def _log_ahead(database: sqlite3.Connection, path: Path) -> None:
    (mode,) = database.execute("PRAGMA journal_mode = WAL").fetchone()
    # SQLite goes on with another, under which a reader would wait for the writer.
    if mode != "wal":
        raise OutputError(f"{path} cannot have a write-ahead log there", hint=LOCAL_DISK)


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    place = path.absolute().as_uri()
    # Where nothing can be written, SQLite cannot share a file, and need not: no writer is at work.
    alone = mode == "ro" and not os.access(path.parent, os.W_OK)
    logged = is_there(_log(path))
    query = "?immutable=1" if alone and not logged else f"?mode={mode}"
    return sqlite3.connect(place + query, uri=True, isolation_level=None, check_same_thread=False)


def _log(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """SQLite's errors in this library's words."""
    try:
        yield
    except sqlite3.OperationalError as error:
        check_readable(path, _log(path))
        raise OutputError(
            f"{path} cannot be used: {error}",
            hint=_hint(getattr(error, "sqlite_errorcode", 0), path),
        ) from error
    except sqlite3.DatabaseError as error:
        raise IndexDamagedError(f"{path} is damaged: {error}") from error


def _hint(code: int, path: Path) -> str:
    if code in _NO_SHARING:
        return LOCAL_DISK
    if not os.access(path.parent, os.W_OK):
        return f"{path.parent} may not be written into: run this as its owner"
    return "is the disk full or the folder read-only?"
