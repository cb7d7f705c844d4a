"""`biencoder evaluate` on pages: what is told, kept and refused; and the pages that ship."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests import tiny, tiny_pages
from tests.commands import fails, run
from tests.evaluate import made_pages

from biencoder.evaluate.pages.build import read_pdfs
from biencoder.evaluate.pages.page_set import PageSet, read_set
from biencoder.evaluate.report.texts import open_library

# As a person meets it: a line, not an error.
_A_LINE = pytest.mark.filterwarnings("default::biencoder.evaluate.pages.system.PageWarning")
SHIPPED = made_pages.EXAMPLES / "pdf-questions"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny_pages.write_checkpoint(tmp_path_factory.mktemp("model") / "tiny")
    tiny.edit_json(folder / "biencoder.json", name="tiny", random_seed=0)
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    files, qrels = {"a.pdf": ["tea", "cake"]}, {"q": {"a.pdf#1": 1}}
    place = made_pages.pdfs(tmp_path_factory.mktemp("data") / "set", files)
    return made_pages.folder_of(place, made_pages.pdf_rows(files), qrels, {"q": "tea?"})


def test_json_holds_modality_tiles_and_dpi(model: Path, folder: Path, tmp_path: Path) -> None:
    code, out, err = run(
        "evaluate", "--data", folder, "--model", model, "--modality", "image", "--dpi", "30",
        "--max-tiles", "2", "--no-thumbnail", "--output", tmp_path, "--json",
    )  # fmt: skip
    assert code == 0, err
    (record,) = json.loads(out)
    facts = record["model"]
    assert record["system"] == "tiny, image"
    assert (facts["modality"], facts["dpi"], facts["max_tiles"]) == ("image", 30, 2)
    assert (facts["thumbnail"], facts["random_weights"]) == (False, True)
    assert record["metrics"]["recall@5"] == 1
    # BM25 reads the text layer of the same pages.
    assert record["bm25"]["metrics"]["recall@5"] == 1


@_A_LINE
def test_a_page_lost_is_told_with_its_reason(model: Path, folder: Path, tmp_path: Path) -> None:
    with (folder / "corpus.jsonl").open("a") as file:
        file.write(json.dumps({"_id": "a.pdf#3", "text": "jam", "pdf": "a.pdf", "page": 3}) + "\n")
    code, _, err = run(
        "evaluate", "--data", folder, "--model", model, "--dpi", "30", "--output", tmp_path,
        "--no-bm25",
    )  # fmt: skip
    assert code == 0
    assert "Warning: a.pdf#3 is found by no query: the PDF has no such page" in err
    assert "documents without a usable picture, found by no query: 1" in err


def test_images_for_a_text_model_are_refused_in_one_sentence(folder: Path, tmp_path: Path) -> None:
    told = fails(
        "mini reads text only, not image",
        "evaluate", "--data", folder, "--modality", "image", "--output", tmp_path,
    )  # fmt: skip
    assert "llama-nemotron-embed-vl-1b-v2" in told


def test_pictures_of_a_set_of_texts_are_refused_before_the_model(tmp_path: Path) -> None:
    rows = [{"_id": "a", "text": "tea"}, {"_id": "b", "text": "cake"}]
    texts = made_pages.folder_of(tmp_path / "texts", rows, {"q": {"a": 1}})
    fails(
        "documents of .* have no pictures",
        "evaluate", "--data", texts, "--model", tmp_path / "nothing", "--modality", "image_text",
        "--output", tmp_path,
    )  # fmt: skip


def test_missing_pdfs_are_counted_before_the_model(tmp_path: Path) -> None:
    rows = made_pages.pdf_rows({"gone.pdf": ["tea"], "also.pdf": ["cake"]})
    gone = made_pages.folder_of(tmp_path / "gone", rows, {"q": {"gone.pdf#1": 1}})
    fails(
        "lacks 2 of 2 image and PDF files",
        "evaluate", "--data", gone, "--model", tmp_path / "nothing", "--modality", "image",
        "--output", tmp_path,
    )  # fmt: skip


def test_a_modality_means_nothing_for_suites(tmp_path: Path) -> None:
    fails(
        "--modality means nothing here",
        "evaluate", "--suite", "qa", "--modality", "image", "--output", tmp_path,
    )  # fmt: skip


@_A_LINE
def test_pages_without_any_text_are_judged_by_their_pictures(model: Path, tmp_path: Path) -> None:
    made_pages.images(tmp_path / "set")
    rows = [{"_id": name, "image": f"pages/{name}.png"} for name in made_pages.COLOURS]
    made_pages.write_lines(tmp_path / "set" / "corpus.jsonl", rows)
    code, out, err = run(
        "evaluate", "--data", tmp_path / "set", "--model", model, "--output", tmp_path / "out",
        "--json",
    )  # fmt: skip
    assert code == 0, err
    (record,) = json.loads(out)
    assert record["metrics"]["recall@5"] == 1
    assert record["bm25"] is None
    assert "no page has a text" in err
    fails(
        "no page of .* has a text",
        "evaluate", "--data", tmp_path / "set", "--modality", "text", "--output", tmp_path / "out",
    )  # fmt: skip


# --- the pages that ship ----------------------------------------------------------------------


def test_the_shipped_pages_lack_nothing() -> None:
    judged = read_set(SHIPPED)
    assert isinstance(judged, PageSet)
    judged.check_files()
    assert (len(judged.documents), len(judged.queries), dict(judged.notes)) == (61, 15, {})
    documents = {path.resolve().parent for path in judged.files}
    assert documents == {(made_pages.EXAMPLES / "documents" / "pdf").resolve()}
    assert all(found.keys() <= judged.sources.keys() for found in judged.qrels.values())


def test_the_shipped_texts_are_the_pdfs_own() -> None:
    judged = read_set(SHIPPED)
    path = made_pages.EXAMPLES / "documents" / "pdf" / "nvingest-table-test.pdf"
    (read,) = read_pdfs([path])
    texts = {document.id: document.text for document in judged.documents}
    assert {f"{path.name}#{number}": text for number, text in read.texts.items()} == {
        id_: text for id_, text in texts.items() if id_.startswith(path.name)
    }


def test_the_report_knows_a_set_of_pages_by_its_digest() -> None:
    judged = read_set(SHIPPED)
    library = open_library([SHIPPED], {judged.digest})
    assert list(library.sets) == [judged.digest]
    assert library.strangers == ()
