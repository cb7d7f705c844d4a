"""Where a verb writes to is looked at before anything is computed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.commands import fails
from tests.evaluate.made_results import made, saved

from biencoder.corpus.beir import Document
from biencoder.embedder.embedder import Embedder
from biencoder.errors import OutputError
from biencoder.evaluate.judged_set import judge
from biencoder.evaluate.run import evaluate
from biencoder.evaluate.settings import Settings


@pytest.fixture(autouse=True)
def _never_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(*_: object, **__: object) -> None:
        raise AssertionError("the model was loaded")

    monkeypatch.setattr(Embedder, "load", load)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text('{"_id": "d", "text": "tea"}\n')
    (folder / "queries.jsonl").write_text('{"_id": "q", "text": "tea?"}\n')
    (folder / "qrels" / "test.tsv").write_text("q\td\t1\n")
    return folder


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a-file"
    path.write_text("mine")
    return path


@pytest.mark.parametrize("below", ["", "results/here"])
def test_evaluate_refuses_a_file_as_its_folder(data: Path, file: Path, below: str) -> None:
    message = fails("cannot be a folder", "evaluate", "--data", data, "--output", file / below)
    assert f"{file} is a file" in message
    assert file.read_text() == "mine"


def test_report_refuses_a_page_below_a_file_and_a_folder_as_page(
    tmp_path: Path, file: Path
) -> None:
    saved(tmp_path / "r", made([0.5]))
    fails("is a file", "report", tmp_path / "r", "--output", file / "report.html")
    fails("is a folder, not a file", "report", tmp_path / "r", "--output", tmp_path / "r")


def test_embed_refuses_vectors_below_a_file_in_no_folder_and_a_folder_as_file(
    tmp_path: Path, file: Path
) -> None:
    texts = tmp_path / "t.txt"
    texts.write_text("tea\n")
    (tmp_path / "v.npy").mkdir()
    fails("is a file", "embed", texts, "--output", file / "v.npy")
    fails("is a folder, not a file", "embed", texts, "--output", tmp_path / "v.npy")
    fails("there is no folder", "embed", texts, "--output", tmp_path / "none" / "v.npy")


class Told:
    """A system whose vectors must never be asked for."""

    name = "told"
    dimensions = (2,)

    def facts(self) -> dict[str, object]:
        return {"name": self.name, "fingerprint": "f"}

    def encode(self, texts: object, role: object) -> Iterator[object]:
        raise AssertionError("a text was encoded")


def test_a_file_in_the_way_is_an_output_error_in_python_too(file: Path) -> None:
    judged = judge([Document("d", "", "tea")], [("q", "tea?")], {"q": {"d": 1}}, name="one")
    with pytest.raises(OutputError, match="is a file"):
        evaluate(Told(), judged, settings=Settings(bm25=None), output=file)  # type: ignore[arg-type]
