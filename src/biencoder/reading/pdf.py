"""The text layer of a PDF, page by page, by PDFium; to be run in a worker process.

PDFium is C++ on hostile input and is not thread-safe: here it has a process of its own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from typing import Any

from biencoder.errors import InputError
from biencoder.reading.file_text import FileText, PageText, sensible_title
from biencoder.reading.limits import Limits

# The header may stand anywhere in the first 1,024 bytes, the end mark in the last (ISO 32000, H.3).
_MARK_BYTES = 1024
# PDFium's mark for a hyphen at a line's end, given in place of hyphen and line break.
_LINE_END_HYPHEN = "\ufffe"
_HYPHEN_BY_DIGIT = re.compile(rf"(?<=\d){_LINE_END_HYPHEN}|{_LINE_END_HYPHEN}(?=\d)")
_HALF_PAIR = re.compile("[\ud800-\udfff]")


def read_pdf(
    data: bytes,
    limits: Limits,
    *,
    leave_out: Collection[int] = (),
    begin_page: Callable[[int], None] = lambda number: None,
) -> FileText:
    """All pages but those left out; ``begin_page`` is told each number before its page is read.

    A page that PDFium refuses becomes a note. Raises InputError with the reason where the file as
    a whole gives no text.
    """
    document = open_pdf(data)
    try:
        pages, notes = _read_pages(document, limits, leave_out, begin_page)
        title = sensible_title(_HALF_PAIR.sub("\ufffd", document.get_metadata_value("Title")))
    finally:
        document.close()
    notes += end_notes(data)
    return FileText(title, tuple(pages), markdown=False, notes=tuple(notes))


def page_text(text: str) -> str:
    """PDFium's text with lines ending at \\n, and words cut at a line's end in one piece.

    PDFium does not tell a word's own hyphen from a divided word's, so "third-" above "party" comes
    out as "thirdparty"; only beside a digit, where no word is divided, the hyphen stays.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return _HYPHEN_BY_DIGIT.sub("-", text).replace(_LINE_END_HYPHEN, "")


def open_pdf(data: bytes) -> Any:
    """The document of pypdfium2; raises InputError with the reason where there is none."""
    import pypdfium2

    if b"%PDF-" not in data[:_MARK_BYTES]:
        raise InputError("is not a PDF, whatever its name says")
    try:
        return pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise _why_not_opened(data) from error


def end_notes(data: bytes) -> list[str]:
    """What is to be said of a file whose end does not look like one."""
    if b"%%EOF" in data[-_MARK_BYTES:]:
        return []
    return ["the end of the file is missing, and pages may be with it"]


def text_layer(page: Any, number: int, notes: list[str]) -> str:
    """The text of an open page; characters that are none are replaced, with a note."""
    # Not get_text_bounded(), which loses line breaks at the end of short lines.
    raw = page.get_textpage().get_text_range(errors="surrogatepass")
    text, broken = _HALF_PAIR.subn("\ufffd", page_text(raw))
    if broken:
        notes.append(f"page {number} holds {broken} characters that are none; each is now U+FFFD")
    return text


def check_page_count(count: int, limits: Limits) -> None:
    """Raise InputError where a file has more pages than are read."""
    if count > limits.max_pages:
        raise InputError(f"has {count:,} pages; at most {limits.max_pages:,} are read")


def page_failure(number: int, error: Exception) -> str:
    """The note on a page that could not be read."""
    if isinstance(error, MemoryError):
        return f"page {number} needs more memory than it may have, and was left out"
    return f"page {number} could not be read: {error}"


def _why_not_opened(data: bytes) -> InputError:
    """Ask PDFium again, for pypdfium2 takes a file without pages as failed with the error before."""
    from pypdfium2 import raw

    document = raw.FPDF_LoadMemDocument64(data, len(data), None)
    if document:
        raw.FPDF_CloseDocument(document)
        return InputError("has no pages")
    if raw.FPDF_GetLastError() in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
        return InputError("is encrypted", hint="save a copy without a password")
    return InputError("is a damaged or truncated PDF")


def _read_pages(
    document: Any, limits: Limits, leave_out: Collection[int], begin_page: Callable[[int], None]
) -> tuple[list[PageText], list[str]]:
    count = len(document)
    check_page_count(count, limits)
    pages: list[PageText] = []
    notes: list[str] = []
    characters = 0
    for number in range(1, count + 1):
        if number in leave_out:
            continue
        begin_page(number)
        text = _read_page(document, number, notes)
        if text is None:
            continue
        characters += len(text)
        if characters > limits.max_characters:
            raise InputError(f"holds more than {limits.max_characters:,} characters of text")
        pages.append(PageText(number, text))
    _judge(pages, count, notes)
    return pages, notes


def _read_page(document: Any, number: int, notes: list[str]) -> str | None:
    """The text of a page, or None and a note."""
    import pypdfium2

    try:
        page = document[number - 1]
        try:
            return text_layer(page, number, notes)
        finally:
            page.close()
    except (pypdfium2.PdfiumError, MemoryError) as error:
        notes.append(page_failure(number, error))
        return None


def _judge(pages: list[PageText], count: int, notes: list[str]) -> None:
    """Say which part of the pages has no text; no text at all is an error."""
    blank = sum(not page.text.strip() for page in pages)
    if not pages:
        raise InputError("; ".join(notes) or "has no page that can be read")
    if blank == len(pages):
        raise InputError("holds no text (a scan?)", hint="use a page-image model, or OCR it first")
    if blank:
        notes.append(f"{blank} of {count} pages hold no text (blank, or scans)")
