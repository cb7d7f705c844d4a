"""Compaction and re-embedding: all of it or the old one, and what was deleted is gone to the byte."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.index import made_index

from biencoder import Index
from biencoder.errors import InputError, LockedError, OutputError
from biencoder.index.build import Options
from biencoder.index.compaction import compact
from biencoder.index.layout import read_layout
from biencoder.index.ledger import Ledger
from biencoder.index.lock import writing
from biencoder.index.rewrite import reindex
from biencoder.index.store import Store
from biencoder.index.table_files import RecoveryWarning

SECRET = "zanzibarquartz"
OTHER = Options(chunk_tokens=100, commit_every=10)


class Stopped(Exception):
    """As if the process ended here."""


def _stop(*values: Any) -> None:
    raise Stopped


def test_compaction_keeps_every_passage_and_leaves_one_piece(source: Path, folder: Path) -> None:
    before = made_index.contents(folder)
    done = compact(folder)
    assert made_index.contents(folder) == before
    assert done.chunks == len(before.ids)
    assert done.bytes_after < done.bytes_before
    store = Store.open(made_index.live(folder))
    assert (store.fragments(), store.words_complete()) == (1, True)
    assert {path.name for path in folder.iterdir()} == {"g2", "index.json", "lock"}
    tally = made_index.index(source, folder)
    assert (tally.documents, tally.unchanged) == (0, len(before.checksums))


@pytest.mark.parametrize("reindexed", [False, True])
def test_purging_leaves_no_byte_of_a_deleted_text(tmp_path: Path, reindexed: bool) -> None:
    source, to = made_index.write_sources(tmp_path / "source", count=4), tmp_path / "index"
    secret = source / "page-secret.md"
    secret.write_text(f"# {SECRET}\n\nThe {SECRET} stands in the cellar.")
    (source / "more.jsonl").write_text(
        f'{{"id": "a", "text": "A {SECRET} again.", "note": "{SECRET}"}}'
    )
    made_index.index(source, to)
    if reindexed:
        reindex(to, OTHER, embedder=made_index.mini())
    # What recovery puts aside holds the text too.
    Store.open(made_index.live(to)).delete_sources(["page-000.md"])
    made_index.index(source, to)
    secret.unlink()
    (source / "more.jsonl").unlink()
    made_index.index(source, to)
    held = made_index.holds_bytes(to, SECRET.encode())
    assert any(name.endswith(".lance") for name in held), "deleting alone leaves the bytes"
    compact(to, purge=True)
    assert made_index.holds_bytes(to, SECRET.encode()) == []
    assert made_index.holds_bytes(to, b"page-secret") == []
    assert made_index.contents(to).checksums.keys() >= {"page-000.md", "rows.jsonl#r1"}


def test_a_kept_generation_outlives_a_compaction_but_not_a_purge(folder: Path) -> None:
    reindex(folder, OTHER, embedder=made_index.mini())
    compact(folder)
    assert read_layout(folder).kept == ("g1",)
    assert (folder / "g1" / "ledger.sqlite").exists()
    compact(folder, purge=True)
    assert {path.name for path in folder.iterdir()} == {"g4", "index.json", "lock"}


def test_until_the_swap_everybody_sees_the_old_generation(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made_index.contents(folder)
    monkeypatch.setattr("biencoder.index.building.make_mirror", _stop)
    for work in (
        lambda: compact(folder),
        lambda: reindex(folder, OTHER, embedder=made_index.mini()),
    ):
        with pytest.raises(Stopped):
            work()
        assert read_layout(folder).building is not None
        assert made_index.contents(folder) == before


def test_a_reindexing_that_was_stopped_goes_on_and_does_nothing_twice(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = shutil.copytree(folder, folder.with_name("undisturbed"))
    reindex(undisturbed, OTHER, embedder=made_index.mini())
    with monkeypatch.context() as stopped:
        adds = iter([Store.add, Store.add])
        stopped.setattr(Store, "add", lambda store, rows: next(adds, _stop)(store, rows))
        with pytest.raises(Stopped):
            reindex(folder, OTHER, embedder=made_index.mini())
    known = made_index.acknowledged(folder / "g2")
    assert len(known) == 20
    tally = reindex(folder, OTHER, embedder=made_index.mini())
    assert (tally.documents, tally.unchanged) == (23, 20)
    assert made_index.contents(folder) == made_index.contents(undisturbed)
    assert (read_layout(folder).live, read_layout(folder).kept) == ("g2", ("g1",))


def test_other_work_is_not_gone_on_with(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr("biencoder.index.building.make_mirror", _stop)
        with pytest.raises(Stopped):
            reindex(folder, OTHER, embedder=made_index.mini())
    with pytest.warns(RecoveryWarning, match="given up: 43 documents of it are dropped"):
        tally = reindex(
            folder, Options(chunk_tokens=90, commit_every=10), embedder=made_index.mini()
        )
    assert tally.documents == 43
    assert Index.open(folder, embedder=made_index.mini()).facts.chunk_tokens == 90
    assert {path.name for path in folder.iterdir()} == {"g1", "g2", "index.json", "lock"}


def test_a_compaction_does_not_throw_away_a_re_embedding_that_is_half_done(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr("biencoder.index.building.make_mirror", _stop)
        with pytest.raises(Stopped):
            reindex(folder, OTHER, embedder=made_index.mini())
    with pytest.raises(InputError, match="half done") as refused:
        compact(folder)
    # With the settings that it was begun with: with others it would be given up.
    assert f"reindex {folder} --model mini --chunk-tokens 100;" in str(refused.value)
    assert len(made_index.acknowledged(folder / "g2")) == 43
    with pytest.warns(RecoveryWarning, match="given up: 43 documents of it are dropped"):
        compact(folder, purge=True)
    assert read_layout(folder).building is None
    assert len(list(folder.glob("g*"))) == 1
    assert Index.open(folder, embedder=made_index.mini()).facts.chunk_tokens != 100


def test_a_compaction_on_a_full_disk_gives_its_space_back_at_once(
    folder: Path, whole: made_index.Contents, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*values: object) -> None:
        raise OutputError("No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr("biencoder.index.building.make_mirror", full)
        with pytest.raises(OutputError, match="No space left"):
            compact(folder)
    assert {path.name for path in folder.iterdir()} == {"g1", "index.json", "lock"}
    assert read_layout(folder).building is None
    assert made_index.contents(folder) == whole


def test_a_compaction_that_was_killed_is_removed_by_whoever_writes_next(
    source: Path,
    folder: Path,
    whole: made_index.Contents,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr("biencoder.index.building.make_mirror", _stop)
        with pytest.raises(Stopped):
            compact(folder)
    assert (folder / "g2").exists()
    made_index.index(source, folder)
    assert {path.name for path in folder.iterdir()} == {"g1", "index.json", "lock"}
    assert made_index.contents(folder) == whole


def test_what_is_left_of_a_compaction_s_removal_goes_too(source: Path, folder: Path) -> None:
    layout = read_layout(folder).write(building="g2")
    left = layout.generation("g2").table / "data"
    left.mkdir(parents=True)
    (left / "half.lance").write_bytes(b"x")
    made_index.index(source, folder)
    assert {path.name for path in folder.iterdir()} == {"g1", "index.json", "lock"}


def test_a_file_that_failed_to_change_is_not_forgotten_by_a_re_embedding(
    source: Path, folder: Path
) -> None:
    page = next(source.glob("*.md"))
    page.write_bytes(b"")
    (reason,) = made_index.index(source, folder).failures.values()
    for _ in range(2):
        reindex(folder, OTHER, embedder=made_index.mini())
        assert made_index.index(source, folder).failures == {page.name: reason}


def test_a_re_embedding_that_is_half_done_outlives_a_run(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as stopped:
        stopped.setattr("biencoder.index.building.make_mirror", _stop)
        with pytest.raises(Stopped):
            reindex(folder, OTHER, embedder=made_index.mini())
    made_index.index(source, folder)
    assert read_layout(folder).building == "g2"
    assert len(made_index.acknowledged(folder / "g2")) == 43


def test_a_column_whose_values_are_all_gone_leaves_with_a_compaction(tmp_path: Path) -> None:
    source, to = tmp_path / "source", tmp_path / "index"
    source.mkdir()
    (source / "kept.jsonl").write_text('{"id": "a", "text": "A lamp.", "price": 3}')
    (source / "gone.jsonl").write_text('{"id": "b", "text": "A pump.", "room": "cellar"}')
    made_index.index(source, to)
    (source / "gone.jsonl").unlink()
    made_index.index(source, to)
    assert {"price", "room"} <= Index.open(to).columns.keys()
    compact(to)
    columns = Index.open(to).columns
    assert ("price" in columns, "room" in columns) == (True, False)
    # It may come back, and as another type.
    (source / "new.jsonl").write_text('{"id": "c", "text": "A fan.", "room": 7}')
    made_index.index(source, to)
    assert Index.open(to).columns["room"] == "integer"
    assert len(Index.open(to).search("fan", mode="lexical", filters="room = 7")) == 1


def test_a_second_writer_is_refused_before_a_model_is_loaded(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*values: object) -> None:
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(Options, "open", opened)
    with writing(folder / "lock", verb="index"), pytest.raises(LockedError):
        reindex(folder, OTHER)


def test_what_failed_and_what_was_read_is_known_after_a_compaction(tmp_path: Path) -> None:
    source, to = made_index.write_sources(tmp_path / "source", count=3), tmp_path / "index"
    (source / "broken.pdf").write_bytes(b"%PDF-1.4 and nothing more")
    (source / "blank.txt").write_text("  ")
    failures = made_index.index(source, to).failures
    assert set(failures) == {"broken.pdf", "blank.txt"}
    compact(to)
    tally = made_index.index(source, to)
    assert tally.failures == failures
    assert tally.documents == 0


def test_a_second_writer_is_refused(source: Path, folder: Path) -> None:
    works: tuple[Callable[[], object], ...] = (
        lambda: made_index.index(source, folder),
        lambda: compact(folder),
        lambda: reindex(folder, OTHER, embedder=made_index.mini()),
    )
    with writing(folder / "lock", verb="index"):
        for work in works:
            with pytest.raises(LockedError, match="`biencoder index`"):
                work()


def test_an_old_generation_that_cannot_be_removed_is_told_and_removed_the_next_time(
    source: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made_index.contents(folder)

    rmtree = shutil.rmtree

    def refuses(path: Path, ignore_errors: bool = False) -> None:
        if path.name == "g1":
            raise OSError(16, "Device or resource busy")
        rmtree(path, ignore_errors=ignore_errors)

    with monkeypatch.context() as busy:
        busy.setattr("shutil.rmtree", refuses)
        with pytest.raises(OutputError, match="busy"):
            compact(folder)
    assert made_index.contents(folder) == before
    assert (folder / "g1").exists()
    made_index.index(source, folder)
    assert not (folder / "g1").exists()
    assert made_index.contents(folder) == before


def test_an_empty_index_is_compacted_and_reindexed(tmp_path: Path) -> None:
    source, to = tmp_path / "source", tmp_path / "index"
    source.mkdir()
    (source / "blank.txt").write_text(" ")
    made_index.index(source, to)
    assert compact(to).chunks == 0
    assert reindex(to, OTHER, embedder=made_index.mini()).documents == 0
    assert Index.open(to, embedder=made_index.mini()).search("lamp") == []


def test_a_reader_is_never_disturbed_by_a_writer(tmp_path: Path) -> None:
    source, to = made_index.write_sources(tmp_path / "source", count=12), tmp_path / "index"
    made_index.index(source, to)
    words = "how do I reset the lamp?"
    wrong: list[object] = []
    rounds = 0
    done = threading.Event()

    def read() -> None:
        nonlocal rounds
        kept = Index.open(to, embedder=made_index.mini())
        while not done.is_set():
            rounds += 1
            try:
                for index in (kept, Index.open(to, embedder=made_index.mini())):
                    found = {hit.source for hit in index.search(words, top_k=99)}
                    # Always there, whatever else changes.
                    wrong.extend({"page-005.md", "rows.jsonl#r0"} - found)
            except Exception as error:
                wrong.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(4):
        (source / "page-001.md").write_text(f"The fan turns {number} times.")
        made_index.index(source, to)
        compact(to)
    done.set()
    reader.join()
    assert wrong == []
    assert rounds > 4


def test_the_new_ledger_speaks_of_the_new_table(folder: Path) -> None:
    compact(folder)
    ledger = Ledger(made_index.live(folder) / "ledger.sqlite", read_only=True)
    table = made_index.live(folder) / "chunks.lance"
    assert all((table / name).stat().st_size == file.size for name, file in ledger.stored().items())
    assert ledger.fact("generation")["purpose"] == "compact"
    ledger.close()
