"""Work on an index beside the event loop: few at once, few waiting, and what is abandoned not begun."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from biencoder.serve.errors import ApiError

_T = TypeVar("_T")


class SearchThreads:
    """``at_once`` threads, and so many places beside them for those that wait."""

    def __init__(self, at_once: int, waiting: int) -> None:
        self._pool = ThreadPoolExecutor(at_once, thread_name_prefix="search")
        self._places = threading.BoundedSemaphore(at_once + waiting)

    async def run(self, work: Callable[..., _T], *given: Any, **named: Any) -> _T:
        """The result of some work; raises ApiError overloaded where too many wait.

        Cancelled, what waits is never begun; what runs keeps its thread, and its place, to its end.
        """
        if not self._places.acquire(blocking=False):
            headers = {"Retry-After": "1", "retry-after-ms": "1000"}
            raise ApiError("overloaded", "Search is overloaded", headers=headers)
        future = self._pool.submit(partial(work, *given, **named))
        future.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(future)
