"""The pages of a PDF drawn by PDFium, each with its text; to be run in a worker process."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from biencoder.errors import InputError
from biencoder.reading.file_text import PageImage
from biencoder.reading.limits import Limits
from biencoder.reading.pdf import check_page_count, end_notes, open_pdf, page_failure, text_layer

# PDF measures in points.
_POINTS_PER_INCH = 72
_MAX_SIDE = 65_535
_HAIR_LESS = 1 - 1e-6


def draw_pages(
    data: bytes,
    limits: Limits,
    *,
    dpi: int,
    first: int,
    notes: list[str],
    begin_page: Callable[[int, int], None],
) -> Iterator[PageImage]:
    """Pages from the ``first`` on, one at a time; ``begin_page`` is told number and count beforehand.

    A page that PDFium refuses becomes a note. Raises InputError with the reason where the file as
    a whole gives no pages.
    """
    document = open_pdf(data)
    try:
        # Before any page: without it, what was filled into a form is not drawn.
        document.init_forms()
        count = len(document)
        check_page_count(count, limits)
        if first == 1:
            notes += end_notes(data)
        characters = 0
        for number in range(first, count + 1):
            begin_page(number, count)
            page = _draw(document, number, dpi, limits, notes)
            if page is None:
                continue
            characters += len(page.text)
            if characters > limits.max_characters:
                raise InputError(f"holds more than {limits.max_characters:,} characters of text")
            yield page
    finally:
        document.close()


def _draw(
    document: Any, number: int, dpi: int, limits: Limits, notes: list[str]
) -> PageImage | None:
    """The page, or None and a note."""
    import pypdfium2

    try:
        page = document[number - 1]
        try:
            text = text_layer(page, number, notes)
            width, height, rgb = _pixels(page, dpi, limits)
        finally:
            page.close()
    except (pypdfium2.PdfiumError, MemoryError) as error:
        notes.append(page_failure(number, error))
        return None
    return PageImage(number, width, height, rgb, text)


def _pixels(page: Any, dpi: int, limits: Limits) -> tuple[int, int, bytes]:
    """Width, height and RGB bytes at this resolution, or at the highest that the limit allows."""
    width, height = page.get_size()
    scale = min(
        dpi / _POINTS_PER_INCH,
        math.sqrt(limits.page_pixels / (width * height)),
        _MAX_SIDE / max(width, height),
    )
    # Sides are rounded up: a hair less, or 11 inches at 150 would have 1,651 pixels.
    bitmap = page.render(scale=scale * _HAIR_LESS, rev_byteorder=True)
    try:
        return bitmap.width, bitmap.height, _packed(bitmap)
    finally:
        bitmap.close()


def _packed(bitmap: Any) -> bytes:
    """The pixels without what fills up each row. No numpy: loading it would be the first page's time."""
    pixels, row = memoryview(bitmap.buffer), 3 * bitmap.width
    starts = range(0, bitmap.stride * bitmap.height, bitmap.stride)
    return b"".join(pixels[start : start + row] for start in starts)
