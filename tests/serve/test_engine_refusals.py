"""Callers that go, deadlines, limits, and texts that cannot be taken."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import numpy as np
import pytest
from tests.serve.engines import Gate, at_the_door, served, texts_of, tokens_of, until

from biencoder.embedder.embedder import Embedder
from biencoder.serve.engine.engine import Embedded, Engine
from biencoder.serve.errors import ApiError
from biencoder.types import Truncate


def test_texts_of_a_caller_who_has_gone_cost_no_computing(model: Embedder, gate: Gate) -> None:
    async def work(engine: Engine) -> None:
        blocker = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: len(gate.batches) == 1)
        gone = asyncio.create_task(engine.embed(texts_of(30, 31), role="document"))
        stays = asyncio.create_task(engine.embed(texts_of(10), role="document"))
        await until(lambda: at_the_door(engine) == 2)
        assert engine.queued_tokens == sum(map(waiting, (30, 31, 10)))
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        assert engine.queued_tokens == waiting(10)
        gate.open()
        await asyncio.gather(blocker, stays)
        assert engine.totals.cancelled == 2

    def waiting(words: int) -> int:
        return tokens_of(model, texts_of(words)[0])

    served(model, work)
    assert gate.batches[1:] == [[waiting(10)]]


def test_a_batch_that_lies_ready_loses_the_texts_of_a_caller_who_has_gone(
    model: Embedder, gate: Gate
) -> None:
    length = tokens_of(model, texts_of(40)[0])

    async def work(engine: Engine) -> None:
        first = asyncio.create_task(engine.embed(texts_of(40), role="document"))
        await until(lambda: len(gate.batches) == 1)
        tasks = [asyncio.create_task(engine.embed(texts_of(40), role="document")) for _ in range(4)]
        await until(lambda: at_the_door(engine) == 4)
        gate.let_through()
        await first
        # Two compute, two lie ready.
        await until(lambda: len(gate.batches) == 2 and engine.queued_tokens == 0)
        tasks[3].cancel()
        with suppress(asyncio.CancelledError):
            await tasks[3]
        gate.open()
        await asyncio.gather(*tasks[:3])
        assert engine.totals.cancelled == 1

    served(model, work, token_budget=2 * length)
    assert gate.batches == [[length], [length] * 2, [length]]


def test_a_text_that_lies_in_the_queue_is_dropped_with_its_caller(
    model: Embedder, gate: Gate
) -> None:
    second = tokens_of(model, texts_of(31)[0])

    async def work(engine: Engine) -> None:
        blocker = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: len(gate.batches) == 1)
        stays = asyncio.create_task(engine.embed(texts_of(30), role="document"))
        gone = asyncio.create_task(engine.embed(texts_of(31), role="document"))
        await until(lambda: at_the_door(engine) == 2)
        gate.let_through()
        # The thread has taken both out of its inbox; one runs, less than a full batch waits.
        await until(lambda: len(gate.batches) == 2)
        gone.cancel()
        with suppress(asyncio.CancelledError):
            await gone
        gate.open()
        await asyncio.gather(blocker, stays)
        await engine.embed(["the"], role="document")
        assert engine.totals.cancelled == 1

    served(model, work, token_budget=second + 1)
    assert [second] not in gate.batches


def test_a_request_over_its_time_is_given_up_and_dropped(model: Embedder, gate: Gate) -> None:
    async def work(engine: Engine) -> None:
        blocker = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: len(gate.batches) == 1)
        with pytest.raises(ApiError) as raised:
            await engine.embed(texts_of(20), role="document", timeout=0.01)
        assert raised.value.code == "timeout"
        assert engine.queued_tokens == 0
        gate.open()
        await blocker

    served(model, work)
    assert len(gate.batches) == 1


def test_a_full_queue_refuses_before_it_reads(
    model: Embedder, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work(engine: Engine) -> None:
        blocker = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: len(gate.batches) == 1 and engine.queued_tokens == 0)
        # Larger than the limit, but nothing waits.
        large = asyncio.create_task(engine.embed(texts_of(50, 50), role="document"))
        await until(lambda: engine.queued_tokens > 100)
        with monkeypatch.context() as patch:
            patch.setattr(model.tokenizer, "read", None)
            with pytest.raises(ApiError) as raised:
                await engine.embed(["the"], role="query")
        assert raised.value.code == "overloaded"
        assert 1 <= int(raised.value.headers["Retry-After"]) <= 120
        gate.open()
        await asyncio.gather(blocker, large)
        await engine.embed(["the"], role="query")

    served(model, work, max_queued_tokens=40)


def test_a_request_that_turns_out_too_large_is_refused_after_it_is_read(
    model: Embedder, gate: Gate
) -> None:
    async def work(engine: Engine) -> None:
        blocker = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: len(gate.batches) == 1 and engine.queued_tokens == 0)
        small = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: at_the_door(engine) == 1)
        before = engine.queued_tokens
        with pytest.raises(ApiError) as raised:
            await engine.embed(texts_of(60), role="document")
        assert raised.value.code == "overloaded"
        assert engine.queued_tokens == before
        gate.open()
        await asyncio.gather(blocker, small)

    served(model, work, max_queued_tokens=60)


@pytest.mark.parametrize("truncate", ["END", "START", "NONE"])
def test_a_text_reserves_no_more_than_the_model_reads_of_it(
    model: Embedder, gate: Gate, truncate: Truncate
) -> None:
    long = "river " * 50_000

    async def work(engine: Engine) -> None:
        blocker = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: len(gate.batches) == 1 and engine.queued_tokens == 0)
        small = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: at_the_door(engine) == 1)
        large = asyncio.create_task(engine.embed([long], role="document", truncate=truncate))
        await until(lambda: large.done() or at_the_door(engine) == 2)
        gate.open()
        await asyncio.gather(blocker, small)
        if truncate == "NONE":
            with pytest.raises(ApiError) as raised:
                await large
            assert raised.value.code == "context_length_exceeded"
        else:
            assert (await large).tokens == 100

    served(model, work, max_tokens=100, max_queued_tokens=200)


def test_a_text_that_is_too_long_is_named_with_both_numbers(model: Embedder) -> None:
    texts = texts_of(3, 200, 300)

    async def work(engine: Engine) -> Embedded:
        with pytest.raises(ApiError) as raised:
            await engine.embed(texts, role="document")
        length = tokens_of(model, texts[1])
        assert raised.value.code == "context_length_exceeded"
        assert raised.value.param == "input[1]"
        assert raised.value.message == (
            f"Input length {length} exceeds maximum allowed token size 100"
        )
        assert engine.queued_tokens == 0
        return await engine.embed(texts, role="document", truncate="END")

    answer = served(model, work, max_tokens=100)
    assert (answer.truncated, answer.tokens) == (2, 200 + tokens_of(model, texts[0]))


def test_a_short_text_is_held_to_the_limit_too(model: Embedder) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(ApiError, match=r"exceeds maximum allowed token size 8$"):
            await engine.embed(["a text of some words"], role="query")

    served(model, work, max_tokens=8)


@pytest.mark.parametrize("size", [0, -1, 65])
def test_a_size_that_the_model_does_not_have_is_refused(model: Embedder, size: int) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(ApiError) as raised:
            await engine.embed(["the"], role="query", dimensions=size)
        assert raised.value.code == "invalid_dimensions"

    served(model, work)


def test_an_instruction_is_refused_where_the_model_takes_none(model: Embedder) -> None:
    async def work(engine: Engine) -> None:
        with pytest.raises(ApiError) as raised:
            await engine.embed(["the"], role="query", instruction="Find it.")
        assert (raised.value.code, raised.value.param) == ("invalid_request", "instruction")

    served(model, work)


def test_a_caller_may_go_at_any_moment(model: Embedder) -> None:
    async def work(engine: Engine) -> None:
        for turns in range(40):
            task = asyncio.create_task(engine.embed(texts_of(3, 40, 80), role="document"))
            for _ in range(turns):
                await asyncio.sleep(0)
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        stays = await engine.embed(texts_of(3), role="document")
        assert np.array_equal(stays.vectors, model.encode_documents(texts_of(3)))
        assert engine.queued_tokens == 0

    served(model, work)
