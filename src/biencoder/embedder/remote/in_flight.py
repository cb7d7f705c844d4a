"""Requests on their way: several at once, and one window of them ahead of whoever takes the answers."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeAlias, TypeVar

_Window = TypeVar("_Window")
_Answer = TypeVar("_Answer")
# Called in a thread with what is set once nobody wants its answer any more.
Job: TypeAlias = Callable[[threading.Event], _Answer]


def one_window_ahead(
    windows: Iterable[_Window],
    jobs: Callable[[_Window], Sequence[Job[_Answer]]],
    *,
    at_once: int,
) -> Iterator[tuple[_Window, list[_Answer]]]:
    """Each window with the answers of its jobs, in order; raises what the first failing job raises.

    The window after it is on its way meanwhile, and no other. A caller who stops early ends all.
    """
    stop = threading.Event()
    pool = ThreadPoolExecutor(at_once, thread_name_prefix="ask")
    waiting: deque[tuple[_Window, list[Future[_Answer]]]] = deque()
    try:
        for window in windows:
            waiting.append((window, [pool.submit(job, stop) for job in jobs(window)]))
            if len(waiting) > 1:
                yield _answered(*waiting.popleft())
        while waiting:
            yield _answered(*waiting.popleft())
    finally:
        stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


def _answered(window: _Window, asked: Sequence[Future[_Answer]]) -> tuple[_Window, list[_Answer]]:
    return window, [future.result() for future in asked]
