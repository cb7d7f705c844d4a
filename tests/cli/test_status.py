"""`biencoder status`: true counts, every failure with its reason, nothing changed, damage survived."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.cli.made_index import DOCUMENTS, FAILED, PASSAGES, copied, live, write_index
from tests.commands import run, succeeds

from biencoder import Embedder
from biencoder.embedder.fingerprint import fingerprint
from biencoder.index.layout import read_layout


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("status"))


def _status(index: Path) -> dict[str, Any]:
    code, out, err = run("status", index, "--json")
    assert code == 0, err
    status: dict[str, Any] = json.loads(out)
    return status


def test_the_counts_are_those_of_the_folder(index: Path) -> None:
    status = _status(index)
    assert (status["documents"], status["failed"], status["planned"]) == (DOCUMENTS, 2, 0)
    assert status["chunks"] == PASSAGES
    assert {f["source"] for f in status["failures"]} == set(FAILED)
    for failure in status["failures"]:
        assert FAILED[failure["source"]] in failure["reason"]


def test_it_names_the_model_by_its_fingerprint(index: Path) -> None:
    status = _status(index)
    mini = Embedder.load("mini")
    assert (status["model"], status["dimensions"]) == ("mini", mini.dimensions[-1])
    assert status["fingerprint"] == fingerprint(mini)


def test_the_sizes_are_those_on_the_disk(index: Path) -> None:
    sizes = _status(index)["bytes"]
    table = sum(path.stat().st_size for path in live(index).table.rglob("*") if path.is_file())
    assert sizes["table"] + sizes["full text"] == table
    parts = sum(size for part, size in sizes.items() if part != "total")
    assert parts <= sizes["total"] < parts + 2_000


def test_people_see_it_and_the_reasons(index: Path) -> None:
    output = succeeds("status", index)
    assert "mini" in output
    assert "Failed:" in output
    assert "empty.txt: is empty" in output


def test_looking_changes_nothing(index: Path) -> None:
    def contents() -> dict[str, bytes]:
        files = (path for path in index.rglob("*") if path.is_file())
        return {str(p): p.read_bytes() for p in files if not p.name.endswith(("-shm", "-wal"))}

    before = contents()
    succeeds("status", index)
    assert contents() == before


def test_a_damaged_table_is_told_beside_what_the_ledger_knows(index: Path, tmp_path: Path) -> None:
    copy = copied(index, tmp_path / "index")
    for path in (live(copy).table / "_versions").glob("*.manifest"):
        path.write_bytes(b"")
    status = _status(copy)
    assert status["fragments"] is None
    assert "cannot be read" in status["damage"]
    assert status["documents"] == DOCUMENTS
    assert "run `biencoder index` again" in succeeds("status", copy)


def test_what_stands_beside_the_live_generation_is_told(index: Path, tmp_path: Path) -> None:
    copy = copied(index, tmp_path / "index")
    succeeds("reindex", copy, "--dimensions", 64)
    layout = read_layout(copy)
    layout.write(building="g9")
    (copy / "g9").mkdir()
    (live(copy).folder / "quarantine").mkdir()
    (live(copy).folder / "quarantine" / "half.lance").write_bytes(b"x")
    status = _status(copy)
    assert [(kept["name"], kept["documents"]) for kept in status["kept"]] == [("g1", DOCUMENTS)]
    assert (status["building"]["name"], status["building"]["documents"]) == ("g9", 0)
    assert status["set_aside"] == 1
    output = succeeds("status", copy)
    assert "g1 (mini), 8 documents" in output
    assert "the same command goes on" in output
    (copy / "g1" / "ledger.sqlite").write_bytes(b"")
    assert "g1 (mini), its account cannot be read: " in " ".join(succeeds("status", copy).split())
