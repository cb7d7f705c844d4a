"""The engine with a tiny model: whose vectors, and in which order."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import numpy as np
import pytest
from tests import tiny
from tests.serve.engines import Gate, at_the_door, served, texts_of, tokens_of, until

from biencoder.embedder.embedder import Embedder
from biencoder.serve.engine import queue
from biencoder.serve.engine.counts import BatchFacts
from biencoder.serve.engine.engine import Embedded, Engine


@pytest.mark.parametrize("role", ["query", "document"])
def test_one_request_on_an_idle_engine_gives_the_bits_of_the_offline_embedder(
    model: Embedder, role: Any
) -> None:
    lengths = np.random.default_rng(1).integers(0, 60, 300)
    texts = [*texts_of(*lengths.tolist()), *tiny.TEXTS]
    answer = served(model, lambda engine: engine.embed(texts, role=role))
    encode = model.encode_queries if role == "query" else model.encode_documents
    assert np.array_equal(answer.vectors, encode(texts))
    prefix = tiny.QUERY if role == "query" else tiny.PASSAGE
    assert answer.tokens == sum(model.tokenizer.counts(texts, prefix))
    assert answer.tokens > 3 * model.token_budget


def test_in_company_a_text_has_the_same_vector_within_1e_5(model: Embedder) -> None:
    texts = [*texts_of(*range(40)), *tiny.TEXTS]

    async def together(engine: Engine) -> list[Embedded]:
        return await asyncio.gather(*(engine.embed([text], role="document") for text in texts))

    answers = served(model, together)
    vectors = np.concatenate([answer.vectors for answer in answers])
    np.testing.assert_allclose(vectors, model.encode_documents(texts), rtol=0, atol=1e-5)


def test_the_roles_have_different_vectors(model: Embedder) -> None:
    async def both(engine: Engine) -> tuple[Embedded, Embedded]:
        return (
            await engine.embed(tiny.TEXTS, role="query"),
            await engine.embed(tiny.TEXTS, role="document"),
        )

    query, document = served(model, both)
    assert (np.abs(query.vectors - document.vectors).max(axis=1) > 1e-3).all()


def test_sizes_may_differ_within_a_batch(model: Embedder, gate: Gate) -> None:
    async def work(engine: Engine) -> list[Embedded]:
        blocker = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: len(gate.batches) == 1)
        sizes = (64, 32, None)
        tasks = [
            asyncio.create_task(engine.embed(["the river"], role="document", dimensions=size))
            for size in sizes
        ]
        await until(lambda: at_the_door(engine) == 3)
        gate.open()
        await blocker
        return await asyncio.gather(*tasks)

    answers = served(model, work)
    assert len(gate.batches) == 2
    full = model.encode_documents(["the river"])
    short = full[:, :32] / np.linalg.norm(full[:, :32])
    assert [answer.vectors.shape for answer in answers] == [(1, 64), (1, 32), (1, 64)]
    for answer, expected in zip(answers, (full, short, full), strict=True):
        np.testing.assert_allclose(answer.vectors, expected, rtol=0, atol=1e-6)


def test_no_texts_give_no_vectors(model: Embedder) -> None:
    answer = served(model, lambda engine: engine.embed([], role="query", dimensions=8))
    assert answer.vectors.shape == (0, 8)
    assert answer.tokens == 0


def test_the_times_add_up_to_the_time_in_the_engine(model: Embedder) -> None:
    async def timed(engine: Engine) -> tuple[float, Embedded]:
        begun = time.perf_counter()
        answer = await engine.embed(texts_of(30, 20, 300), role="document")
        return time.perf_counter() - begun, answer

    total, answer = served(model, timed)
    timings = answer.timings
    assert min(timings.tokenize, timings.queue, timings.inference) >= 0.0
    assert 0.0 < timings.tokenize + timings.queue + timings.inference <= total


def test_a_query_overtakes_waiting_passages_and_the_batch_that_lies_ready(
    model: Embedder, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    # However busy the machine is.
    monkeypatch.setattr(queue, "PATIENCE_SECONDS", 60.0)

    async def work(engine: Engine) -> None:
        passages = asyncio.create_task(engine.embed(texts_of(*[40] * 6), role="document"))
        await until(lambda: gate.batches != [] and engine.queued_tokens == 4 * length)
        query = asyncio.create_task(engine.embed(["where"], role="query"))
        await until(lambda: at_the_door(engine) == 1)
        gate.let_through(2)
        await query
        assert not passages.done()
        gate.open()
        await passages

    length = tokens_of(model, texts_of(40)[0])
    served(model, work, token_budget=length, max_queued_tokens=8 * length)
    assert gate.batches[0] == [length]
    assert gate.batches[1] == [tokens_of(model, "where", tiny.QUERY)]
    assert gate.batches[2:] == [[length]] * 5


def test_a_full_batch_is_chosen_while_another_computes(model: Embedder, gate: Gate) -> None:
    length = tokens_of(model, texts_of(40)[0])

    async def work(engine: Engine) -> None:
        passages = asyncio.create_task(engine.embed(texts_of(*[40] * 4), role="document"))
        # One runs, one is taken out of the queue already, two wait.
        await until(lambda: gate.batches != [] and engine.queued_tokens == 2 * length)
        gate.open()
        await passages

    served(model, work, token_budget=length)


def test_requests_that_come_meanwhile_share_the_next_batch(model: Embedder, gate: Gate) -> None:
    words = [3, 9, 5, 7]
    expected = sorted((tokens_of(model, text) for text in texts_of(*words)), reverse=True)
    facts: list[BatchFacts] = []

    async def work(engine: Engine) -> None:
        blocker = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: len(gate.batches) == 1)
        tasks = [
            asyncio.create_task(engine.embed([text], role="document")) for text in texts_of(*words)
        ]
        await until(lambda: at_the_door(engine) == 4)
        assert engine.queued_tokens == sum(expected)
        gate.open()
        await asyncio.gather(blocker, *tasks)
        assert engine.totals.batches == 2
        assert engine.totals.requests == engine.totals.texts == 5

    served(model, work, on_batch=facts.append)
    assert gate.batches[1] == expected
    assert facts[1].texts == 4
    assert facts[1].tokens == sum(expected)
    assert facts[1].fill == sum(expected) / model.token_budget
