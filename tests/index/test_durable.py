"""Acknowledged is durable: whatever a version is made of is on the disk before the ledger names it."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from tests.index import made_index
from tests.index.made_disk import full_after, watch

from biencoder.errors import OutputError
from biencoder.index import durable
from biencoder.index.build import Options
from biencoder.index.compaction import compact
from biencoder.index.rewrite import reindex

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads the names of open files")


def test_indexing_syncs_every_file_and_folder_before_each_acknowledgement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made_index.write_sources(tmp_path / "source")
    disk = watch(tmp_path / "a" / "index", monkeypatch)
    made_index.index(source, tmp_path / "a" / "index")
    assert disk.late == []
    # An empty table, five commits of ten, the full-text index.
    assert disk.acknowledgements >= 7
    made_index.change_sources(source)
    before = disk.acknowledgements
    made_index.index(source, tmp_path / "a" / "index")
    assert disk.late == []
    # What is gone, two commits, the full-text index.
    assert disk.acknowledgements >= before + 4


def test_compacting_and_reindexing_sync_before_each_acknowledgement(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = watch(folder, monkeypatch)
    compact(folder)
    compacted = disk.acknowledgements
    assert compacted >= 3
    reindex(folder, Options(chunk_tokens=100, commit_every=10), embedder=made_index.mini())
    assert disk.acknowledgements >= compacted + 6
    assert disk.late == []


def test_a_run_without_news_syncs_and_writes_nothing(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = watch(folder, monkeypatch)
    made_index.index(source, folder)
    assert (disk.names, disk.acknowledgements) == ([], 0)


def test_the_watch_finds_what_was_not_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made_index.write_sources(tmp_path / "source", count=2)
    disk = watch(tmp_path / "index", monkeypatch)
    monkeypatch.setattr("biencoder.index.writer.sync_new", lambda files, root: None)
    made_index.index(source, tmp_path / "index")
    assert {name.split("/")[2] for name in disk.late if name.count("/") > 2} >= {
        "data",
        "_versions",
    }


def test_the_bytes_are_on_the_disk_before_they_take_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, seen = tmp_path / "facts.json", list[tuple[str, str]]()
    path.write_text('"old"')

    def note(handle: int) -> None:
        synced = Path(f"/proc/self/fd/{handle}").readlink()
        seen.append((synced.name.split("-")[0], json.loads(path.read_text())))

    monkeypatch.setattr(os, "fsync", note)
    durable.write_durably(path, "new")
    assert seen == [(".facts.json.draft", "old"), (tmp_path.name.split("-")[0], "new")]


def test_a_disk_that_refuses_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(os, "fsync", full_after(1, os.fsync))
    with pytest.raises(OutputError, match="No space left"):
        durable.sync_new([tmp_path / "file"], tmp_path)


def test_on_macos_the_drive_s_own_cache_is_passed_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    asked: list[int] = []
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", lambda handle, request: asked.append(request))
    durable.sync_file(tmp_path)
    assert asked == [51]
