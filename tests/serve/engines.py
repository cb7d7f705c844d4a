"""An engine between start and stop, and a gate before its model that a test opens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

import torch
from tests import tiny

from biencoder.embedder.embedder import Embedder
from biencoder.serve.engine.engine import Engine

_T = TypeVar("_T")
PATIENCE = 30.0


def run(coroutine: Coroutine[Any, Any, _T]) -> _T:
    """In a loop of its own; a test that hangs fails."""

    async def bounded() -> _T:
        return await asyncio.wait_for(coroutine, PATIENCE)

    return asyncio.run(bounded())


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop turn until something is so; `run` bounds the wait."""
    while not condition():
        await asyncio.sleep(0.001)


def at_the_door(engine: Engine) -> int:
    """Tokenised requests that the computing thread has not looked at yet."""
    return engine._threads._computing._inbox.qsize()


class Gate:
    """Stands before the model: notes each batch's lengths, and lets it through when told."""

    def __init__(self, embed: Callable[..., torch.Tensor]) -> None:
        self._embed = embed
        self._passes = threading.Semaphore(0)
        self._open = False
        self.batches: list[list[int]] = []
        self.before: Callable[[list[int]], None] = lambda lengths: None
        self.after: Callable[[torch.Tensor, list[int]], None] = lambda pooled, lengths: None

    def open(self) -> None:
        self._open = True
        self._passes.release()

    def let_through(self, batches: int = 1) -> None:
        self._passes.release(batches)

    def __call__(self, packed: Any) -> torch.Tensor:
        lengths = [group.length for group in packed.groups for _ in range(group.texts)]
        self.batches.append(lengths)
        if not self._open:
            assert self._passes.acquire(timeout=PATIENCE)
        self.before(lengths)
        pooled = self._embed(packed)
        self.after(pooled, lengths)
        return pooled


def texts_of(*words: int) -> list[str]:
    """Texts of so many words; each word is one or two tokens."""
    return [" ".join(["river"] * count) for count in words]


def tokens_of(model: Embedder, text: str, prefix: str = tiny.PASSAGE) -> int:
    return model.tokenizer.count(text, prefix)


def served(model: Embedder, work: Callable[[Engine], Awaitable[_T]], **settings: Any) -> _T:
    """The result of some work on an engine that is started before and stopped after it."""

    async def session() -> _T:
        engine = Engine(model, **settings)
        await engine.start("none")
        try:
            return await work(engine)
        finally:
            await engine.stop(timeout=PATIENCE)

    return run(session())
