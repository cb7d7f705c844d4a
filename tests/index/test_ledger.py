"""The account: all of a transaction or nothing, synced; what is damaged is told as damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.index.made_disk import read_only_copy
from tests.index.made_index import damage

from biencoder.errors import IndexDamagedError, OutputError
from biencoder.index.ledger import Entry, FileEnd, Ledger, StoredFile

ENTRIES = [
    Entry("a.md", "a.md", "committed", "h1", "", "h1", 2, "c1"),
    Entry("rows.jsonl#1", "rows.jsonl", "committed", "h2", "", "h2", 1, "c2"),
    Entry("rows.jsonl#2", "rows.jsonl", "failed", "h4", "too odd", "h3", 3, "c3"),
    Entry("b.md", "b.md", "planned", "h5"),
]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    ledger = Ledger(path)
    with ledger.transaction():
        ledger.put(ENTRIES)
        ledger.put_file("a.md", FileEnd("h1", ("a note",)))
        ledger.put_file("rows.jsonl", FileEnd("h9"))
        ledger.set_fact("acknowledged", {"version": 3})
    yield ledger
    ledger.close()


def test_what_is_put_is_read_by_another(ledger: Ledger, path: Path) -> None:
    other = Ledger(path, read_only=True)
    assert list(other.entries()) == sorted(ENTRIES, key=lambda entry: entry.source)
    assert other.entry("b.md") == ENTRIES[3]
    assert other.files() == {"a.md": FileEnd("h1", ("a note",)), "rows.jsonl": FileEnd("h9")}
    assert other.fact("acknowledged") == {"version": 3}
    assert other.fact("unheard of") is None
    other.close()


def test_documents_are_counted_by_state_and_by_what_stands(ledger: Ledger) -> None:
    assert ledger.counts() == {"planned": 1, "embedded": 0, "committed": 2, "failed": 1}
    assert ledger.standing() == (3, 6)
    assert [entry.source for entry in ledger.entries("failed", "planned")] == [
        "b.md",
        "rows.jsonl#2",
    ]
    assert ledger.standing_rows("rows.jsonl#2") == 3
    assert ledger.standing_rows("unheard of") == 0


def test_a_transaction_that_fails_leaves_nothing(ledger: Ledger, path: Path) -> None:
    def broken_off() -> Iterator[Entry]:
        yield Entry("c.md", "c.md", "planned", "h6")
        raise KeyError

    with pytest.raises(KeyError), ledger.transaction():  # noqa: PT012
        ledger.drop(["a.md"])
        ledger.set_fact("acknowledged", {"version": 4})
        ledger.put(broken_off())
    other = Ledger(path, read_only=True)
    assert len(list(other.entries())) == len(ENTRIES)
    assert other.fact("acknowledged") == {"version": 3}
    other.close()


def test_a_file_is_forgotten_with_the_last_of_its_documents(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.drop(["rows.jsonl#1", "unheard of"])
    assert set(ledger.files()) == {"a.md", "rows.jsonl"}
    with ledger.transaction():
        ledger.drop(["a.md", "rows.jsonl#2"])
    assert ledger.files() == {}


def test_versions_and_stored_files_are_replaced_and_forgotten(ledger: Ledger) -> None:
    with ledger.transaction():
        ledger.set_versions([(3, 5), (1, 0)])
        ledger.add_stored([StoredFile("data/x", 10, 1), StoredFile("data/y", 20, 3)])
    assert ledger.versions() == [(1, 0), (3, 5)]
    with ledger.transaction():
        ledger.set_versions([(4, 9)])
        ledger.drop_stored(["data/x"])
        ledger.add_stored([StoredFile("data/y", 21, 4)])
    assert ledger.versions() == [(4, 9)]
    assert ledger.stored() == {"data/y": StoredFile("data/y", 21, 4)}


def test_every_commit_is_synced_and_what_is_deleted_is_overwritten(ledger: Ledger) -> None:
    database = ledger._database
    pragmas = ("journal_mode", "synchronous", "fullfsync", "secure_delete")
    found = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in pragmas]
    assert found == ["wal", 2, 1, 1]  # synchronous 2: FULL


def test_a_full_disk_is_told_and_nothing_is_half_written(ledger: Ledger) -> None:
    # SQLite's own full disk: no page more than there are.
    ledger._database.execute("PRAGMA max_page_count = 1")
    many = (Entry(f"{number}.md", f"{number}.md", "planned", "h" * 64) for number in range(5000))
    with pytest.raises(OutputError, match="full"), ledger.transaction():
        ledger.put(many)
    assert ledger.counts()["planned"] == 1


@pytest.mark.parametrize("read_only", [True, False])
@pytest.mark.parametrize("how", ["half", "filled"])
def test_a_damaged_ledger_is_told_as_damaged(
    ledger: Ledger, path: Path, how: str, read_only: bool
) -> None:
    with ledger.transaction():
        ledger.put(Entry(f"{number}.md", f"{number}.md", "planned", "h") for number in range(500))
    ledger.close()
    damage(path, how)
    with pytest.raises(IndexDamagedError, match="damaged"):
        Ledger(path, read_only=read_only)


def test_an_empty_file_is_no_ledger_for_a_reader(path: Path) -> None:
    path.touch()
    with pytest.raises(IndexDamagedError, match="is empty"):
        Ledger(path, read_only=True)


def test_a_ledger_in_a_folder_that_cannot_be_written_is_read(ledger: Ledger, path: Path) -> None:
    ledger.close()
    with read_only_copy(path.parent) as place:
        other = Ledger(place / path.name, read_only=True)
        assert other.fact("acknowledged") == {"version": 3}
        other.close()
        with pytest.raises(OutputError, match="cannot be used"):
            Ledger(place / path.name)


def test_a_file_system_on_which_sqlite_cannot_share_memory_is_told_and_what_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite's own dot-file locking stands for such a file system: it has no write-ahead log."""
    connect: Any = sqlite3.connect

    def elsewhere(place: str, **options: Any) -> Any:
        return connect(f"{place}&vfs=unix-dotfile", **options)

    monkeypatch.setattr(sqlite3, "connect", elsewhere)
    with pytest.raises(OutputError, match="write-ahead log") as refused:
        Ledger(path)
    assert "keep the index on a local disk" in str(refused.value)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (sqlite3.SQLITE_IOERR_SHMMAP, "keep the index on a local disk"),
        (sqlite3.SQLITE_IOERR_LOCK, "keep the index on a local disk"),
        (sqlite3.SQLITE_PROTOCOL, "keep the index on a local disk"),
        (sqlite3.SQLITE_FULL, "is the disk full"),
        (sqlite3.SQLITE_IOERR_WRITE, "is the disk full"),
    ],
)
def test_how_sqlite_failed_decides_what_to_do(
    path: Path, monkeypatch: pytest.MonkeyPatch, code: int, hint: str
) -> None:
    def fails(*values: object, **more: object) -> None:
        error = sqlite3.OperationalError("disk I/O error")
        error.sqlite_errorcode = code
        raise error

    monkeypatch.setattr(sqlite3, "connect", fails)
    with pytest.raises(OutputError, match="cannot be used: disk I/O error") as refused:
        Ledger(path)
    assert hint in str(refused.value)
