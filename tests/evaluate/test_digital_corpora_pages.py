"""The public labels joined with PDFs: which pages answer, what is left out, and that it is all told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.evaluate import made_pages

from biencoder.corpus.beir import read_qrels
from biencoder.errors import InputError, OutputError
from biencoder.evaluate.pages.page_set import PageSet, read_set
from biencoder.recipes.digital_corpora import Built, build, read_labels

HEAD = "modality,query,answer,pdf,page\n"
# Written for this test, in the labels' shape: pages count from 0, answers may hold commas and lines.
LABELS = HEAD + (
    'table,How much tea was sold?,"$1,205.43 ",1003421,1\n'
    'text,"Which cake, if any, is best?",the first,1003421.pdf,0\n'
    'infographic,"What does ""JAM"" mean?","J- Just\nAM- a mess",0012345,0\n'
    "chart,Who is not there?,nobody,1999999,4\n"
    "chart,Which page is not there?,none,1003421,7\n"
    'text,"{""text"":[""What is it?"",""query not realistic""]}",it,1003421,0\n'
)
PDFS = {"1003/1003421.pdf": ["cake", "tea"], "0012345.PDF": ["jam"], "7777777.pdf": ["apart", ""]}


@pytest.fixture
def pdfs(tmp_path: Path) -> Path:
    return made_pages.pdfs(tmp_path / "pdfs", PDFS)


def labels_of(tmp_path: Path, text: str = LABELS) -> Path:
    path = tmp_path / "labels.csv"
    path.write_text(text, encoding="utf-8")
    return path


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_every_page_of_every_pdf_is_a_document(tmp_path: Path, pdfs: Path) -> None:
    build(labels_of(tmp_path), pdfs, to=tmp_path / "set")
    judged = read_set(tmp_path / "set")
    assert isinstance(judged, PageSet)
    assert set(judged.ids) == {"1003421_1", "1003421_2", "12345_1", "7777777_1", "7777777_2"}
    texts = {document.id: document.text for document in judged.documents}
    assert (texts["1003421_2"], texts["7777777_2"]) == ("tea", "")
    assert {path.resolve() for path in judged.files} == {(pdfs / name).resolve() for name in PDFS}
    judged.check_files()


def test_pages_count_from_0_in_the_labels_and_from_1_here(tmp_path: Path, pdfs: Path) -> None:
    build(labels_of(tmp_path), pdfs, to=tmp_path / "set")
    # The question's id is its row's number, whatever was left out before it.
    assert read_qrels(tmp_path / "set") == {
        "0": {"1003421_2": 1},
        "1": {"1003421_1": 1},
        "2": {"12345_1": 1},
        "5": {"1003421_1": 1},
    }
    asked = {row["_id"]: row for row in rows(tmp_path / "set" / "queries.jsonl")}
    assert asked["1"]["text"] == "Which cake, if any, is best?"
    assert asked["2"]["answer"] == "J- Just\nAM- a mess"
    assert asked["0"]["kind"] == "table"


def test_all_that_lacks_is_counted_and_listed(tmp_path: Path, pdfs: Path) -> None:
    (pdfs / "7777777.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    built = build(labels_of(tmp_path), pdfs, to=tmp_path / "set")
    assert (built.pdfs, built.pages, built.questions, built.judged) == (3, 3, 6, 4)
    assert built.missing == ("1999999",)
    assert built.absent == ("1003421_8",)
    assert list(built.unreadable) == ["7777777.pdf"]
    assert built.annotations == 1
    assert built.kinds == {"table": 1, "text": 2, "infographic": 1}
    told = str(built)
    assert "4 of 6 questions on 3 pages" in told
    assert "PDFs with questions that are not there, left out: 1 (1999999)" in told
    assert "left out: 1 (1003421_8)" in told
    assert "7777777.pdf: is a damaged or truncated PDF" in told
    account = json.loads((tmp_path / "set" / "build.json").read_text())
    assert account["missing"] == ["1999999"]
    assert Built(**account).judged == 4


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("query,pdf\nx,1\n", "lacks the columns modality, answer, page"),
        ("", "lacks the columns"),
        (HEAD + "text,who?,me,1,one\n", "line 2 has no query, no pdf, or a page"),
        (HEAD + "text,who?,me,1,-1\n", "line 2"),
        (HEAD + "text,who?,me,,1\n", "line 2"),
        (HEAD + "text,who?,me\n", "line 2"),
        (HEAD + 'text,"who?,me,1,1\n', "is not CSV"),
    ],
)
def test_labels_of_another_shape_are_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_labels(labels_of(tmp_path, text))


def test_two_pdfs_of_one_name_are_refused(tmp_path: Path, pdfs: Path) -> None:
    made_pages.pdfs(pdfs, {"again/1003421.pdf": ["other"]})
    with pytest.raises(InputError, match="have one name"):
        build(labels_of(tmp_path), pdfs, to=tmp_path / "set")


def test_pdfs_without_any_question_are_refused(tmp_path: Path) -> None:
    pdfs = made_pages.pdfs(tmp_path / "pdfs", {"report.pdf": ["x"]})
    with pytest.raises(InputError, match=r"no question is about one of the 1 PDFs below .*pdfs"):
        build(labels_of(tmp_path), pdfs, to=tmp_path / "set")
    assert not (tmp_path / "set").exists()


def test_nothing_is_overwritten(tmp_path: Path, pdfs: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        build(labels_of(tmp_path), pdfs, to=tmp_path / "set")
    assert [path.name for path in (tmp_path / "set").iterdir()] == ["mine.txt"]
