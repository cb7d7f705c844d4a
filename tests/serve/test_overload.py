"""Too much at once, and clients that behave badly meanwhile: nobody else notices, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import numpy as np
import pytest
from tests.serve.engines import Gate, until
from tests.serve.listening import Line, Site, embedding, post, visiting
from tests.serve.overload import Asked, closed_loop, embed_request, overload, port_of
from tests.serve.overload import Line as Caller
from tests.serve.running import PATIENCE, Process, process

from biencoder.embedder.embedder import Embedder

TEXT = "the river and the lakes and the bends " * 12
REQUEST = embed_request([TEXT] * 32, "passage", "tiny")


def tokens_of(model: Embedder, texts: int) -> int:
    return texts * model.tokenizer.count(TEXT, "passage: ")


def tiny_server(checkpoints: dict[str, Path], queued_tokens: int) -> tuple[str, ...]:
    """Arguments of a service of the tiny model, in which so many tokens may wait."""
    name = str(checkpoints["1b"])
    return (
        *("--model", name, "--alias", f"tiny={name}", "--warmup", "short"),
        *("--max-queued-tokens", str(queued_tokens)),
    )


def test_ten_times_too_much_is_refused_and_what_is_accepted_comes_soon(
    model: Embedder, checkpoints: dict[str, Path]
) -> None:
    queued = 6
    asked = Asked(
        request=REQUEST,
        probe=embed_request([TEXT], "passage", "tiny"),
        callers=4,
        capacity_requests=16,
        before=1.0,
        seconds=2.0,
    )
    with process(*tiny_server(checkpoints, tokens_of(model, 32 * queued))) as running:
        seen = asyncio.run(overload(port_of(running), running.popen.pid, asked))
    assert set(seen.statuses) == {200, 429}, seen.statuses
    assert seen.statuses[429] > seen.statuses[200] > queued
    assert set(seen.probes) <= {200, 429}
    refusals = [answer for answer in seen.answers if answer.status == 429]
    assert all(1 <= int(answer.pause or 0) <= 120 for answer in refusals)
    # What waits before it, and its own batches; three times that for a machine that has other work.
    assert max(seen.accepted) <= 3 * (queued + 1) / seen.capacity + 1.0
    assert seen.growth < 48
    assert seen.recovery <= 5.0


def test_told_to_stop_with_a_full_queue_it_answers_everybody(
    model: Embedder, checkpoints: dict[str, Path]
) -> None:
    async def visit(running: Process, port: int) -> Counter[int]:
        callers = [await Caller.to(port) for _ in range(40)]
        answering = [asyncio.create_task(caller.ask(REQUEST)) for caller in callers]
        # Some are refused: the queue is full, and it is then that TERM comes.
        await asyncio.wait(answering, return_when=asyncio.FIRST_COMPLETED)
        running.popen.send_signal(signal.SIGTERM)
        replies = await asyncio.wait_for(asyncio.gather(*answering), PATIENCE)
        for caller in callers:
            caller.close()
        assert all(len(json.loads(one.body)["data"]) == 32 for one in replies if one.status == 200)
        return Counter(reply.status for reply in replies)

    with process(*tiny_server(checkpoints, tokens_of(model, 32 * 6))) as running:
        answered = asyncio.run(visit(running, port_of(running)))
        assert running.popen.wait(PATIENCE) == 0
    assert set(answered) <= {200, 429, 503}, answered
    assert answered[200] >= 1
    assert answered[429] >= 1


# --- In this process: bad clients beside good ones ----------------------------------------------


async def good_ones(site: Site) -> None:
    """Eight callers with fifteen requests each get vectors, all of them."""
    answers = await closed_loop(site.port, [embedding()] * 120, 8)
    assert Counter(answer.status for answer in answers) == {200: 120}


async def half_a_body(site: Site, line: Line) -> None:
    await line.send(embedding()[:-10])
    assert (await line.answer()).status == 408


async def gone_in_its_body(site: Site, line: Line) -> None:
    await line.send(embedding()[:-10])
    line.writer.close()


async def gone_after_its_body(site: Site, line: Line) -> None:
    await line.send(many(100))
    line.writer.close()


async def ten_thousand_inputs(site: Site, line: Line) -> None:
    await line.send(many(10_000))
    assert (await line.answer()).status == 400


async def slow_reader(site: Site, line: Line) -> None:
    await line.send(many(100))
    # It takes nothing while the good ones are served; then all of it is there.
    await good_ones(site)
    answer = await line.answer()
    assert answer.status == 200
    vectors = np.array([item["embedding"] for item in answer.json["data"]])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    assert len(vectors) == 100


def many(count: int) -> bytes:
    fields = {"model": "tiny", "input": ["the"] * count, "input_type": "passage"}
    return post(json.dumps(fields).encode())


@pytest.mark.parametrize(
    "behave",
    [half_a_body, gone_in_its_body, gone_after_its_body, ten_thousand_inputs, slow_reader],
)
def test_bad_clients_harm_no_good_ones_and_leave_nothing_behind(
    model: Embedder, behave: Callable[[Site, Line], Awaitable[None]]
) -> None:
    async def visit(site: Site) -> None:
        lines = [await site.line(receive_buffer=4096) for _ in range(4)]
        await asyncio.gather(good_ones(site), *(behave(site, line) for line in lines))
        await until(lambda: site.service.in_flight == 0)
        engine = site.service.registry.served[0].engine
        await until(lambda: engine.queued_tokens == 0)
        await good_ones(site)

    visiting(model, visit, body_timeout=0.3, send_buffer=4096)


def test_clients_that_hang_up_while_they_wait_are_dropped_and_the_others_answered(
    model: Embedder, gate: Gate
) -> None:
    async def visit(site: Site) -> None:
        engine = site.service.registry.served[0].engine
        first = asyncio.create_task(site.ask(embedding()))
        await until(lambda: len(gate.batches) == 1)
        gone = [await site.line() for _ in range(5)]
        for line in gone:
            await line.send(embedding("the river and the lakes"))
        staying = [asyncio.create_task(site.ask(embedding("the bends"))) for _ in range(3)]
        await until(lambda: site.service.in_flight == 9)
        for line in gone:
            line.writer.close()
        await until(lambda: site.service.in_flight == 4)
        gate.open()
        answers = await asyncio.gather(first, *staying)
        assert [answer.status for answer in answers] == [200] * 4
        assert engine.totals.cancelled == 5
        assert engine.queued_tokens == 0

    visiting(model, visit)
    assert sum(map(len, gate.batches)) == 4
