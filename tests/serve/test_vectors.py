"""One request's way through the engine: parts by role joined again, dropped when the client goes."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from typing import Any, cast

import numpy as np
import pytest
from starlette.requests import ClientDisconnect, Request

from biencoder.serve.embeddings import vectors
from biencoder.serve.embeddings.vectors import Work, compute, while_connected
from biencoder.serve.engine.engine import Embedded, Engine, Timings
from biencoder.serve.errors import ApiError


class Recorder:
    """An engine whose vector of a text is its number, negative for a document."""

    def __init__(self) -> None:
        self.calls: list[tuple[list[str], dict[str, Any]]] = []

    async def embed(self, texts: Sequence[str], **options: Any) -> Embedded:
        self.calls.append((list(texts), options))
        if "bad" in texts:
            place = f"input[{list(texts).index('bad')}]"
            raise ApiError("context_length_exceeded", "too long", param=place)
        await asyncio.sleep(0.002)
        sign = 1 if options["role"] == "query" else -1
        return Embedded(
            vectors=np.array([[sign * float(text)] for text in texts], dtype=np.float32),
            tokens=10 * len(texts),
            truncated=1,
            unreadable=2,
            timings=Timings(tokenize=1.0, queue=2.0, inference=4.0),
        )


def work(texts: str, roles: str) -> Work:
    """Texts by word, roles by letter."""
    return Work(
        texts=texts.split(),
        roles=["query" if letter == "q" else "passage" for letter in roles],
        place=lambda item: f"messages[{item}]",
        timeout=5.0,
        dimensions=1,
        truncate="END",
        instruction="task",
    )


def through(recorder: Recorder, asked: Work) -> Embedded:
    return asyncio.run(compute(cast(Engine, recorder), asked))


def test_one_role_is_one_call_with_the_whole_time() -> None:
    recorder = Recorder()
    embedded = through(recorder, work("1 2 3", "qqq"))
    assert embedded.vectors.tolist() == [[1], [2], [3]]
    (call,) = recorder.calls
    assert call == (
        ["1", "2", "3"],
        {
            "role": "query",
            "dimensions": 1,
            "truncate": "END",
            "instruction": "task",
            "timeout": 5.0,
        },
    )


def test_both_roles_come_back_in_order_and_add_up() -> None:
    recorder = Recorder()
    embedded = through(recorder, work("1 2 3 4", "pqpq"))
    assert embedded.vectors.tolist() == [[-1], [2], [-3], [4]]
    assert (embedded.tokens, embedded.truncated, embedded.unreadable) == (40, 2, 4)
    assert embedded.timings == Timings(tokenize=2.0, queue=4.0, inference=8.0)
    (_, first), (_, second) = recorder.calls
    assert (first["role"], second["role"]) == ("query", "document")
    assert (first["instruction"], second["instruction"]) == ("task", None)
    assert 0 < second["timeout"] <= 5.0 - 0.002


def test_a_refusal_names_the_item_as_the_caller_counts() -> None:
    with pytest.raises(ApiError) as refusal:
        through(Recorder(), work("1 2 3 bad", "pqqp"))
    assert refusal.value.param == "messages[3]"
    assert isinstance(refusal.value.__cause__, ApiError)


class Client:
    """A request whose client goes away when it is told to."""

    def __init__(self) -> None:
        self.leaves = asyncio.Event()
        self.watched = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        self.watched.set()
        await self.leaves.wait()
        return {"type": "http.disconnect"}


@pytest.fixture
def _watched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vectors, "UNWATCHED_SECONDS", 0)


def in_time(main: Coroutine[Any, Any, None]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(5):
            await main

    asyncio.run(bounded())


async def visit(client: Client, result: asyncio.Future[str]) -> str:
    async def wait() -> str:
        return await result

    return await while_connected(cast(Request, client), wait())


@pytest.mark.usefixtures("_watched_at_once")
def test_a_client_that_goes_ends_the_work() -> None:
    async def main() -> None:
        client, result = Client(), asyncio.get_running_loop().create_future()
        visiting = asyncio.create_task(visit(client, result))
        await client.watched.wait()
        client.leaves.set()
        done, _ = await asyncio.wait({visiting}, timeout=5)
        assert done
        with pytest.raises(ClientDisconnect):
            visiting.result()
        assert result.cancelled()
        assert visiting.cancelling() == 0

    in_time(main())


@pytest.mark.usefixtures("_watched_at_once")
def test_a_client_that_stays_gets_the_result_and_is_watched_no_longer() -> None:
    async def main() -> None:
        client, result = Client(), asyncio.get_running_loop().create_future()
        visiting = asyncio.create_task(visit(client, result))
        await client.watched.wait()
        result.set_result("vectors")
        assert await visiting == "vectors"
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    in_time(main())


@pytest.mark.usefixtures("_watched_at_once")
def test_a_stop_from_outside_is_not_taken_for_a_client_that_goes() -> None:
    async def main() -> None:
        client, result = Client(), asyncio.get_running_loop().create_future()
        visiting = asyncio.create_task(visit(client, result))
        await client.watched.wait()
        visiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await visiting

    in_time(main())


def test_a_quick_answer_is_not_watched() -> None:
    async def main() -> None:
        client, result = Client(), asyncio.get_running_loop().create_future()
        result.set_result("vectors")
        assert await visit(client, result) == "vectors"
        assert not client.watched.is_set()

    in_time(main())
