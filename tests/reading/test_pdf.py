"""PDFs: every page's text at its number; what cannot be read is a reason or a note."""

from __future__ import annotations

import json
from pathlib import Path

import pypdfium2
import pytest
from tests.reading import made

from biencoder.errors import InputError
from biencoder.reading.limits import Limits
from biencoder.reading.pdf import page_text, read_pdf

SHARED = Path(__file__).parent.parent.parent.parent / "shared" / "data" / "pdf"
LIMITS = Limits()


def test_each_page_has_its_number_and_its_text() -> None:
    read = read_pdf(made.pdf(["green tea", "black tea"], title="On Tea"), LIMITS)
    assert [(page.number, page.text) for page in read.pages] == [(1, "green tea"), (2, "black tea")]
    assert (read.title, read.markdown, read.notes) == ("On Tea", False, ())


def test_a_page_left_out_is_not_begun() -> None:
    begun: list[int] = []
    data = made.pdf(["one", "two", "three"])
    read = read_pdf(data, LIMITS, leave_out=[2], begin_page=begun.append)
    assert [page.number for page in read.pages] == begun == [1, 3]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (made.encrypted_pdf(), "is encrypted"),
        (made.pdf([]), "has no pages"),
        (b"hello", "is not a PDF"),
        (made.pdf(["tea"])[:200], "damaged or truncated"),
        (b"%PDF-1.7\n", "damaged or truncated"),
        (made.pdf(["", ""]), "holds no text"),
        (made.pdf(["x"] * 10_000), "has 10,000 pages; at most 5,000"),
    ],
)
def test_a_poisoned_file_has_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_pdf(data, LIMITS)


def test_pages_without_text_are_counted() -> None:
    assert read_pdf(made.pdf(["tea", "", ""]), LIMITS).notes == (
        "2 of 3 pages hold no text (blank, or scans)",
    )


def test_a_file_without_its_end_is_noted() -> None:
    (note,) = read_pdf(made.pdf(["tea"])[:-8], LIMITS).notes
    assert "end of the file is missing" in note


def test_more_text_than_allowed_is_refused() -> None:
    with pytest.raises(InputError, match="more than 10 characters"):
        read_pdf(made.pdf(["12345", "678901"]), Limits(max_characters=10))


def test_a_page_that_pdfium_refuses_is_a_note_and_the_others_are_read() -> None:
    broken = made.pdf(["one", "two"]).replace(b"/Kids [4 0 R 6 0 R]", b"/Kids [4 0 R 9 9 R]")
    read = read_pdf(broken, LIMITS)
    assert [page.number for page in read.pages] == [1]
    assert read.notes == ("page 2 could not be read: Failed to load page.",)


def test_characters_beyond_the_first_plane_are_whole_and_half_ones_are_noted() -> None:
    read = read_pdf(made.pdf_with_mapped_letters("<D83DDE00>", "<D83D>"), LIMITS)
    assert read.pages[0].text == "\U0001f600 and \ufffd"
    assert read.notes == ("page 1 holds 1 characters that are none; each is now U+FFFD",)


def test_words_divided_at_a_line_end_are_joined_and_numbers_keep_their_hyphen() -> None:
    assert (
        page_text("perfor\ufffemance\r\n13a\ufffe15(f)\rend\ufffe") == "performance\n13a-15(f)\nend"
    )


@pytest.mark.skipif(not SHARED.exists(), reason="the shared PDFs are not here")
def test_real_pages_have_the_words_of_their_text_layer() -> None:
    rows = [json.loads(line) for line in (SHARED / "corpus.jsonl").read_text().splitlines()]
    assert len(rows) == 142
    read = {path.name: read_pdf(path.read_bytes(), LIMITS) for path in SHARED.glob("*.pdf")}
    found = {f"{name}#{page.number}": page for name, text in read.items() for page in text.pages}
    for row in rows:
        text = " ".join(found[row["_id"]].text.split())
        # The rows were made without the rule that a divided number keeps its hyphen.
        assert text.replace("13a-15(f)", "13a15(f)") == row["text"].replace("13a-15(f)", "13a15(f)")
    with pypdfium2.PdfDocument(SHARED / "sec-10q-2023q3-nvda.pdf") as document:
        assert len(document) == len(read["sec-10q-2023q3-nvda.pdf"].pages)
