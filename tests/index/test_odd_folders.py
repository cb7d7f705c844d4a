"""Folders that are not as they should be: names that are no text, nothing in them, no first run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.index.made_documents import TEXTS, write_documents
from tests.index.made_index import mini

from biencoder import Index
from biencoder.embedder.fingerprint import hash_file
from biencoder.errors import DimensionError, InputError
from biencoder.index.build import Options, index_folder
from biencoder.index.listing import list_sources
from biencoder.index.verify import verify

NOT_UTF8 = "has a name that is not UTF-8: rename it"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "docs")


def _odd(folder: Path, name: bytes) -> Path:
    path = Path(os.fsdecode(os.fsencode(folder) + b"/" + name))
    try:
        path.parent.mkdir(exist_ok=True)
        path.write_text("Herons wade.")
    except OSError:
        pytest.skip("this file system takes names in UTF-8 only")
    return path


def test_a_name_that_is_not_utf8_is_told_on_every_run_and_the_rest_is_indexed(
    docs: Path, tmp_path: Path
) -> None:
    odd = _odd(docs, b"caf\xe9.txt")
    _odd(docs, b"trees/n\xe9/heron.txt".replace(b"trees/", b""))
    _odd(docs / "trees", b"\xff.txt")
    expected = dict.fromkeys(("caf\\xe9.txt", "n\\xe9", "trees/\\xff.txt"), NOT_UTF8)
    for documents in (len(TEXTS) + 3, 0):
        tally = index_folder(docs, tmp_path / "index", embedder=mini())
        assert (tally.documents, tally.failures) == (documents, expected)
    assert verify(tmp_path / "index").ok
    odd.rename(docs / "café.txt")
    tally = index_folder(docs, tmp_path / "index", embedder=mini())
    assert (tally.documents, len(tally.failures)) == (1, 2)


def test_so_is_the_name_of_a_single_file(docs: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"caf\\xe9.txt has a name that is not UTF-8"):
        index_folder(_odd(docs, b"caf\xe9.txt"), tmp_path / "index", embedder=mini())


@pytest.mark.parametrize("left", ["nothing", "a file of another kind"])
def test_a_folder_that_became_empty_empties_the_index_only_when_that_is_said(
    docs: Path, tmp_path: Path, left: str
) -> None:
    index_folder(docs, tmp_path / "index", embedder=mini())
    docs.rename(tmp_path / "away")
    docs.mkdir()
    if left != "nothing":
        (docs / "lost+found.bin").write_bytes(b"")
    count = len(TEXTS) + 3
    with pytest.raises(InputError, match=f"all of its {count} documents would leave") as refused:
        index_folder(docs, tmp_path / "index", embedder=mini())
    assert "is a disk not mounted?" in str(refused.value)
    assert "--allow-empty" in str(refused.value)
    assert len(Index.open(tmp_path / "index")) == count
    tally = index_folder(docs, tmp_path / "index", Options(allow_empty=True), embedder=mini())
    assert (tally.documents, tally.removed) == (0, count)
    index = Index.open(tmp_path / "index", embedder=mini())
    assert (len(index), index.search("oaks")) == (0, [])
    assert verify(tmp_path / "index").ok


@pytest.mark.parametrize(
    "options",
    [Options(), Options(dimensions=100), Options(chunk_tokens=3)],
    ids=["an empty folder", "a size that is not offered", "passages too short"],
)
def test_a_first_run_that_cannot_start_leaves_nothing_behind(
    docs: Path, tmp_path: Path, options: Options
) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    source = empty if options == Options() else docs
    with pytest.raises((InputError, DimensionError)):
        index_folder(source, tmp_path / "new" / "index", options, embedder=mini())
    assert not (tmp_path / "new").exists()
    assert index_folder(docs, tmp_path / "new" / "index", embedder=mini()).documents


def test_no_passages_of_no_tokens_and_no_workers() -> None:
    with pytest.raises(InputError, match="chunk-tokens is 0"):
        Options(chunk_tokens=0)
    with pytest.raises(InputError, match="0 workers"):
        Options(workers=0)


def test_sources_below_a_folder_that_may_not_be_entered_are_told(tmp_path: Path) -> None:
    index_folder(write_documents(tmp_path / "docs"), tmp_path / "index", embedder=mini())
    with pytest.MonkeyPatch.context() as patched:

        def refused(path: Path) -> os.stat_result:
            raise PermissionError(13, "Permission denied")

        patched.setattr(Path, "stat", refused)
        with pytest.raises(InputError, match="docs cannot be opened: Permission denied"):
            list_sources(tmp_path / "docs")


def _link_to_nothing(path: Path) -> None:
    path.unlink()
    path.symlink_to("nothing")


@pytest.mark.parametrize("name", ["lakes.md", "animals.jsonl"])
def test_a_failure_that_passed_is_told_no_more(docs: Path, tmp_path: Path, name: str) -> None:
    to, path = tmp_path / "index", docs / name
    index_folder(docs, to, embedder=mini())
    data = path.read_bytes()
    count = len(Index.open(to))
    _link_to_nothing(path)
    for _ in range(2):
        tally = index_folder(docs, to, embedder=mini())
        assert tally.failures == {name: "is a link to a file that does not exist"}
        assert len(Index.open(to)) == count
    path.unlink()
    path.write_bytes(data)
    assert index_folder(docs, to, embedder=mini()).failures == {}
    again = index_folder(docs, to, embedder=mini())
    assert (again.documents, again.unchanged) == (0, len(TEXTS) + 3)
    assert len(Index.open(to)) == count
    assert verify(to).ok


def test_one_of_a_file_that_was_never_read_goes_with_it(docs: Path, tmp_path: Path) -> None:
    to = tmp_path / "index"
    (docs / "lost.md").symlink_to("nothing")
    assert list(index_folder(docs, to, embedder=mini()).failures) == ["lost.md"]
    (docs / "lost.md").unlink()
    assert index_folder(docs, to, embedder=mini()).failures == {}


def test_a_file_that_could_not_be_opened_once_is_done_when_it_can(
    docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "index"
    index_folder(docs, to, embedder=mini())

    def refused(path: Path) -> str:
        if path.name == "lakes.md":
            raise PermissionError(13, "Permission denied")
        return hash_file(path)

    with monkeypatch.context() as patched:
        patched.setattr("biencoder.index.plan.hash_file", refused)
        tally = index_folder(docs, to, embedder=mini())
        assert tally.failures == {"lakes.md": "cannot be opened: Permission denied"}
    assert index_folder(docs, to, embedder=mini()).failures == {}
