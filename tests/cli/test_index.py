"""`biencoder index`, `reindex`, `compact`: what is told, what is counted, which exit code."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tests.cli.made_index import DOCUMENTS, FAILED, write_folder
from tests.commands import fails, run, succeeds
from tests.index.made_documents import write_documents

from biencoder.batching.schedule import windows
from biencoder.cli import show_index
from biencoder.embedder import stream


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "docs")


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "index"


def _index(*arguments: object) -> tuple[int, dict[str, Any]]:
    code, out, _ = run("index", *arguments, "--json")
    return code, json.loads(out)


def _status(index: Path) -> dict[str, Any]:
    status: dict[str, Any] = json.loads(run("status", index, "--json")[1])
    return status


def test_files_that_fail_are_told_at_the_end_the_rest_is_indexed_and_the_exit_code_says_so(
    docs: Path, to: Path
) -> None:
    code, out, err = run("index", docs, "--to", to)
    assert (code, out) == (3, "")
    lines = err.splitlines()
    assert lines[0].startswith(f"{DOCUMENTS} documents and ")
    assert "photo.png" in lines[1]
    assert [line.split(":")[0].strip() for line in lines[3:]] == list(FAILED)
    assert all(reason in err for reason in FAILED.values())
    assert _status(to)["documents"] == DOCUMENTS


def test_json_says_the_same_to_programs(docs: Path, to: Path) -> None:
    code, found = _index(docs, "--to", to)
    assert code == 3
    assert (found["documents"], found["failed"], found["removed"]) == (DOCUMENTS, 2, 0)
    assert {failure["source"] for failure in found["failures"]} == set(FAILED)
    assert found["not_read"] == ["photo.png"]
    assert found["seconds"] > 0


def test_all_well_is_exit_code_0_and_silence_on_stdout(tmp_path: Path, to: Path) -> None:
    code, out, _ = run("index", write_documents(tmp_path / "docs"), "--to", to)
    assert (code, out) == (0, "")


def test_run_again_only_what_changed_is_done_and_deleted_files_leave(
    tmp_path: Path, to: Path
) -> None:
    docs = write_documents(tmp_path / "docs")
    first = _index(docs, "--to", to)[1]
    assert _index(docs, "--to", to)[1]["unchanged"] == first["documents"]
    (docs / "trees" / "pine.txt").write_text("Larches drop their needles in winter.")
    (docs / "trees" / "oak.txt").unlink()
    again = _index(docs, "--to", to)[1]
    assert (again["documents"], again["removed"]) == (1, 1)
    assert again["unchanged"] == first["documents"] - 2
    found = json.loads(succeeds_in("search", "larches in winter", "--in", to, "--json"))
    assert (found[0]["source"], "Larches" in found[0]["text"]) == ("trees/pine.txt", True)
    assert "trees/oak.txt" not in {hit["source"] for hit in found}


def test_failed_files_are_read_again_when_asked(docs: Path, to: Path) -> None:
    _index(docs, "--to", to)
    (docs / "broken.pdf").unlink()
    assert [f["source"] for f in _index(docs, "--to", to)[1]["failures"]] == ["empty.txt"]
    (docs / "empty.txt").write_text("Now there is a text.")
    code, found = _index(docs, "--to", to, "--retry")
    assert (code, found["failed"], found["documents"]) == (0, 0, 1)


def test_of_very_many_failures_the_first_are_told_and_where_the_rest_is(
    tmp_path: Path, to: Path
) -> None:
    docs = write_documents(tmp_path / "docs")
    for number in range(60):
        (docs / f"empty{number:02}.txt").write_bytes(b"")
    _, _, err = run("index", docs, "--to", to)
    assert err.count("is empty") == 50
    assert f"10 more: biencoder status {to} --json" in err
    assert len(_status(to)["failures"]) == 60


def test_ctrl_c_keeps_what_is_finished_and_the_next_run_does_the_rest(
    tmp_path: Path, to: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = write_documents(tmp_path / "docs")
    lines = "".join(json.dumps({"_id": n, "text": f"word {n}"}) + "\n" for n in range(300))
    (docs / "many.jsonl").write_text(lines)

    with monkeypatch.context() as patched:
        patched.setattr(show_index, "progress", _ends_after_the_first_window)
        patched.setattr(stream, "windows", partial(windows, max_texts=100))
        code, out, err = run("index", docs, "--to", to)
    assert (code, out) == (130, "")
    assert "What was finished is kept" in err
    assert "Traceback" not in err
    left = _status(to)
    assert 0 < left["documents"] < 307
    assert left["planned"] == 307 - left["documents"]
    for mode in ("dense", "lexical"):
        assert json.loads(succeeds_in("search", "word 7", "--in", to, "--mode", mode, "--json"))
    code, found = _index(docs, "--to", to)
    assert (code, found["documents"]) == (0, left["planned"])
    assert _status(to)["documents"] == 307


@contextlib.contextmanager
def _ends_after_the_first_window(
    label: str, *, total: int | None, unit: str
) -> Iterator[Callable[[int], None]]:
    def tick(count: int) -> None:
        if label == "indexing":
            raise KeyboardInterrupt

    yield tick


def test_reindex_changes_the_vectors_and_keeps_the_old_until_purged(
    tmp_path: Path, to: Path, checkpoints: dict[str, Path]
) -> None:
    docs = write_documents(tmp_path / "docs")
    _index(docs, "--to", to)
    code, out, err = run("reindex", to, "--model", checkpoints["1b"], "--json")
    assert code == 0, err
    assert json.loads(out)["documents"] == 7
    status = _status(to)
    assert (status["dimensions"], [kept["name"] for kept in status["kept"]]) == (64, ["g1"])
    assert json.loads(succeeds_in("search", "oxbow lake", "--in", to, "--json"))
    before = json.loads(succeeds_in("compact", to, "--json"))
    assert [kept["name"] for kept in _status(to)["kept"]] == ["g1"]
    after = json.loads(succeeds_in("compact", to, "--purge", "--json"))
    assert after["bytes_after"] < before["bytes_after"]
    assert (_status(to)["kept"], _status(to)["documents"]) == ([], 7)


def test_reindex_without_a_model_takes_the_same(
    tmp_path: Path, to: Path, checkpoints: dict[str, Path]
) -> None:
    docs = write_documents(tmp_path / "docs")
    _index(docs, "--to", to, "--model", checkpoints["1b"])
    before = _status(to)
    succeeds("reindex", to, "--chunk-tokens", 100)
    after = _status(to)
    assert [after[key] for key in ("model", "fingerprint")] == [
        before[key] for key in ("model", "fingerprint")
    ]
    assert after["settings"]["chunk_tokens"] == 100


def test_another_model_is_refused_with_what_to_do(
    tmp_path: Path, to: Path, checkpoints: dict[str, Path]
) -> None:
    docs = write_documents(tmp_path / "docs")
    _index(docs, "--to", to)
    err = fails("was made differently", "index", docs, "--to", to, "--model", checkpoints["1b"])
    assert f"biencoder reindex {to} --model" in err


def test_a_folder_under_a_new_name_is_taken_when_it_is_said(tmp_path: Path, to: Path) -> None:
    docs = write_documents(tmp_path / "docs")
    _index(docs, "--to", to)
    moved = docs.rename(tmp_path / "papers")
    fails("give another --to; or --moved", "index", moved, "--to", to)
    code, found = _index(moved, "--to", to, "--moved")
    assert (code, found["documents"], found["unchanged"]) == (0, 0, 7)


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("no file or folder", ["missing"]),
        ("holds no file that can be read", ["pictures"]),
        ("is there already and is no index", ["docs", "--to", "pictures"]),
        ("did you mean 'mini'", ["docs", "--model", "mimi"]),
        ("no vectors of 100 dimensions", ["docs", "--dimensions", "100"]),
        ("0 workers cannot read", ["docs", "--workers", "0"]),
        ("give at least 1", ["docs", "--commit-every", "0"]),
    ],
)
def test_a_fault_is_one_sentence(
    message: str, arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_documents(Path("docs"))
    Path("pictures").mkdir()
    Path("pictures/a.png").write_bytes(b"")
    to = [] if "--to" in arguments else ["--to", "index"]
    err = fails(message, "index", *arguments, *to)
    assert err.count("Error") == 1


@pytest.mark.parametrize("verb", ["status", "verify", "compact", "reindex"])
def test_where_there_is_no_index_it_is_said_how_to_make_one(verb: str, tmp_path: Path) -> None:
    fails(r"is no index\nHint: make one with: biencoder index", verb, tmp_path)


def succeeds_in(*arguments: object) -> str:
    """The standard output of a verb that must succeed."""
    code, out, err = run(*arguments)
    assert code == 0, err
    return out
