"""Pages to a server and their vectors back: one request a page, several of them at once.

So a page that is refused fails alone, and its tokens are its own; the server puts what waits into one
batch, whosever it is.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from biencoder.embedder.notices import TruncationWarning
from biencoder.embedder.pages.listed import page_windows
from biencoder.embedder.pages.page import Page, PageDetail, PageFailure, PageWindow
from biencoder.embedder.remote.endpoint import Endpoint
from biencoder.embedder.remote.in_flight import one_window_ahead
from biencoder.embedder.remote.refusals import page_refusal
from biencoder.embedder.remote.sent_page import look_at, sent_page
from biencoder.embedder.remote.stated_pages import StatedPages
from biencoder.embedder.remote.wire import Call, ask
from biencoder.errors import DimensionError, EncodingError, InputError
from biencoder.types import FloatArray

# A GPU takes some nine pages in one batch, and more must wait there. With the window ahead, twice so
# many pages are in memory.
PAGES_AT_ONCE = 16
_FIRST_PAGES = 2
# Seconds that a window was waited for. Servers give a request two minutes, its time in the queue
# included, and on a CPU one page may take many seconds.
_SOON, _LATE = 5.0, 20.0


@dataclass(frozen=True, kw_only=True, slots=True)
class PageRoad:
    """What all requests of one stream of pages share."""

    endpoint: Endpoint
    call: Call
    reading: StatedPages

    @property
    def size(self) -> int:
        """How many numbers a vector has."""
        assert self.call.size is not None, "pages are sent once the model's sizes are known"
        return self.call.size


class Pace:
    """How many pages a window takes: few at first, more while answers come soon, fewer when late."""

    def __init__(self) -> None:
        self._pages = _FIRST_PAGES

    def __call__(self) -> int:
        """For the next window."""
        return self._pages

    def took(self, seconds: float) -> None:
        """So long a window was waited for."""
        if seconds < _SOON:
            self._pages = min(2 * self._pages, PAGES_AT_ONCE)
        elif seconds > _LATE:
            self._pages = max(self._pages // 2, 1)


@dataclass(frozen=True, slots=True)
class _Seen:
    row: int
    vector_D: FloatArray
    detail: PageDetail


def encode_images(road: PageRoad, pages: Sequence[Page]) -> FloatArray:
    """Unit vectors of all pages, float32, shape (n, size), or an error that names the first bad one.

    Every image is opened before anything is sent; what only the server sees is told when it is.
    """
    with ThreadPoolExecutor(PAGES_AT_ONCE, thread_name_prefix="look") as pool:
        try:
            for failures in pool.map(partial(_looked_at, road.reading), range(len(pages)), pages):
                _demand_none(failures)
        finally:
            pool.shutdown(cancel_futures=True)
    vectors = [np.empty((0, road.size), np.float32)]
    cut = 0
    for window in page_stream(road, pages):
        _demand_none(window.failed)
        vectors.append(window.vectors)
        cut += window.cut
    if cut:
        message = f"{cut} of {len(pages)} pages had their text cut to the limit"
        warnings.warn(message, TruncationWarning, stacklevel=3)
    return np.concatenate(vectors)


def page_stream(
    road: PageRoad, pages: Iterable[Page], window_pages: int | None = None
) -> Iterator[PageWindow]:
    """Vectors window by window in order; memory depends on the window, not on the number of pages."""

    def jobs(window: tuple[int, list[Page]]) -> list[partial[_Seen | PageFailure]]:
        return [partial(_ask, road, row, page) for row, page in enumerate(window[1], window[0])]

    pace = Pace()
    windows = page_windows(pages, most=window_pages or pace)
    began = time.monotonic()
    for (first_row, _), given in one_window_ahead(windows, jobs, at_once=PAGES_AT_ONCE):
        pace.took(time.monotonic() - began)
        yield _joined(road, first_row, given)
        began = time.monotonic()


def _ask(road: PageRoad, row: int, page: Page, stop: threading.Event) -> _Seen | PageFailure:
    """The page's vector, or why it has none; what is no fault of the page is raised."""
    try:
        sent = sent_page(page, road.reading, road.call.truncate)
        call = replace(road.call, modality=sent.modality)
        refuse = partial(page_refusal, model=call.model)
        answer = ask(road.endpoint, call, sent.fields, refuse, first_row=row, stop=stop)
    except DimensionError:
        raise
    except InputError as error:
        return PageFailure(row, error)
    except EncodingError as error:
        return PageFailure.not_finite(row, error)
    grid = sent.grid
    detail = PageDetail(
        grid=grid,
        thumbnail=grid is not None and grid.has_thumbnail(thumbnail=road.reading.thumbnail),
        tokens=answer.tokens,
        cut=answer.cut > 0,
        parts=None,
    )
    return _Seen(row, answer.vectors[0], detail)


def _looked_at(reading: StatedPages, row: int, page: Page) -> list[PageFailure]:
    try:
        look_at(page, reading)
    except InputError as error:
        return [PageFailure(row, error)]
    return []


def _demand_none(failed: Sequence[PageFailure]) -> None:
    if failed:
        raise failed[0].named()


def _joined(road: PageRoad, first_row: int, given: Sequence[_Seen | PageFailure]) -> PageWindow:
    seen = [one for one in given if isinstance(one, _Seen)]
    empty = np.empty((0, road.size), np.float32)
    details = tuple(one.detail for one in seen)
    return PageWindow(
        vectors=np.stack([one.vector_D for one in seen]) if seen else empty,
        rows=tuple(one.row for one in seen),
        first_row=first_row,
        pages=len(given),
        tokens=sum(detail.tokens for detail in details),
        cut=sum(detail.cut for detail in details),
        failed=tuple(one for one in given if isinstance(one, PageFailure)),
        details=details,
    )
