"""From checked texts to vectors: one call of the engine for each role, dropped when the client goes."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from starlette.requests import ClientDisconnect, Request

from biencoder.serve.embeddings.names import Served
from biencoder.serve.embeddings.roles import WIRE_ROLES, library_role
from biencoder.serve.engine.engine import Embedded, Engine, SentPage, Timings
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import WireRole
from biencoder.types import Truncate

Result = TypeVar("Result")

# Most answers come sooner than this; watching for a client that goes away costs a task.
UNWATCHED_SECONDS = 0.02

_ITEM = re.compile(r"input\[(\d+)\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Texts for one model, each with its role; some may be pages, all of them passages.

    pages: an image, and its text, by position. place: what a message calls the text at this position.
    timeout: seconds for all of it.
    """

    texts: Sequence[str]
    pages: Mapping[int, SentPage] = field(default_factory=dict)
    roles: Sequence[WireRole]
    place: Callable[[int], str]
    timeout: float
    dimensions: int | None = None
    truncate: Truncate = "NONE"
    instruction: str | None = None


async def compute(engine: Engine, work: Work) -> Embedded:
    """Vectors of all texts in their order; raises the engine's ApiError with our name of the place."""
    began = time.monotonic()
    parts: list[tuple[list[int], Embedded]] = []
    for role, items in _by_kind(work):
        timeout = work.timeout - (time.monotonic() - began if parts else 0.0)
        try:
            embedded = await _compute_kind(engine, work, role, items, timeout)
        except ApiError as error:
            counted = _ITEM.fullmatch(error.param or "")
            if counted is None:
                raise
            param = work.place(items[int(counted[1])])
            raise ApiError(error.code, error.message, param=param, headers=error.headers) from error
        parts.append((items, embedded))
    return parts[0][1] if len(parts) == 1 else _joined(parts)


def _by_kind(work: Work) -> Iterator[tuple[WireRole | None, list[int]]]:
    """Positions of the queries, of the passages that are texts, and (None) of the pages."""
    for role in WIRE_ROLES:
        texts = [
            item for item, own in enumerate(work.roles) if own == role and item not in work.pages
        ]
        if texts:
            yield role, texts
    if work.pages:
        yield None, sorted(work.pages)


async def _compute_kind(
    engine: Engine, work: Work, role: WireRole | None, items: Sequence[int], timeout: float
) -> Embedded:
    if role is None:
        return await engine.embed_pages(
            [work.pages[item] for item in items],
            dimensions=work.dimensions,
            truncate=work.truncate,
            timeout=timeout,
        )
    return await engine.embed(
        [work.texts[item] for item in items],
        role=library_role(role),
        dimensions=work.dimensions,
        truncate=work.truncate,
        instruction=work.instruction if role == "query" else None,
        timeout=timeout,
    )


async def while_connected(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The result of some work, or ClientDisconnect as soon as the client has gone.

    The body must have been read: what comes after it can only be the client's leaving.
    """
    watch = _Watch(request)
    soon = asyncio.get_running_loop().call_later(UNWATCHED_SECONDS, watch.begin)
    try:
        return await work
    except asyncio.CancelledError:
        if watch.client_gone and watch.worker.uncancel() == 0:
            raise ClientDisconnect from None
        raise
    finally:
        soon.cancel()
        watch.end()


def compute_headers(served: Served, embedded: Embedded, characters: int) -> dict[str, str]:
    """What an answer cost, times in milliseconds; names of text-embeddings-inference."""
    timings = embedded.timings
    return {
        "x-compute-type": served.engine.embedder.placement.device.type,
        "x-compute-time": f"{(timings.tokenize + timings.inference) * 1e3:.3f}",
        "x-compute-characters": str(characters),
        "x-compute-tokens": str(embedded.tokens),
        "x-tokenization-time": f"{timings.tokenize * 1e3:.3f}",
        "x-queue-time": f"{timings.queue * 1e3:.3f}",
        "x-inference-time": f"{timings.inference * 1e3:.3f}",
    }


class _Watch:
    """Waits for the client's leaving beside the task that works for it, and then cancels that."""

    def __init__(self, request: Request) -> None:
        task = asyncio.current_task()
        assert task is not None  # a handler always runs in one
        self.worker = task
        self.client_gone = False
        self._request = request
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        self._task = asyncio.create_task(self._wait())

    def end(self) -> None:
        if self._task is not None:
            self._task.cancel()

    async def _wait(self) -> None:
        while (await self._request.receive())["type"] != "http.disconnect":
            pass
        self.client_gone = True
        self.worker.cancel()


def _joined(parts: Sequence[tuple[list[int], Embedded]]) -> Embedded:
    """Parts of one request back in its order; stages one after the other add up."""
    computed = [embedded for _, embedded in parts]
    rows = np.concatenate([np.asarray(items) for items, _ in parts])
    vectors = np.empty((len(rows), computed[0].vectors.shape[1]), dtype=np.float32)
    vectors[rows] = np.concatenate([embedded.vectors for embedded in computed])
    timings = [embedded.timings for embedded in computed]
    return Embedded(
        vectors=vectors,
        tokens=sum(embedded.tokens for embedded in computed),
        truncated=sum(embedded.truncated for embedded in computed),
        unreadable=sum(embedded.unreadable for embedded in computed),
        images=sum(embedded.images for embedded in computed),
        timings=Timings(
            tokenize=sum(each.tokenize for each in timings),
            queue=sum(each.queue for each in timings),
            inference=sum(each.inference for each in timings),
        ),
    )
