"""Pages as a caller gives them: paired with their texts, checked, in windows. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from biencoder.batching.schedule import WINDOW_CHARACTERS, WINDOW_TEXTS
from biencoder.embedder.pages.page import Page
from biencoder.errors import InputError
from biencoder.pages.pictures import Picture
from biencoder.types import Truncate


def paired(
    images: Iterable[Picture | None], texts: Iterable[str | None] | None, truncate: Truncate
) -> list[Page]:
    """The two lists as pages. Raises InputError where they do not go together."""
    if isinstance(images, str | bytes | Path) or hasattr(images, "getexif"):
        raise InputError(
            "one image was given where a list of images is expected",
            hint="put it in a list: images=[...]",
        )
    pictures = list(images)
    words = [None] * len(pictures) if texts is None else list(texts)
    if len(words) != len(pictures):
        raise InputError(
            f"{len(words)} texts were given for {len(pictures)} images",
            hint="give one text for each image, None where a page has no text",
        )
    if truncate == "START" and any(picture is not None for picture in pictures):
        raise InputError(
            'truncate="START" would cut the images, which stand before their texts',
            hint='use "END" (keep the beginning of the text) or "NONE"',
        )
    return [Page(picture, text) for picture, text in zip(pictures, words, strict=True)]


def check_page(page: Page) -> None:
    """Raise InputError for a text that is none, and for a page of nothing."""
    if page.text is not None and not isinstance(page.text, str):
        raise InputError(f"its text is a {type(page.text).__name__}, not a string")
    if page.image is None and page.text is None:
        raise InputError(
            "it has neither an image nor a text", hint="an empty string is a text; None is not"
        )


def check_window(pages: int | None) -> None:
    """Raise InputError for a window that holds nothing."""
    if pages is not None and pages < 1:
        raise InputError(f"window_pages is {pages}; a window holds at least 1 page")


def page_windows(
    pages: Iterable[Page], *, most: int | Callable[[], int]
) -> Iterator[tuple[int, list[Page]]]:
    """Runs of pages with the row of their first: at most ``most`` images, and a text window's texts.

    most: a function is asked before each window.
    """
    window: list[Page] = []
    images = characters = first_row = 0
    most_images = most() if callable(most) else most
    for row, page in enumerate(pages):
        if not isinstance(page, Page):
            raise InputError(
                f"page {row} is {type(page).__name__}, not a Page",
                hint="write Page(image=..., text=...)",
            )
        length = len(page.text) if isinstance(page.text, str) else 0
        full = images == most_images or len(window) == WINDOW_TEXTS
        if window and (full or characters + length > WINDOW_CHARACTERS):
            yield first_row, window
            window, images, characters, first_row = [], 0, 0, row
            most_images = most() if callable(most) else most
        window.append(page)
        images += page.image is not None
        characters += length
    if window:
        yield first_row, window
