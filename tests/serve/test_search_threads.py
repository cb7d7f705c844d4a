"""Threads of the search: places are kept by what runs, and given up by what only waited."""

from __future__ import annotations

import asyncio
import threading
from contextlib import suppress

import pytest
from tests.serve.engines import PATIENCE, run, until

from biencoder.serve.errors import ApiError
from biencoder.serve.search.threads import SearchThreads


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


def test_abandoned_work_keeps_its_thread_to_its_end_and_what_waited_is_never_begun() -> None:
    begun: list[str] = []
    end = threading.Event()

    def work(name: str) -> None:
        begun.append(name)
        assert name != "first" or end.wait(PATIENCE)

    async def session() -> None:
        threads = SearchThreads(at_once=1, waiting=1)
        first = asyncio.create_task(threads.run(work, "first"))
        await until(lambda: begun == ["first"])
        waits = asyncio.create_task(threads.run(work, "waits"))
        await asyncio.sleep(0)
        with pytest.raises(ApiError) as raised:
            await threads.run(work, "too many")
        assert (raised.value.code, raised.value.headers["Retry-After"]) == ("overloaded", "1")
        await _cancelled(waits)
        await _cancelled(first)
        # One place is free again, the thread is not.
        third = asyncio.create_task(threads.run(work, "third"))
        await asyncio.sleep(0.01)
        assert begun == ["first"]
        with pytest.raises(ApiError):
            await threads.run(work, "too many")
        end.set()
        await third
        assert begun == ["first", "third"]

    run(session())


def test_what_work_raises_is_raised() -> None:
    def fail() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        run(SearchThreads(at_once=1, waiting=1).run(fail))
