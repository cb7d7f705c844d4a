"""Who may only read searches all the same, during a run and after one that was stopped."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.index import made_index
from tests.index.made_disk import full_after, mounted_for_reading, read_only_copy, small_disk

from biencoder import Index
from biencoder.errors import OutputError
from biencoder.index.opened import open_snapshot
from biencoder.index.reader_mirror import ReaderMirrorWarning
from biencoder.index.writer import Writer

ASK = """
import sys
from biencoder import Index
print(Index.open(sys.argv[1]).search("kettle", mode="lexical")[0].id)
"""


class Stopped(Exception):
    """As if the process ended here."""


@pytest.fixture
def scratch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The temporary folder, which everybody may write into."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o777)
        monkeypatch.setattr(tempfile, "tempdir", place)
        yield Path(place)
        monkeypatch.undo()


@pytest.fixture
def bare(folder: Path) -> Path:
    """An index whose acknowledged version has no mirror."""
    shutil.rmtree(made_index.live(folder) / "mirror")
    return folder


def _left(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*")]


def test_a_version_without_a_mirror_is_searched_and_nothing_is_left_behind(
    folder: Path, scratch: Path
) -> None:
    expected = made_index.answers(folder)
    shutil.rmtree(made_index.live(folder) / "mirror")
    copied = shutil.copytree(folder, scratch / "copied")
    with read_only_copy(copied) as copy:
        shutil_left = set(_left(scratch))
        assert made_index.answers(copy) == expected
        assert set(_left(scratch)) == shutil_left
        assert not (made_index.live(copy) / "mirror").exists()


def test_after_a_run_that_was_stopped_its_last_commit_is_searched(
    tmp_path: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, to = made_index.write_sources(tmp_path / "source"), tmp_path / "index"
    made_index.index(source, to)
    made_index.change_sources(source)
    commit, times = Writer.commit, iter(range(2))

    def stopping(*values: object, **more: object) -> None:
        if next(times, None) is None:
            raise Stopped
        commit(*values, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as stopped:
        stopped.setattr(Writer, "commit", stopping)
        with pytest.raises(Stopped):
            made_index.index(source, to)
    known = made_index.acknowledged(made_index.live(to))
    with read_only_copy(to) as copy:
        assert made_index.contents(copy).checksums == known


def test_a_file_system_that_is_mounted_for_reading_is_searched(
    folder: Path, tmp_path: Path
) -> None:
    (best, *_) = Index.open(folder).search("kettle", mode="lexical")
    shutil.rmtree(made_index.live(folder) / "mirror")
    with small_disk(tmp_path / "disk", 8192) as disk:
        shutil.copytree(folder, disk / "index")
        with mounted_for_reading(disk):
            # In a process of its own: LanceDB keeps files open, and the disk is to be let go.
            command = [sys.executable, "-c", ASK, str(disk / "index")]
            asked = subprocess.run(command, capture_output=True, text=True, check=False)
            assert asked.stdout.split() == [best.id], asked.stderr


def test_a_full_disk_keeps_nobody_from_searching(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = made_index.answers(folder)
    shutil.rmtree(made_index.live(folder) / "mirror")
    monkeypatch.setattr("biencoder.index.mirror.sync_new", full_after(0, lambda files, root: None))
    assert made_index.answers(folder) == expected
    assert _left(made_index.live(folder) / "mirror") == []


def test_as_long_as_it_is_used_it_is_not_made_again(bare: Path, scratch: Path) -> None:
    with read_only_copy(bare) as copy:
        first = open_snapshot(copy)
        assert open_snapshot(copy).mirror is first.mirror


def test_where_it_takes_long_one_sentence_says_so(
    bare: Path, scratch: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("biencoder.index.reader_mirror._SLOW_SECONDS", -1.0)
    with (
        read_only_copy(bare) as copy,
        pytest.warns(ReaderMirrorWarning, match=r"s longer, .* until its owner's run ends"),
    ):
        Index.open(copy)


def test_where_nothing_at_all_can_be_written_it_says_what_to_do(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "TemporaryDirectory", full_after(0, dict))
    monkeypatch.setattr("biencoder.index.mirror.sync_new", full_after(0, lambda files, root: None))
    with pytest.raises(OutputError, match=r"nor could it in .*No space left") as refused:
        Index.open(bare)
    assert "TMPDIR" in str(refused.value)
