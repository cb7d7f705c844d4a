"""One writer at a time: the second is refused at once and told who; a dead one holds nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from biencoder.errors import LockedError, OutputError
from biencoder.index.lock import reading_alone, writing

HOLDER = """
import sys, time
from pathlib import Path
from biencoder.index.lock import writing
with writing(Path(sys.argv[1]), verb="compact"):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def _holder(path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def test_a_second_writer_is_refused_at_once_and_told_who_holds_it_until_that_one_is_killed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "index" / "lock"
    with _holder(path) as process:
        began = time.monotonic()
        expected = rf"`biencoder compact`, process {process.pid} on \S+, since 2\d{{3}}-"
        with pytest.raises(LockedError, match=expected), writing(path, verb="index"):
            raise AssertionError("two writers")
        assert time.monotonic() - began < 1
        process.kill()
        process.wait()
        with writing(path, verb="index"):
            assert re.search('"verb": "index"', path.read_text())


@pytest.mark.parametrize("another", [False, True])
def test_a_lock_file_that_was_removed_before_it_could_be_locked_locks_nobody_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, another: bool
) -> None:
    path, real = tmp_path / "lock", fcntl.flock
    removed: list[Path] = []

    def late(handle: int, kind: int) -> None:
        if not removed:
            path.unlink()
            removed.append(path)
            if another:
                path.write_text("")
        real(handle, kind)

    monkeypatch.setattr(fcntl, "flock", late)
    with writing(path, verb="index"):
        assert removed
        with pytest.raises(LockedError, match="`biencoder index`"), writing(path, verb="compact"):
            raise AssertionError("two writers")


def test_a_file_system_that_gives_each_look_another_file_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os.path, "samestat", lambda one, other: False)
    lock = writing(tmp_path / "lock", verb="index")
    with pytest.raises(OutputError, match="locks nobody out") as told, lock:
        raise AssertionError("it was locked")
    assert "local disk" in str(told.value)


def test_a_holder_that_has_not_signed_yet_is_told_as_such(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    for signature in (b"", b"[]", b"\xff", b"3"):
        with writing(path, verb="index"):
            path.write_bytes(signature)
            with pytest.raises(LockedError, match="not signed yet"), writing(path, verb="index"):
                raise AssertionError("two writers")


def test_the_lock_is_given_back_when_the_block_fails(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(KeyError), writing(tmp_path / "lock", verb="index"):
            raise KeyError


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):  # noqa: SIM117
        with writing(tmp_path / "file" / "index" / "lock", verb="index"):
            raise AssertionError("there is no such folder")


def test_a_full_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*values: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OutputError, match="No space left"):  # noqa: SIM117
        with writing(tmp_path / "lock", verb="index"):
            raise AssertionError("it could not be signed")


def test_the_names_of_new_folders_are_synced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[Path] = []

    def note(handle: int) -> None:
        synced.append(Path(f"/proc/self/fd/{handle}").readlink())

    monkeypatch.setattr(os, "fsync", note)
    with writing(tmp_path / "a" / "b" / "lock", verb="index"):
        assert {tmp_path, tmp_path / "a"} <= set(synced)


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
@pytest.mark.parametrize("lock", [writing, reading_alone])
def test_a_file_system_without_locks_is_told_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, lock: Callable[..., Any]
) -> None:
    def refuses(handle: int, kind: int) -> None:
        raise OSError(code, os.strerror(code))

    (tmp_path / "lock").touch()
    monkeypatch.setattr(fcntl, "flock", refuses)
    with pytest.raises(OutputError, match="without locks") as refused:  # noqa: SIM117
        with lock(tmp_path / "lock", verb="index"):
            raise AssertionError("it is not held")
    assert "keep the index on a local disk" in str(refused.value)


def test_another_error_of_locking_is_not_taken_for_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuses(handle: int, kind: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuses)
    with pytest.raises(OutputError, match="could not be written: Input/output error"):  # noqa: SIM117
        with writing(tmp_path / "lock", verb="index"):
            raise AssertionError("it is not held")
