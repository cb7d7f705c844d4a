"""The road from pages to vectors: windows are opened, cut and tokenised ahead, computed, given in order.

A prepared page is some 6 MB of pixels, so a window is a few pages, or many texts.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from biencoder.batching.schedule import prefetch
from biencoder.embedder.device import Placement
from biencoder.embedder.pages.compute import compute_pages
from biencoder.embedder.pages.listed import page_windows
from biencoder.embedder.pages.page import Page, PageDetail, PageFailure, PageWindow
from biencoder.embedder.pages.prepare import PreparedPage, prepare_page
from biencoder.embedder.pages.side import PageSide
from biencoder.errors import EncodingError
from biencoder.types import Truncate

# On a CPU a page computes alone for a second or more, and its cores are busy with it; a GPU takes
# several pages in one batch, faster than one thread could open and cut them.
CPU_WINDOW_PAGES = 4
GPU_WINDOW_PAGES = 32
_GPU_THREADS = 8


@dataclass(frozen=True, slots=True)
class PreparedWindow:
    """Pages of one window: those that are ready, and those that cannot be computed."""

    first_row: int
    pages: int
    ready: tuple[PreparedPage, ...]
    failed: tuple[PageFailure, ...]


def pages_in_a_window(placement: Placement) -> int:
    """How many images wait together in memory where the caller does not say."""
    return CPU_WINDOW_PAGES if placement.device.type == "cpu" else GPU_WINDOW_PAGES


def encode_page_stream(
    pages: Iterable[Page],
    *,
    side: PageSide,
    placement: Placement,
    dimensions: int,
    token_budget: int,
    truncate: Truncate,
    parts: bool,
    window_pages: int | None,
) -> Iterator[PageWindow]:
    """Vectors window by window in order; memory depends on the window, not on the number of pages."""
    most = pages_in_a_window(placement) if window_pages is None else window_pages
    for window in prepared_windows(
        pages, side=side, placement=placement, truncate=truncate, window_pages=most
    ):
        yield _sound_part(
            window,
            partial(
                compute_window,
                side=side,
                dimensions=dimensions,
                token_budget=token_budget,
                parts=parts,
            ),
        )


def prepared_windows(
    pages: Iterable[Page],
    *,
    side: PageSide,
    placement: Placement,
    truncate: Truncate,
    window_pages: int,
) -> Iterator[PreparedWindow]:
    """Windows ready to be computed, one ahead. The images of a window are opened side by side."""
    threads = 1
    if placement.device.type != "cpu":
        threads = min(_GPU_THREADS, os.cpu_count() or 1)
    with ThreadPoolExecutor(threads, thread_name_prefix="pages") as pool:

        def prepare(window: tuple[int, list[Page]]) -> PreparedWindow:
            first_row, run = window
            one = _preparer(first_row, side, truncate)
            results = list(pool.map(one, range(len(run)), run))
            return PreparedWindow(
                first_row,
                len(run),
                tuple(result for result in results if isinstance(result, PreparedPage)),
                tuple(result for result in results if isinstance(result, PageFailure)),
            )

        yield from prefetch(page_windows(pages, most=window_pages), prepare)


def compute_window(
    window: PreparedWindow, *, side: PageSide, dimensions: int, token_budget: int, parts: bool
) -> PageWindow:
    """The window's vectors and what is known of each page."""
    if not window.ready:
        vectors, shares = np.empty((0, dimensions), np.float32), []
    else:
        computed = compute_pages(
            window.ready,
            model=side.model,
            dimensions=dimensions,
            token_budget=token_budget,
            parts=parts,
        )
        vectors, shares = computed.vectors, computed.parts
    details = tuple(
        PageDetail(
            grid=None if page.tiles is None else page.tiles.grid,
            thumbnail=page.tiles is not None and page.tiles.thumbnail,
            tokens=len(page.tokens.ids),
            cut=page.tokens.cut,
            parts=share,
        )
        for page, share in zip(window.ready, shares, strict=True)
    )
    return PageWindow(
        vectors=vectors,
        rows=tuple(page.row for page in window.ready),
        first_row=window.first_row,
        pages=window.pages,
        tokens=sum(detail.tokens for detail in details),
        cut=sum(detail.cut for detail in details),
        failed=window.failed,
        details=details,
    )


def _sound_part(
    window: PreparedWindow, compute: Callable[[PreparedWindow], PageWindow]
) -> PageWindow:
    """The window computed; a page whose vector is not finite becomes a failure, and the others are done
    again without it.
    """
    try:
        return compute(window)
    except EncodingError as error:
        ready = tuple(page for page in window.ready if page.row not in error.rows)
        if len(ready) == len(window.ready):
            raise
        bad = [PageFailure.not_finite(row, error) for row in error.rows]
    failed = sorted((*window.failed, *bad), key=lambda failure: failure.row)
    return _sound_part(replace(window, ready=ready, failed=tuple(failed)), compute)


def _preparer(
    first_row: int, side: PageSide, truncate: Truncate
) -> Callable[[int, Page], PreparedPage | PageFailure]:
    def prepare(index: int, page: Page) -> PreparedPage | PageFailure:
        return prepare_page(first_row + index, page, side, truncate)

    return prepare
