"""A second run is refused before it looks at a file or loads a model, and disturbs nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.index.made_documents import write_documents
from tests.index.made_index import mini

from biencoder.errors import InputError, LockedError
from biencoder.index import build, listing
from biencoder.index.build import Options, index_folder
from biencoder.index.layout import LOCK
from biencoder.index.lock import writing


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "docs")


def _refuse(*arguments: object, **named: object) -> object:
    raise AssertionError("a folder was walked, or a model loaded")


@pytest.mark.parametrize("there", ["an index", "the beginning of one"])
def test_a_second_writer_is_refused_before_the_walk_and_before_the_model(
    docs: Path, tmp_path: Path, there: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "index"
    if there == "an index":
        index_folder(docs, to, embedder=mini())
    with writing(to / LOCK, verb="index"):
        before = sorted(to.rglob("*"))
        with monkeypatch.context() as patched:
            patched.setattr(listing, "list_folder", _refuse)
            patched.setattr(build, "open_encoder", _refuse)
            with pytest.raises(LockedError, match="is being written: `biencoder index`"):
                index_folder(docs, to)
        assert sorted(to.rglob("*")) == before
    assert index_folder(docs, to, embedder=mini()).failures == {}


def test_a_first_run_holds_the_lock_while_it_loads_its_model(
    docs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    to = tmp_path / "index"

    def load(options: Options) -> object:
        with pytest.raises(LockedError):
            index_folder(docs, to, embedder=mini())
        raise InputError("there is no such model")

    monkeypatch.setattr(Options, "open", load)
    with pytest.raises(InputError, match="no such model"):
        index_folder(docs, to)
    assert not to.exists()


def test_a_folder_that_was_there_stays_when_a_first_run_cannot_start(
    docs: Path, tmp_path: Path
) -> None:
    to = tmp_path / "index"
    to.mkdir()
    with pytest.raises(InputError, match="tokens"):
        index_folder(docs, to, Options(chunk_tokens=3), embedder=mini())
    assert list(to.iterdir()) == []
