"""What goes wrong in an engine costs the request that it belongs to, and nobody waits for ever."""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import numpy as np
import pytest
import torch
from tests.serve.engines import Gate, at_the_door, served, texts_of, tokens_of, until

from biencoder.embedder.embedder import Embedder
from biencoder.serve.engine import step
from biencoder.serve.engine.computing import ComputingThread
from biencoder.serve.engine.engine import Embedded, Engine
from biencoder.serve.errors import ApiError

WORDS = [5, 12, 20, 28]


def side_by_side(model: Embedder, gate: Gate) -> list[Embedded | BaseException]:
    """Four requests of one text each, all in the second batch; answers and errors."""

    async def work(engine: Engine) -> list[Embedded | BaseException]:
        blocker = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: len(gate.batches) == 1)
        tasks = [
            asyncio.create_task(engine.embed([text], role="document")) for text in texts_of(*WORDS)
        ]
        await until(lambda: at_the_door(engine) == len(WORDS))
        gate.open()
        await blocker
        return await asyncio.gather(*tasks, return_exceptions=True)

    return served(model, work)


def assert_only_the_third_failed(model: Embedder, results: list[Embedded | BaseException]) -> None:
    expected = model.encode_documents(texts_of(*WORDS))
    for place, result in enumerate(results):
        if place == 2:
            assert isinstance(result, ApiError)
            assert (result.status, result.code) == (500, "engine_error")
            assert result.headers == {"x-should-retry": "false"}
            assert "river" not in result.message
        else:
            assert isinstance(result, Embedded)
            np.testing.assert_allclose(result.vectors[0], expected[place], rtol=0, atol=1e-5)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 0.0])
def test_a_vector_that_is_no_vector_fails_its_own_request_only(
    model: Embedder, gate: Gate, value: float
) -> None:
    ours = tokens_of(model, texts_of(20)[0])

    def spoil(pooled: torch.Tensor, lengths: list[int]) -> None:
        if ours in lengths:
            pooled[lengths.index(ours)] = value

    gate.after = spoil
    results = side_by_side(model, gate)
    gate.after = lambda pooled, lengths: None
    assert_only_the_third_failed(model, results)


def test_a_fault_fails_the_request_that_causes_it_only(
    model: Embedder, gate: Gate, caplog: pytest.LogCaptureFixture
) -> None:
    ours = tokens_of(model, texts_of(20)[0])

    def fail(lengths: list[int]) -> None:
        if ours in lengths:
            raise IndexError("a token beyond the table")

    gate.before = fail
    with caplog.at_level(logging.WARNING, "biencoder.serve"):
        results = side_by_side(model, gate)
    gate.before = lambda lengths: None
    assert_only_the_third_failed(model, results)
    assert "a token beyond the table" in caplog.text
    assert "river" not in caplog.text


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
    ids=["cuda", "cpu"],
)
def test_a_batch_without_memory_is_computed_in_two_halves(
    model: Embedder, gate: Gate, error: Exception
) -> None:
    def fail(lengths: list[int]) -> None:
        if len(lengths) > 2:
            raise error

    gate.before = fail
    results = side_by_side(model, gate)
    sizes = [tokens_of(model, text) for text in texts_of(28, 20, 12, 5)]
    assert gate.batches[1:] == [sizes, sizes[:2], sizes[2:]]
    gate.before = lambda lengths: None
    expected = model.encode_documents(texts_of(*WORDS))
    for result, vector in zip(results, expected, strict=True):
        assert isinstance(result, Embedded)
        np.testing.assert_allclose(result.vectors[0], vector, rtol=0, atol=1e-5)


def test_a_half_that_has_no_memory_either_is_given_up(model: Embedder, gate: Gate) -> None:
    longest = tokens_of(model, texts_of(28)[0])

    def fail(lengths: list[int]) -> None:
        if longest in lengths:
            raise torch.OutOfMemoryError("CUDA out of memory")

    gate.before = fail
    results = side_by_side(model, gate)
    assert len(gate.batches) == 4
    assert [isinstance(result, Embedded) for result in results] == [True, True, False, False]


def test_a_request_that_failed_computes_no_more_of_its_texts(model: Embedder, gate: Gate) -> None:
    length = tokens_of(model, texts_of(30)[0])

    def fail(lengths: list[int]) -> None:
        raise IndexError("a token beyond the table")

    async def work(engine: Engine) -> None:
        with pytest.raises(ApiError):
            await engine.embed(texts_of(*[30] * 50), role="document")
        gate.before = lambda lengths: None
        await engine.embed(["the"], role="query")
        assert engine.queued_tokens == 0
        assert engine.totals.failed == 1

    gate.before = fail
    gate.open()
    served(model, work, token_budget=length)
    assert len(gate.batches) < 50


def test_a_thread_that_dies_leaves_nobody_waiting(
    model: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(thread: ComputingThread) -> None:
        raise KeyError("a mistake of ours")

    async def work(engine: Engine) -> None:
        await engine.embed(["the"], role="query")
        monkeypatch.setattr(ComputingThread, "_choose", die)
        with pytest.raises(ApiError) as raised:
            await engine.embed(["the"], role="query")
        assert raised.value.code == "engine_error"
        assert not engine.ready
        with pytest.raises(ApiError) as raised:
            await engine.embed(["the"], role="query")
        assert raised.value.code == "not_ready"

    served(model, work)


def test_a_fault_while_a_batch_is_made_ready_costs_nobody_the_engine(
    model: Embedder, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    length = tokens_of(model, texts_of(20)[0])
    failed: list[str] = []
    packed = step._packed

    def fail(*given: Any) -> Any:
        if threading.current_thread().name.startswith("prepare"):
            failed.append("once more where it is computed")
            raise RuntimeError("pinned memory is used up")
        return packed(*given)

    monkeypatch.setattr(step, "_packed", fail)

    async def work(engine: Engine) -> list[Embedded]:
        first = asyncio.create_task(engine.embed(["the"], role="document"))
        await until(lambda: len(gate.batches) == 1)
        rest = [asyncio.create_task(engine.embed(texts_of(20), role="document")) for _ in range(3)]
        await until(lambda: at_the_door(engine) == 3)
        gate.open()
        answers = await asyncio.gather(first, *rest)
        assert engine.ready
        return answers

    answers = served(model, work, token_budget=length)
    assert failed
    expected = model.encode_documents(texts_of(20))
    for answer in answers[1:]:
        np.testing.assert_allclose(answer.vectors, expected, rtol=0, atol=1e-5)


def test_a_fault_of_the_tokenizer_is_told_alike_where_a_short_text_is_read_at_once(
    model: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(texts: list[str]) -> object:
        raise Exception("the library knows no better type")

    async def work(engine: Engine) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(model.tokenizer, "_encode_batch", fail)
            with pytest.raises(ApiError) as raised:
                await engine.embed(["the"], role="query")
        assert raised.value.code == "engine_error"
        assert raised.value.headers == {"x-should-retry": "false"}
        await engine.embed(["the"], role="query")
        assert engine.totals.failed == 1
        assert engine.queued_tokens == 0

    served(model, work)


def test_a_fault_of_the_tokenizer_fails_its_own_request_only(
    model: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    encode = model.tokenizer._encode_batch

    def fail(texts: list[str]) -> object:
        if any("poison" in text for text in texts):
            raise Exception("the library knows no better type")
        return encode(texts)

    monkeypatch.setattr(model.tokenizer, "_encode_batch", fail)

    async def work(engine: Engine) -> list[Embedded | BaseException]:
        texts = ["poison" * 50, "river " * 50, "bends " * 50]
        tasks = [engine.embed([text], role="document") for text in texts]
        return await asyncio.gather(*tasks, return_exceptions=True)

    poisoned, *others = served(model, work)
    assert isinstance(poisoned, ApiError)
    assert poisoned.code == "engine_error"
    assert all(isinstance(other, Embedded) for other in others)
