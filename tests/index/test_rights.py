"""A missing right is no damage: it is told who may not do what, nothing is healed, nothing removed."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.index import made_index
from tests.index.made_disk import read_only_copy

from biencoder import Index
from biencoder.errors import OutputError
from biencoder.index.build import Options
from biencoder.index.durable import disk_errors
from biencoder.index.export import export_parquet
from biencoder.index.facts import read_facts
from biencoder.index.layout import Generation, check_place, read_layout
from biencoder.index.ledger import Ledger
from biencoder.index.rewrite import reindex
from biencoder.index.rights import RightsError, check_readable
from biencoder.index.status import read_status
from biencoder.index.verify import verify
from biencoder.index.writer import open_writer

LOOKS: dict[str, Callable[[Path], object]] = {
    "open": Index.open,
    "status": read_status,
    "verify": lambda folder: verify(folder, sample=1),
    "export": lambda folder: export_parquet(folder, folder.parent / "x.parquet"),
}
CLOSED = (
    "g1",
    "g1/ledger.sqlite",
    "g1/chunks.lance",
    "g1/chunks.lance/_versions",
    "index.json",
    ".",
)


@pytest.mark.parametrize("closed", CLOSED)
def test_what_may_not_be_read_is_named_with_its_owner_and_nobody_is_told_to_remove_it(
    folder: Path, closed: str
) -> None:
    with read_only_copy(folder, [closed]) as copy:
        for verb, look in LOOKS.items():
            with pytest.raises(RightsError, match=r"may not be (read|entered) by") as refused:
                look(copy)
            told = str(refused.value)
            assert str(copy if closed == "." else copy / closed) in told, verb
            assert "remove" not in told, verb
            assert "again" not in told, verb
            # What else lies in a folder that may not be entered is nobody's business.
            right = "chmod a+x" if "entered by" in told else "chmod -R a+rX"
            assert f"({right} {copy}" in told, verb


def test_a_folder_that_may_not_be_entered_is_not_taken_for_an_empty_one(folder: Path) -> None:
    with read_only_copy(folder, ["."]) as copy, pytest.raises(RightsError, match="entered by"):
        check_place(copy)


def test_either_copy_of_the_facts_is_enough(folder: Path) -> None:
    with read_only_copy(folder, ["g1/generation.json"]) as copy:
        assert read_status(copy).facts.model == "mini"


def test_facts_that_may_not_be_read_are_not_called_lost(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = read_layout(folder).generation()
    live.ledger.unlink()

    def refuses(path: Path, encoding: str) -> str:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    with monkeypatch.context() as closed:
        closed.setattr(Path, "read_text", refuses)
        with pytest.raises(RightsError, match=r"generation.json may not be read by"):
            read_facts(live)

    def fails(path: Path, encoding: str) -> str:
        raise OSError(errno.EIO, "Input/output error", str(path))

    with monkeypatch.context() as failing:
        failing.setattr(Path, "read_text", fails)
        with pytest.raises(Exception, match="check the disk"):
            read_facts(live)


def test_lexical_search_in_an_index_whose_words_may_not_be_read(folder: Path) -> None:
    with read_only_copy(folder, ["g1/chunks.lance/_indices"]) as copy:
        index = Index.open(copy, embedder=made_index.mini())
        assert index.search("lamp", mode="dense")
        with pytest.raises(RightsError, match="_indices may not be read by"):
            index.search("lamp", mode="lexical")


def test_sources_that_may_not_be_entered_are_not_looked_at_and_the_rest_is_verified(
    folder: Path,
) -> None:
    """They lie in a folder of the test's own user."""
    with read_only_copy(folder) as copy:
        done = verify(copy, sample=1)
    if os.geteuid() == 0:
        assert "Permission denied" in done.sources.not_looked_at
    assert done.ok


@pytest.mark.parametrize("how", ["zero", "half", "filled"])
def test_a_damaged_ledger_of_a_kept_generation_is_told_and_the_live_one_shown(
    folder: Path, how: str
) -> None:
    reindex(folder, Options(chunk_tokens=100), embedder=made_index.mini())
    made_index.damage(folder / "g1" / "ledger.sqlite", how)
    status = read_status(folder)
    assert (status.generation, status.documents, status.damage) == ("g2", 43, "")
    (kept,) = status.kept
    assert (kept.name, kept.model, kept.documents) == ("g1", "mini", 0)
    assert "g1/ledger.sqlite" in kept.damage


def test_a_kept_generation_that_may_not_be_entered_is_told_and_the_live_one_shown(
    folder: Path,
) -> None:
    reindex(folder, Options(chunk_tokens=100), embedder=made_index.mini())
    with read_only_copy(folder, ["g1"]) as copy:
        status = read_status(copy)
        assert (status.generation, status.documents) == ("g2", 43)
        assert "may not be entered by" in status.kept[0].damage


def test_a_missing_right_never_puts_a_ledger_aside(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folder may be written, and the ledger, another's, not even read."""
    live = read_layout(folder).generation()
    access = os.access

    def refuses(*values: object, **more: object) -> None:
        raise sqlite3.OperationalError("unable to open database file")

    with monkeypatch.context() as closed:
        closed.setattr(sqlite3, "connect", refuses)
        closed.setattr(os, "access", lambda path, mode: path != live.ledger and access(path, mode))
        for read_only in (False, True):
            with pytest.raises(RightsError, match=r"ledger.sqlite may not be read by"):
                Ledger(live.ledger, read_only=read_only)
        with pytest.raises(RightsError), open_writer(live, 384):
            raise AssertionError("it was opened")
    assert not (live.folder / "lost").exists()
    assert made_index.acknowledged(live.folder)


def test_a_file_of_the_table_that_a_writer_may_not_read_is_not_taken_for_damage(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One run of another user left it closed: what that run acknowledged is not given up."""
    live = read_layout(folder).generation()
    before = made_index.contents(folder)
    closed, access = next((live.table / "data").iterdir()), os.access
    with monkeypatch.context() as other:
        other.setattr("biencoder.index.recovery.is_whole", lambda path, size: path != closed)
        other.setattr(os, "access", lambda path, mode: path != closed and access(path, mode))
        told = rf"{closed.name} may not be read by"
        with pytest.raises(RightsError, match=told), open_writer(live, 384):
            raise AssertionError("it was opened")
    assert made_index.contents(folder) == before
    assert not live.quarantine.exists()


def test_what_is_not_there_is_no_matter_of_rights(tmp_path: Path) -> None:
    check_readable(tmp_path, tmp_path / "nothing", Generation(tmp_path / "g1").table)


@pytest.mark.parametrize(
    ("code", "hint"),
    [
        (errno.EACCES, "ask its owner"),
        (errno.EPERM, "ask its owner"),
        (errno.EROFS, "mounted for reading only"),
        (errno.ENOSPC, "is the disk full"),
    ],
)
def test_why_it_could_not_be_written_decides_what_to_do(
    tmp_path: Path, code: int, hint: str
) -> None:
    with pytest.raises(OutputError) as refused, disk_errors(tmp_path):
        raise OSError(code, os.strerror(code))
    assert hint in str(refused.value)
