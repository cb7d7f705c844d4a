"""A stream of texts in windows, the next window prepared while the current one computes.

A window bounds the memory: whatever the corpus, two windows are alive at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeAlias, TypeVar

WINDOW_TEXTS = 2048
WINDOW_CHARACTERS = 1_500_000
# A count, or a function that is asked for it before each window.
WindowTexts: TypeAlias = int | Callable[[], int]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def windows(
    texts: Iterable[str],
    *,
    max_texts: WindowTexts = WINDOW_TEXTS,
    max_characters: int = WINDOW_CHARACTERS,
) -> Iterator[list[str]]:
    """Runs of texts in order, closed at a count of texts or of characters.

    >>> list(windows(["aa", "bb", "cc"], max_texts=9, max_characters=4))
    [['aa', 'bb'], ['cc']]
    """
    window: list[str] = []
    characters = 0
    most = max_texts() if callable(max_texts) else max_texts
    for text in texts:
        if window and (len(window) >= most or characters + len(text) > max_characters):
            yield window
            window, characters = [], 0
            most = max_texts() if callable(max_texts) else max_texts
        window.append(text)
        characters += len(text)
    if window:
        yield window


def prefetch(items: Iterable[_In], prepare: Callable[[_In], _Out]) -> Generator[_Out, None, None]:
    """``prepare`` each item one step ahead, in a thread of its own, in order.

    An exception in ``prepare`` or in ``items`` comes out where its result would have come.
    """
    source = iter(items)

    def step() -> list[_Out]:
        return [prepare(item) for item in islice(source, 1)]

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare") as pool:
        ahead: Future[list[_Out]] = pool.submit(step)
        while ready := ahead.result():
            ahead = pool.submit(step)
            yield ready[0]
