"""Titles that a person gave are kept, those that a program left are not."""

from __future__ import annotations

import pytest

from biencoder.errors import InputError
from biencoder.reading.file_text import ReadFailure, sensible_title


@pytest.mark.parametrize("title", ["On Tea", "Untitledness", "Node.js", "Tea/Coffee", "10-Q"])
def test_a_title_is_kept(title: str) -> None:
    assert sensible_title(f" {title}\n") == title


@pytest.mark.parametrize(
    "title",
    [
        "",
        " \n",
        "untitled",
        "Untitled spreadsheet",
        "Microsoft Word - tea final.doc",
        "tea_v2.PDF",
        "C:\\Users\\ann\\tea",
        "/home/ann/tea",
        "file:///tea",
        "Document1",
    ],
)
def test_what_a_program_left_is_no_title(title: str) -> None:
    assert sensible_title(title) == ""


def test_a_reason_says_what_is_wrong_and_what_to_do() -> None:
    error = InputError("is encrypted", hint="save a copy without a password")
    assert ReadFailure.from_error(error).reason == "is encrypted: save a copy without a password"
    missing = ReadFailure.from_system(FileNotFoundError(2, "No such file or directory"))
    assert missing.reason == "cannot be opened: No such file or directory"


def test_of_a_title_as_long_as_a_book_the_beginning_is_kept_and_it_says_so() -> None:
    title = sensible_title("Word \n" * 1_000_000)
    assert len(title) <= 1_000
    assert title.endswith("Word…")
