"""Pages of a judged set with their pictures, one by one: image files by name, PDF pages drawn."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from biencoder.embedder.pages.page import Page
from biencoder.errors import InputError
from biencoder.evaluate.pages.page_set import JudgedPage
from biencoder.reading.pdf_pages import pdf_pages

if TYPE_CHECKING:
    from PIL.Image import Image

_NOTE = re.compile(r"pages? (\d+)(?: to (\d+))?\b")
Placed = tuple[int, JudgedPage]


class Pictured:
    """Goes through pages once and gives those whose picture can be had, in order.

    The pages of one PDF must stand together, in their order. places: where each page that was given
    stood among all. failed: place and reason of those passed over.
    """

    def __init__(self, pages: Sequence[JudgedPage], *, dpi: int) -> None:
        self.places: list[int] = []
        self.failed: list[tuple[int, str]] = []
        self._pages = pages
        self._dpi = dpi

    def __iter__(self) -> Iterator[Page]:
        for path, group in itertools.groupby(enumerate(self._pages), key=_pdf_of):
            placed = list(group)
            found = self._files(placed) if path is None else self._drawn(path, placed)
            for place, image, text in found:
                self.places.append(place)
                yield Page(image=image, text=text or None)

    def _files(self, group: Iterable[Placed]) -> Iterator[tuple[int, Path, str]]:
        for place, page in group:
            yield place, page.source.path, page.text

    def _drawn(self, path: Path, group: Iterable[Placed]) -> Iterator[tuple[int, Image, str]]:
        wanted: dict[int, list[Placed]] = {}
        for place, page in group:
            wanted.setdefault(page.source.page, []).append((place, page))
        notes: list[str] = []
        reason = "the PDF has no such page"
        try:
            # Closing it ends its process.
            with closing(pdf_pages(path, dpi=self._dpi, notes=notes)) as drawing:
                for drawn in drawing:
                    for place, page in wanted.pop(drawn.number, ()):
                        yield place, drawn.image(), page.text
                    if not wanted:
                        break
        except InputError as error:
            reason = f"the PDF {error.message}"
        for number, placed in wanted.items():
            told = _note_on(number, notes) or reason
            self.failed += [(place, told) for place, _ in placed]


def _pdf_of(placed: Placed) -> Path | None:
    source = placed[1].source
    return source.path if source.page else None


def _note_on(number: int, notes: Sequence[str]) -> str:
    """What was said about a page, alone or among its neighbours; empty for nothing."""
    for note in notes:
        named = _NOTE.match(note)
        if named and int(named[1]) <= number <= int(named[2] or named[1]):
            return note
    return ""
