"""What an Embedder is asked about pages, checked and sent on their road."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from biencoder.embedder.collect import check_call
from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.pages.at_once import encode_pages_at_once
from biencoder.embedder.pages.listed import check_window, paired
from biencoder.embedder.pages.page import Page, PageWindow, no_images
from biencoder.embedder.pages.side import PageSide
from biencoder.embedder.pages.stream import encode_page_stream
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
        paired(images, texts, truncate),
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
    check_window(window_pages)
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
