"""Folders whose documents are pages: what is read, in which order, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.evaluate import made_pages

from biencoder.errors import InputError
from biencoder.evaluate.judged_set import JudgedSet, read_judged_set
from biencoder.evaluate.pages.page_set import PageSet, PageSource, read_set, with_pictures
from biencoder.evaluate.pages.pictures import Pictured

TEA = {"b.pdf": ["one", "two", "three"], "a.pdf": ["tea", "cake"]}


def pages_of(folder: Path) -> PageSet:
    judged = read_set(folder)
    assert isinstance(judged, PageSet)
    return judged


@pytest.fixture
def tea(tmp_path: Path) -> Path:
    """Five PDF pages in two files, told in a muddled order."""
    made_pages.pdfs(tmp_path / "set", TEA)
    rows = made_pages.pdf_rows(TEA)
    muddled = [rows[place] for place in (4, 2, 0, 3, 1)]
    return made_pages.folder_of(tmp_path / "set", muddled, {"q": {"a.pdf#2": 1}})


def test_a_row_has_an_image_or_a_page_of_a_pdf(tmp_path: Path, tea: Path) -> None:
    pictures = pages_of(made_pages.images(tmp_path / "images"))
    assert pictures.sources["red"] == PageSource(tmp_path / "images" / "pages/red.png")
    assert pages_of(tea).sources["b.pdf#3"] == PageSource(tea / "b.pdf", 3)


def test_the_pages_of_a_file_stand_together_in_their_order(tea: Path) -> None:
    expected = ["a.pdf#1", "a.pdf#2", "b.pdf#1", "b.pdf#2", "b.pdf#3"]
    judged = pages_of(tea)
    assert judged.ids == list(judged.sources) == expected
    assert [page.id for page in judged.pages(with_text=True)] == expected


def test_texts_are_given_only_where_they_are_asked_for(tea: Path) -> None:
    judged = pages_of(tea)
    assert [page.text for page in judged.pages(with_text=True)][:2] == ["tea", "cake"]
    assert {page.text for page in judged.pages(with_text=False)} == {""}


def test_a_set_of_texts_stays_one(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"_id": "a", "text": "tea", "page": 3},
        {"_id": "b", "text": "cake"},
    ]
    folder = made_pages.folder_of(tmp_path / "texts", rows, {"q": {"a": 1}})
    assert type(read_set(folder)) is JudgedSet
    with pytest.raises(InputError, match=r"documents of .*texts have no pictures"):
        with_pictures(read_set(folder))


def test_text_and_pictures_have_one_digest_so_they_can_be_compared(tea: Path) -> None:
    # Read as plain texts, the muddled rows are put in the pages' order first.
    rows = [json.loads(line) for line in (tea / "corpus.jsonl").read_text().splitlines()]
    made_pages.write_lines(tea / "corpus.jsonl", sorted(rows, key=lambda row: str(row["_id"])))
    assert pages_of(tea).digest == read_judged_set(tea).digest


def test_the_pictures_are_known_by_their_bytes_and_places(tmp_path: Path) -> None:
    folder = made_pages.images(tmp_path / "set")
    first = pages_of(folder).pictures
    assert pages_of(folder).pictures == first
    Image.new("RGB", (60, 80), (1, 2, 3)).save(folder / "pages/blue.png")
    other = pages_of(folder)
    assert other.pictures != first
    assert other.digest == pages_of(folder).digest


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"_id": "x", "text": "x"}, "line 4 .* says nowhere what the page looks like"),
        ({"_id": "x", "image": "x.png", "pdf": "x.pdf", "page": 1}, "says nowhere"),
        ({"_id": "x", "image": 7}, "says nowhere"),
        ({"_id": "x", "pdf": "x.pdf"}, "has the page None"),
        ({"_id": "x", "pdf": "x.pdf", "page": 0}, "has the page 0"),
        ({"_id": "x", "pdf": "x.pdf", "page": "3"}, "has the page '3'"),
        ({"_id": "x", "pdf": "x.pdf", "page": True}, "has the page True"),
        ({"_id": "red", "image": "pages/red.png"}, "has the _id 'red'"),
        ({"image": "pages/red.png"}, "has the _id ''"),
    ],
)
def test_a_row_that_is_no_page_is_named(tmp_path: Path, row: dict[str, Any], said: str) -> None:
    folder = made_pages.images(tmp_path / "set")
    with (folder / "corpus.jsonl").open("a") as file:
        file.write(json.dumps(row) + "\n")
    with pytest.raises(InputError, match=said):
        read_set(folder)


def test_missing_files_are_counted_and_the_texts_need_none(tmp_path: Path) -> None:
    folder = made_pages.images(tmp_path / "set")
    (folder / "pages/red.png").unlink()
    (folder / "pages/blue.png").unlink()
    with pytest.raises(InputError, match=r"lacks 2 of 3 image and PDF files, first .*blue\.png"):
        with_pictures(read_set(folder))
    assert read_set(folder).ids == ["blue", "green", "red"]


def test_pdf_pages_are_drawn_in_order_with_the_corpus_text(tea: Path) -> None:
    pages = pages_of(tea).pages(with_text=True)
    pictured = Pictured(pages, dpi=10)
    found = list(pictured)
    assert pictured.places == [0, 1, 2, 3, 4]
    assert [page.text for page in found] == ["tea", "cake", "one", "two", "three"]
    # Letter is 8.5 x 11 inches.
    assert {page.image.size for page in found} == {(85, 110)}  # type: ignore[union-attr]


def test_a_page_that_cannot_be_drawn_is_passed_over_and_named(tmp_path: Path) -> None:
    files = {"a.pdf": ["tea"], "b.pdf": ["cake"], "c.pdf": ["jam", "bun"]}
    folder = made_pages.pdfs(tmp_path / "set", files)
    (folder / "b.pdf").write_bytes(b"%PDF-1.7 and nothing more")
    rows = made_pages.pdf_rows(files | {"a.pdf": ["tea", "not there"]})
    judged = pages_of(made_pages.folder_of(folder, rows, {"q": {"a.pdf#1": 1}}))
    pictured = Pictured(judged.pages(with_text=True), dpi=10)
    assert [page.text for page in pictured] == ["tea", "jam", "bun"]
    assert pictured.places == [0, 3, 4]
    assert [place for place, _ in pictured.failed] == [1, 2]
    assert "no such page" in pictured.failed[0][1]
    assert "damaged" in pictured.failed[1][1]


def test_an_unneeded_page_is_not_waited_for(tmp_path: Path) -> None:
    """Only the first of many pages is judged: going through the pages ends with it."""
    folder = made_pages.pdfs(tmp_path / "set", {"long.pdf": [f"page {n}" for n in range(200)]})
    rows = made_pages.pdf_rows({"long.pdf": ["page 0"]})
    judged = pages_of(made_pages.folder_of(folder, rows, {"q": {"long.pdf#1": 1}}))
    assert len(list(Pictured(judged.pages(with_text=False), dpi=10))) == 1
