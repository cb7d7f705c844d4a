"""A list of pages to vectors: all of it looked at before anything is computed."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from biencoder.embedder.notices import TruncationWarning
from biencoder.embedder.pages.page import Page, PageFailure
from biencoder.embedder.pages.side import PageSide
from biencoder.embedder.pages.stream import (
    PreparedWindow,
    compute_window,
    pages_in_a_window,
    prepared_windows,
)
from biencoder.types import FloatArray, Truncate

if TYPE_CHECKING:
    from biencoder.embedder.device import Placement


def encode_pages_at_once(
    pages: Sequence[Page],
    *,
    side: PageSide,
    placement: Placement,
    dimensions: int,
    token_budget: int,
    truncate: Truncate,
) -> FloatArray:
    """Unit vectors of all pages, float32, shape (n, dimensions), or an error that names the first bad one.

    Nothing is computed before every page is known to be sound. What fits one window is opened once; more
    than that is opened twice, so that the pixels of a thousand pages are not held.
    """
    most = pages_in_a_window(placement)

    def windows() -> Iterator[PreparedWindow]:
        return prepared_windows(
            pages, side=side, placement=placement, truncate=truncate, window_pages=most
        )

    looked_at = list(_sound(windows())) if len(pages) <= most else None
    if looked_at is None:
        for _ in _sound(windows()):
            pass
    vectors = [np.empty((0, dimensions), np.float32)]
    cut = 0
    for window in windows() if looked_at is None else looked_at:
        done = compute_window(
            window, side=side, dimensions=dimensions, token_budget=token_budget, parts=False
        )
        # Once more: a file may have changed since it was looked at.
        _demand_none(done.failed)
        vectors.append(done.vectors)
        cut += done.cut
    if cut:
        message = f"{cut} of {len(pages)} pages had their text cut to the limit"
        warnings.warn(message, TruncationWarning, stacklevel=4)
    return np.concatenate(vectors)


def _sound(windows: Iterable[PreparedWindow]) -> Iterator[PreparedWindow]:
    for window in windows:
        _demand_none(window.failed)
        yield window


def _demand_none(failed: Sequence[PageFailure]) -> None:
    if failed:
        raise failed[0].named()
