"""`biencoder verify`: a sound index passes, each kind of damage is found by the check that names it."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import compute
from tests.cli.made_index import (
    DOCUMENTS,
    PASSAGES,
    copied,
    live,
    overwrite,
    with_new_rows,
    write_index,
)
from tests.commands import fails, run, succeeds
from tests.index.made_disk import read_only_copy
from tests.index.made_documents import write_documents

from biencoder.errors import LockedError
from biencoder.index import build, verify
from biencoder.index.ledger import FileEnd, Ledger
from biencoder.index.search import Scores, dense_ranking
from biencoder.index.writer import Writer


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("verify"))


@pytest.fixture
def index(sound: Path, tmp_path: Path) -> Path:
    return copied(sound, tmp_path / "index")


def _verify(index: Path, *more: object) -> tuple[int, dict[str, Any]]:
    code, out, _ = run("verify", index, "--json", *more)
    return code, json.loads(out)


def _faulty(index: Path) -> dict[str, int]:
    code, found = _verify(index)
    assert code == (0 if found["ok"] else 3)
    return {check["name"]: check["faults"] for check in found["checks"] if check["faults"]}


def test_a_sound_index_passes_every_check(sound: Path) -> None:
    code, found = _verify(sound)
    assert (code, found["ok"], found["documents"]) == (0, True, DOCUMENTS)
    assert all(check["looked_at"] for check in found["checks"])
    assert (found["recall"], found["sampled"]) == (1.0, PASSAGES)
    assert found["sources"] == {
        "changed": 0, "new": 0, "gone": 0, "planned": 0, "not_looked_at": ""
    }  # fmt: skip


def _without(table: pa.Table, source: str) -> pa.Table:
    return table.filter(compute.not_equal(table["source"], pa.scalar(source)))


def _replaced(table: pa.Table, name: str, change: Callable[[list[Any]], list[Any]]) -> pa.Table:
    place = table.schema.get_field_index(name)
    values = pa.array(change(table[name].to_pylist()), table.schema.field(name).type)
    return table.set_column(place, table.schema.field(name), values)


DAMAGES: dict[str, tuple[Callable[[pa.Table], pa.Table], dict[str, int]]] = {
    "a document's rows are lost": (lambda t: _without(t, "trees/oak.txt"), {"missing": 1}),
    "one of two rows is lost": (
        lambda t: t.filter(compute.not_equal(t["text"], pa.scalar("The lamp turns green."))),
        {"missing": 1},
    ),
    "rows of a stranger": (
        lambda t: _replaced(
            t, "source", lambda v: ["stranger.txt" if s == "trees/oak.txt" else s for s in v]
        ),
        {"missing": 1, "extra": 1},
    ),
    "everything stands there twice": (
        lambda t: pa.concat_tables([t, t]),
        {"extra": DOCUMENTS, "duplicates": PASSAGES},
    ),
    "a number of a vector is another": (
        lambda t: _replaced(t, "vector", lambda v: [[0.5, *v[0][1:]], *v[1:]]),
        {"contents": 1},
    ),
    "a text is another": (
        lambda t: _replaced(t, "text", lambda v: [v[0] + "!", *v[1:]]),
        {"contents": 1},
    ),
    "a content hash is another": (
        lambda t: _replaced(t, "sha256", lambda v: ["0" * 64, *v[1:]]),
        {"contents": 1},
    ),
}


@pytest.mark.parametrize(("change", "expected"), DAMAGES.values(), ids=DAMAGES)
def test_the_table_is_held_against_the_ledger(
    index: Path, change: Callable[[pa.Table], pa.Table], expected: dict[str, int]
) -> None:
    with_new_rows(index, change)
    # The mirror is of the version before: of this one none is made yet, which is no fault.
    assert _faulty(index) == expected


def test_the_mirror_is_held_against_the_table(index: Path) -> None:
    (vectors,) = live(index).mirror.rglob("vectors.npy")
    overwrite(vectors, 3, 0.5)
    assert _faulty(index) == {"mirror": 1}
    assert _verify(index)[1]["recall"] is None
    shown = " ".join(run("verify", index)[1].split())
    assert "vectors differ from the table's" in shown


@pytest.mark.parametrize(("longest_prefix", "candidates"), [(64, "prefix 64"), (1, "binary")])
def test_the_short_forms_are_too(
    longest_prefix: int, candidates: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "_LONG", 100)
    monkeypatch.setattr(build, "_PREFIX", longest_prefix)
    index = tmp_path / "index"
    succeeds("index", write_documents(tmp_path / "docs"), "--to", index)
    _, found = _verify(index)
    assert (found["ok"], found["candidates"]) == (True, candidates)
    (short,) = live(index).mirror.rglob("short.npy")
    overwrite(short, 3, 7)
    assert _faulty(index) == {"mirror": 1}


def test_a_mirror_that_is_not_made_yet_is_no_fault_and_one_that_is_not_whole_is(
    index: Path,
) -> None:
    (mirror,) = live(index).mirror.iterdir()
    (mirror / "vectors.npy").write_bytes(b"")
    assert _faulty(index) == {"mirror": 1}
    shutil.rmtree(mirror)
    assert _faulty(index) == {}
    shown = " ".join(run("verify", index)[1].split())
    assert "not made yet" in shown
    assert "Recall was not measured: searching needs the mirror" in shown
    assert list(live(index).mirror.iterdir()) == []
    succeeds("search", "acorns", "--in", index)
    assert _verify(index)[1]["recall"] == 1.0


def test_an_index_that_was_only_interrupted_has_no_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs, index = write_documents(tmp_path / "docs"), tmp_path / "index"

    def stops(*values: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as stopped:
        stopped.setattr(Writer, "finish", stops)
        assert run("index", docs, "--to", index)[0] == 130
    ledger = Ledger(live(index).ledger)
    entry = next(iter(ledger.entries()))
    with ledger.transaction():
        ledger.put([replace(entry, source="not-yet.txt", state="planned", sha256="", chunks=0)])
    ledger.close()
    code, found = _verify(index)
    assert (code, found["ok"]) == (0, True)
    assert {c["name"] for c in found["checks"] if c["not_yet"]} == {"mirror", "full text"}


def test_an_index_that_may_only_be_read_is_verified_and_left_as_it_is(index: Path) -> None:
    with read_only_copy(index) as copy:
        before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file()}
        found = verify.verify(copy)
        assert found.ok

        assert {p: p.read_bytes() for p in copy.rglob("*") if p.is_file()} == before
        with (copy / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(LockedError, match="is being written"):
                verify.verify(copy)


def test_a_file_that_is_not_as_it_was_written_is_found(index: Path) -> None:
    (data,) = (live(index).table / "data").iterdir()
    size = data.stat().st_size
    data.write_bytes(bytes(size))
    faulty = _faulty(index)
    assert faulty["files"] == 1
    assert faulty["table"] == 1


def test_a_table_that_cannot_be_opened_is_a_fault_and_no_traceback(index: Path) -> None:
    for path in (live(index).table / "_versions").glob("*.manifest"):
        path.write_bytes(b"")
    faulty = _faulty(index)
    assert faulty["table"] == 1
    assert faulty["files"] >= 1


def test_another_model_under_the_same_name_is_found(
    tmp_path: Path, checkpoints: dict[str, Path]
) -> None:
    model = copied(checkpoints["1b"], tmp_path / "model")
    docs, index = write_documents(tmp_path / "docs"), tmp_path / "index"
    succeeds("index", docs, "--to", index, "--model", model)
    assert _faulty(index) == {}
    (model / "config_sentence_transformers.json").write_text(
        json.dumps({"prompts": {"query": "q: ", "document": "d: "}})
    )
    assert _faulty(index) == {"model": 1}


def test_passages_outside_the_full_text_index_are_found(index: Path) -> None:
    from biencoder.index.store import Store

    store = Store.open(live(index).folder)
    rows = pa.Table.from_batches(list(store.scan(store.schema.names)))
    store.add(rows.slice(0, 1))
    ledger = Ledger(live(index).ledger)
    with ledger.transaction():
        ledger.set_fact("acknowledged", {"version": store.version})
    ledger.close()
    assert _faulty(index)["full text"] == 1


def test_changed_new_and_deleted_sources_are_counted_and_are_no_fault(tmp_path: Path) -> None:
    docs, index = write_documents(tmp_path / "docs"), tmp_path / "index"
    succeeds("index", docs, "--to", index)
    (docs / "trees" / "oak.txt").write_text("Oaks were felled.")
    (docs / "trees" / "pine.txt").unlink()
    (docs / "new.txt").write_text("Something new.")
    code, found = _verify(index)
    assert (code, found["ok"]) == (0, True)
    assert found["sources"] == {
        "changed": 1, "new": 1, "gone": 1, "planned": 0, "not_looked_at": ""
    }  # fmt: skip
    told = "1 file changed, 1 new, 1 document gone, 0 not finished"
    assert told in succeeds("verify", index)


def test_sources_that_are_away_are_said_and_are_no_fault(tmp_path: Path) -> None:
    docs, index = write_documents(tmp_path / "docs"), tmp_path / "index"
    succeeds("index", docs, "--to", index)
    docs.rename(tmp_path / "elsewhere")
    assert "no file or folder" in _verify(index)[1]["sources"]["not_looked_at"]
    assert "The sources were not looked at" in succeeds("verify", index)


def test_what_was_read_and_is_nowhere_in_the_ledger_is_found(index: Path) -> None:
    ledger = Ledger(live(index).ledger)
    with ledger.transaction():
        ledger.drop(["animals.jsonl#r2"])
        end = ledger.files()["trees/oak.txt"]
        ledger.drop(["trees/oak.txt"])
        ledger.put_file("trees/oak.txt", FileEnd(end.sha256))
    ledger.close()
    assert _faulty(index) == {"extra": 2, "sources": 2}


def test_recall_is_the_share_of_the_nearest_that_searching_finds(
    sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def three(*arguments: Any) -> Scores:
        return dense_ranking(*arguments)[:3]

    monkeypatch.setattr(verify, "dense_ranking", three)
    assert _verify(sound)[1]["recall"] == pytest.approx(3 / PASSAGES)
    assert _verify(sound, "--sample", 3)[1]["sampled"] == 3
    assert _verify(sound, "--sample", 0)[1]["recall"] is None


def test_people_see_what_is_wrong_and_what_to_do(index: Path) -> None:
    with_new_rows(index, lambda table: _without(table, "trees/oak.txt"))
    code, out, err = run("verify", index)
    assert code == 3
    assert "FAULT" in out
    assert "trees/oak.txt: none of its 1 passages" in out
    assert "`biencoder index` heals" in err


def test_a_sample_below_nothing_is_refused(sound: Path) -> None:
    fails("give 0 or more", "verify", sound, "--sample", -1)
