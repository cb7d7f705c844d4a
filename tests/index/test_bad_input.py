"""Bad input and a bad disk: told in one sentence, nothing acknowledged lost, the next run goes on."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.index import made_index
from tests.index.made_disk import full_after, read_only_copy

from biencoder import Index
from biencoder.errors import IndexDamagedError, InputError, OutputError
from biencoder.index.compaction import compact
from biencoder.index.ledger import Ledger
from biencoder.index.store import Store


def test_a_file_that_was_away_and_is_back_is_found_again(tmp_path: Path) -> None:
    source, to = made_index.write_sources(tmp_path / "source", count=3), tmp_path / "index"
    made_index.index(source, to)
    expected = made_index.contents(to)
    for name in ("page-001.md", "rows.jsonl"):
        text = (source / name).read_bytes()
        (source / name).unlink()
        made_index.index(source, to)
        assert made_index.contents(to) != expected
        (source / name).write_bytes(text)
        made_index.index(source, to)
        assert made_index.contents(to) == expected


@pytest.mark.parametrize("vanished", ["gone", "empty", "unreadable kinds only"])
def test_a_source_that_vanished_removes_nothing(tmp_path: Path, vanished: str) -> None:
    source, to = made_index.write_sources(tmp_path / "source", count=3), tmp_path / "index"
    made_index.index(source, to)
    expected = made_index.contents(to)
    shutil.rmtree(source)
    if vanished != "gone":
        source.mkdir()
    if vanished == "unreadable kinds only":
        (source / "photo.jpg").write_bytes(b"...")
    with pytest.raises(InputError):
        made_index.index(source, to)
    assert made_index.contents(to) == expected


def test_the_index_of_another_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    other = made_index.write_sources(tmp_path / "other", count=2)
    expected = made_index.contents(folder)
    with pytest.raises(InputError, match="is the index of"):
        made_index.index(other, folder)
    assert made_index.contents(folder) == expected


def test_a_folder_that_cannot_be_written_is_told(source: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        made_index.index(source, tmp_path / "file" / "index")


def test_an_index_that_may_only_be_read_is_searched_and_left_as_it_is(folder: Path) -> None:
    expected = made_index.answers(folder)
    with read_only_copy(folder) as copy:
        assert made_index.answers(copy) == expected
        with pytest.raises(OutputError, match="cannot be written"):
            compact(copy)


def test_damage_in_an_index_that_may_only_be_read_is_told(folder: Path) -> None:
    for manifest in (made_index.live(folder) / "chunks.lance" / "_versions").glob("*.manifest"):
        made_index.damage(manifest, "zero")
    with read_only_copy(folder) as copy:  # noqa: SIM117
        with pytest.raises(IndexDamagedError, match="cannot be put right here"):
            Index.open(copy)


def test_ctrl_c_in_the_middle_of_a_commit_waits_for_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, to = made_index.write_sources(tmp_path / "source"), tmp_path / "index"
    add, presses = Store.add, iter([True])

    def pressed(store: Store, rows: Any) -> None:
        add(store, rows)
        if next(presses, False):
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Store, "add", pressed)
    # A process that a shell put into the background has it ignored from its birth.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            made_index.index(source, to)
    finally:
        signal.signal(signal.SIGINT, before)
    stopped = made_index.contents(to)
    assert len(set(stopped.ids)) == len(stopped.ids) > 0
    assert stopped.checksums == made_index.acknowledged(made_index.live(to))
    made_index.index(source, to)
    assert len(made_index.contents(to).checksums) == 42


def _fill_rows(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from lancedb.table import LanceTable

    monkeypatch.setattr(LanceTable, "add", full_after(times, LanceTable.add))


def _fill_syncs(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", full_after(10 * times, os.fsync))


def _fill_words(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    from lancedb.table import LanceTable

    monkeypatch.setattr(LanceTable, "create_index", full_after(0, LanceTable.create_index))


def _fill_ledger(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = full_after(times, Ledger.add_stored)

    def add_stored(*values: Any) -> None:
        try:
            limited(*values)
        except OSError as error:
            raise sqlite3.OperationalError("database or disk is full") from error

    monkeypatch.setattr(Ledger, "add_stored", add_stored)


def _fill_mirror(times: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("biencoder.index.mirror.sync_new", full_after(0, lambda files, root: None))


@pytest.mark.parametrize("fill", [_fill_rows, _fill_syncs, _fill_words, _fill_ledger, _fill_mirror])
@pytest.mark.parametrize("times", [1, 3])
def test_on_a_full_disk_nothing_acknowledged_is_lost_and_the_next_run_goes_on(
    source: Path,
    tmp_path: Path,
    whole: made_index.Contents,
    fill: Callable[[int, pytest.MonkeyPatch], None],
    times: int,
) -> None:
    to = tmp_path / "filled"
    with pytest.MonkeyPatch.context() as disk:
        fill(times, disk)
        with pytest.raises(OutputError, match=r"full|No space"):
            made_index.index(source, to)
    known = made_index.acknowledged(made_index.live(to))
    copy = shutil.copytree(to, tmp_path / "copy")
    assert made_index.contents(copy).checksums == known
    tally = made_index.index(source, to)
    assert tally.documents == 43 - len(known)
    assert made_index.contents(to) == whole
