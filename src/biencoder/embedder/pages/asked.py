"""What an Embedder is asked about pages, checked and sent on their road."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from biencoder.embedder.collect import check_call
from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.pages.at_once import encode_pages_at_once
from biencoder.embedder.pages.page import Page, PageWindow, no_images
from biencoder.embedder.pages.side import PageSide
from biencoder.embedder.pages.stream import encode_page_stream
from biencoder.errors import InputError
from biencoder.pages.pictures import Picture
from biencoder.types import FloatArray, Truncate

if TYPE_CHECKING:
    from biencoder.embedder.embedder import Embedder


def encode_images(
    embedder: Embedder,
    images: Iterable[Picture | None],
    texts: Iterable[str | None] | None,
    dimensions: int | None,
    truncate: Truncate,
) -> FloatArray:
    """Unit vectors of images, alone or with a text each, float32, shape (n, dimensions)."""
    side = _side(embedder)
    check_call(() if texts is None else texts, truncate)
    size = check_dimensions(dimensions, embedder.dimensions, embedder.profile.name)
    return encode_pages_at_once(
        _paired(images, texts, truncate),
        side=side,
        placement=embedder.placement,
        dimensions=size,
        token_budget=embedder.token_budget,
        truncate=truncate,
    )


def page_stream(
    embedder: Embedder,
    pages: Iterable[Page],
    dimensions: int | None,
    truncate: Truncate,
    parts: bool,
    window_pages: int | None,
) -> Iterator[PageWindow]:
    """Vectors of pages, window by window; what is asked is checked at once, before the first."""
    side = _side(embedder)
    check_call((), truncate)
    if window_pages is not None and window_pages < 1:
        raise InputError(f"window_pages is {window_pages}; a window holds at least 1 page")
    return encode_page_stream(
        pages,
        side=side,
        placement=embedder.placement,
        dimensions=check_dimensions(dimensions, embedder.dimensions, embedder.profile.name),
        token_budget=embedder.token_budget,
        truncate=truncate,
        parts=parts,
        window_pages=window_pages,
    )


def _side(embedder: Embedder) -> PageSide:
    if embedder.pages is None:
        raise no_images(embedder.profile.name)
    return embedder.pages


def _paired(
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
