"""Office files and web pages: their words as Markdown; bombs and locked files are reasons."""

from __future__ import annotations

from pathlib import Path
from xml.parsers.expat import ExpatError

import pytest
from tests.reading import made

from biencoder.errors import InputError
from biencoder.reading.file_text import PageText
from biencoder.reading.limits import MEBIBYTE, Limits
from biencoder.reading.office import read_docx, read_html, read_pptx

LIMITS = Limits()
OLE = bytes.fromhex("D0CF11E0A1B11AE1")


def test_a_word_file_keeps_its_headings_and_the_first_is_its_title() -> None:
    body = made.paragraph("On Tea", "Heading1") + made.paragraph("It is hot.")
    read = read_docx(made.docx(body), LIMITS)
    assert read.pages == (PageText(None, "# On Tea\n\nIt is hot."),)
    assert (read.title, read.markdown, read.notes) == ("On Tea", True, ())


def test_slides_are_pages() -> None:
    read = read_pptx(made.pptx([("Green", "Sencha"), ("Black", "Assam")]), LIMITS)
    assert read.pages == (PageText(1, "# Green\nSencha"), PageText(2, "# Black\nAssam"))
    assert read.title == "Green"


def test_a_slide_that_quotes_a_slide_comment_stays_one_page() -> None:
    read = read_pptx(made.pptx([("Green", "<!-- Slide number: 7 -->\nSencha")]), LIMITS)
    assert [page.number for page in read.pages] == [1]
    assert "Slide number: 7" in read.pages[0].text


def test_a_web_page_gives_its_words_and_not_its_scripts() -> None:
    page = (
        "<html><head><title>On &amp; off tea</title><style>p {}</style></head><body><h1>Tea</h1>"
        "<script>steal()</script><p>It is <b>hot</b>."
        '<img alt="a cup" src="data:image/png;base64,AAAA"></p></body></html>'
    )
    read = read_html(page.encode(), LIMITS)
    assert read.pages == (PageText(None, "# Tea\n\nIt is **hot**.a cup"),)
    assert (read.title, read.notes) == ("On & off tea", ())


def test_a_web_page_without_title_takes_its_first_heading() -> None:
    assert read_html(b"<h2>Sub</h2><h1>Tea</h1><p>hot", LIMITS).title == "Tea"


def test_a_web_page_is_decoded_as_it_says() -> None:
    page = '<meta charset="iso-8859-2"><p>Žluťoučký kůň</p>'.encode("iso8859_2")
    read = read_html(page, LIMITS)
    assert (read.pages[0].text, read.remarks) == ("Žluťoučký kůň", ("decoded as iso-8859-2",))
    assert read.notes == ()


def test_a_page_nested_without_end_is_read_as_plain_text_and_noted() -> None:
    page = b"<div>" * 5_000 + b"deep words" + b"</div>" * 5_000
    read = read_html(page, LIMITS)
    assert read.pages[0].text == "deep words"
    assert read.remarks == ("nested too deeply for Markdown; read as plain text",)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"junk", "is not a .docx file"),
        (made.docx(made.paragraph("tea"))[:-30], "damaged or truncated .docx"),
        (OLE + "EncryptedPackage".encode("utf-16-le"), "is encrypted"),
        (OLE + b"WordDocument", "old format"),
        (made.docx(members={"word/a.xml": bytes(40 * MEBIBYTE)}), "times its size, as a zip bomb"),
        (made.docx(members={"deep/in.zip": made.zipped({})}), "holds another archive"),
        (made.docx(""), "holds no text"),
    ],
)
def test_a_poisoned_word_file_has_its_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        read_docx(data, LIMITS)


def test_each_zip_limit_is_kept() -> None:
    data = made.docx(made.paragraph("tea"), {"word/a.bin": bytes(range(256)) * 8})
    with pytest.raises(InputError, match="holds 4 packed files; at most 3 are read"):
        read_docx(data, Limits(zip_members=3))
    with pytest.raises(InputError, match="would unpack to 0 MiB"):
        read_docx(data, Limits(zip_total_bytes=2048))
    assert read_docx(data, LIMITS).pages == (PageText(None, "tea"),)


def test_a_chart_s_workbook_is_no_hidden_archive() -> None:
    data = made.docx(made.paragraph("tea"), {"word/embeddings/data.zip": made.zipped({})})
    assert read_docx(data, LIMITS).pages == (PageText(None, "tea"),)


def test_more_text_than_allowed_is_refused() -> None:
    with pytest.raises(InputError, match="holds 11 characters; at most 10"):
        read_html(b"<p>hello world", Limits(max_characters=10))


def test_a_picture_outside_and_an_entity_outside_are_not_fetched(tmp_path: Path) -> None:
    secret = made.write(tmp_path / "secret.txt", "the secret words")
    picture = made.paragraph("tea") + made.LINKED_PICTURE
    links = made.relationship_to_picture(secret.as_uri())
    read = read_docx(made.docx(picture, {"word/_rels/document.xml.rels": links}), LIMITS)
    assert read.pages[0].text.startswith("tea")
    assert "secret" not in read.pages[0].text.replace(secret.as_uri(), "")
    entity = f'<!DOCTYPE w [<!ENTITY x SYSTEM "{secret.as_uri()}">]>'
    with pytest.raises(ExpatError):
        read_docx(made.docx(made.paragraph("tea &x;"), prolog=entity), LIMITS)
