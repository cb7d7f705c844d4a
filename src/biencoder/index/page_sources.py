"""Files whose pages are read by their looks: page by page, each with its text layer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from biencoder.errors import InputError
from biencoder.pages.pictures import open_picture
from biencoder.reading.file_text import ReadFailure
from biencoder.reading.folder import FolderListing
from biencoder.reading.kinds import IMAGE_SUFFIXES, kind_of
from biencoder.reading.limits import Limits
from biencoder.reading.pdf_pages import pdf_pages
from biencoder.reading.refusal import refusal

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class Looks:
    """One page: its image (RGB) and its text layer. number: None for an image file, which has no pages."""

    number: int | None
    image: Image
    text: str


def is_image(path: Path) -> bool:
    """Whether a file is an image by its suffix, in any letter case.

    >>> is_image(Path("scan.JPG")), is_image(Path("scan.pdf"))
    (True, False)
    """
    return path.suffix.lower() in IMAGE_SUFFIXES


def has_looks(path: Path) -> bool:
    """Whether a file can be read as page images."""
    return is_image(path) or kind_of(path) == "pdf"


def with_images(listing: FolderListing) -> FolderListing:
    """A folder with its image files among those that are read, in order."""
    images = [path for path in listing.others if is_image(path)]
    if not images:
        return listing
    return replace(
        listing,
        files=tuple(sorted((*listing.files, *images), key=Path.as_posix)),
        others=tuple(path for path in listing.others if not is_image(path)),
    )


def looks_of(path: Path, *, dpi: int, limits: Limits, notes: list[str]) -> Iterator[Looks]:
    """The pages of a PDF or image file in order; one that cannot be had becomes one of ``notes``.

    Raises InputError with the reason where the file gives no page.
    """
    if is_image(path):
        yield Looks(None, _opened(path, limits), "")
        return
    drawing = pdf_pages(path, notes=notes, limits=limits, dpi=dpi)
    with closing(drawing):
        for page in drawing:
            yield Looks(page.number, page.image(), page.text)


def _opened(path: Path, limits: Limits) -> Image:
    failure = refusal(path, limits)
    if failure is not None:
        raise InputError(failure.reason)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputError(ReadFailure.from_system(error).reason) from error
    return open_picture(data)
