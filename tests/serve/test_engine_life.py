"""An engine starts warm and stops without losing anybody."""

from __future__ import annotations

import asyncio
import threading

import pytest
import torch
from tests.serve.engines import PATIENCE, Gate, run, texts_of, until

from biencoder.embedder.embedder import Embedder
from biencoder.serve.engine.engine import Engine
from biencoder.serve.errors import ApiError


def test_before_the_start_and_after_the_stop_nothing_is_taken(model: Embedder) -> None:
    async def work() -> None:
        engine = Engine(model)
        for _ in range(2):
            assert not engine.ready
            with pytest.raises(ApiError) as raised:
                await engine.embed(["the"], role="query")
            assert raised.value.code == "not_ready"
            assert int(raised.value.headers["Retry-After"]) >= 1
            await engine.stop(timeout=1.0)

    run(work())


def test_a_stop_finishes_what_was_taken_and_ends_the_threads(model: Embedder, gate: Gate) -> None:
    before = set(threading.enumerate())

    async def work() -> None:
        engine = Engine(model)
        await engine.start("none")
        running = asyncio.create_task(engine.embed(["the"], role="query"))
        await until(lambda: len(gate.batches) == 1)
        waiting = asyncio.create_task(engine.embed(texts_of(50), role="document"))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(engine.stop(timeout=PATIENCE))
        await until(lambda: not engine.ready)
        with pytest.raises(ApiError) as raised:
            await engine.embed(["the"], role="query")
        assert raised.value.code == "not_ready"
        gate.open()
        await asyncio.gather(running, waiting)
        await stopping

    run(work())
    names = {thread.name for thread in set(threading.enumerate()) - before}
    assert not {"tokenize", "compute"} & names


def test_a_stop_gives_up_after_its_time(model: Embedder, gate: Gate) -> None:
    async def work() -> None:
        engine = Engine(model)
        await engine.start("none")
        tasks = [asyncio.create_task(engine.embed(texts_of(9, 50), role="document"))]
        await until(lambda: len(gate.batches) == 1)
        tasks.append(asyncio.create_task(engine.embed(["the"], role="query")))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(engine.stop(timeout=0.01))
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [getattr(result, "code", None) for result in results] == ["not_ready"] * 2
        gate.open()
        await stopping

    run(work())
    assert len(gate.batches) == 1


@pytest.mark.parametrize(
    ("kind", "batches"),
    [
        ("none", []),
        ("short", [[16]]),
        ("full", [[16], [64], [256], [400], [128] * 3, [128] * 3]),
    ],
)
def test_the_warm_up_climbs_to_a_full_batch(
    model: Embedder, gate: Gate, kind: str, batches: list[list[int]]
) -> None:
    async def work() -> None:
        engine = Engine(model, token_budget=400)
        gate.open()
        await engine.start(kind)  # type: ignore[arg-type]
        assert engine.ready
        assert (engine.tokens_per_second > 0) == bool(batches)
        await engine.stop(timeout=1.0)

    run(work())
    assert gate.batches == batches


def test_a_failing_warm_up_fails_the_start(model: Embedder, gate: Gate) -> None:
    def fail(lengths: list[int]) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    async def work() -> None:
        engine = Engine(model)
        gate.before = fail
        gate.open()
        with pytest.raises(torch.OutOfMemoryError):
            await engine.start("short")
        assert not engine.ready
        await engine.stop(timeout=1.0)

    run(work())
