"""Five minutes: ten times what a 1B-shaped model can do; it neither breaks nor is slow afterwards."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from tests.serve.overload import Asked, Seen, closed_loop, embed_request, overload, port_of
from tests.serve.running import Process, process

from biencoder.config.family import NEMOTRON_1B
from biencoder.embedder.device import CPU_TOKEN_BUDGET
from biencoder.embedder.random_checkpoint import write_random_checkpoint
from biencoder.serve.engine.admission import DRAIN_SECONDS, LEAST_BUDGETS

pytestmark = pytest.mark.soak

# One token a byte: 129 of them with the role's prefix and the begin.
PASSAGE = "a river bends until it takes the short way and leaves a lake " * 2
TOKENS = 129
SECONDS = 60.0
ENOUGH = 64
REQUEST = embed_request([PASSAGE], "passage", "big")


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The 1B shape cut to three layers, random weights."""
    assert NEMOTRON_1B.config is not None
    folder = tmp_path_factory.mktemp("random") / "1b"
    config = replace(NEMOTRON_1B.config, num_hidden_layers=3)
    write_random_checkpoint(NEMOTRON_1B, folder, seed=0, config=config)
    return folder


def test_the_queue_that_it_has_by_default_is_never_passed_and_a_query_need_not_wait_for_it(
    big: Path,
) -> None:
    # While passages wait: the batch that runs, one of those that lost their patience, and its own.
    seen = overloaded(big, CPU_TOKEN_BUDGET, probe="query", callers=32, batches=3)
    # The passages that wait are computed for so long.
    check(seen, max(DRAIN_SECONDS, LEAST_BUDGETS * CPU_TOKEN_BUDGET / TOKENS / seen.capacity))


def test_with_a_queue_of_two_seconds_all_is_as_before_within_five(big: Path) -> None:
    seconds, budget = 2.0, 256
    limit = max(2 * budget, int(seconds * TOKENS * capacity_of(big, budget)))
    queue = ("--max-queued-tokens", str(limit))
    callers = limit // TOKENS
    check(overloaded(big, budget, *queue, probe="passage", callers=callers, batches=1), seconds)


def overloaded(
    model: Path, budget: int, *arguments: str, probe: str, callers: int, batches: int
) -> Seen:
    """A minute of passages, ten times too many; the probe is one text of that role.

    batches: so many may be computed before a probe's answer.
    """
    asked = Asked(
        request=REQUEST,
        probe=embed_request([PASSAGE], probe, "big"),
        callers=callers,
        capacity_requests=ENOUGH,
        before=batches * budget / TOKENS,
        seconds=SECONDS,
    )
    with service(model, "--token-budget", str(budget), *arguments) as running:
        seen = asyncio.run(overload(port_of(running), running.popen.pid, asked))
    print(
        f"can do {seen.capacity:.1f}/s, did {seen.accepted_per_second:.1f}/s; "
        f"{dict(seen.statuses)}; slowest accepted {max(seen.accepted):.1f} s; "
        f"usual {seen.usual:.2f} s; memory {seen.growth:+.1f} MB; recovery {seen.recovery:.1f} s"
    )
    return seen


def check(seen: Seen, queue_seconds: float) -> None:
    """What holds whatever the length of the queue."""
    assert set(seen.statuses) == {200, 429}, seen.statuses
    assert set(seen.probes) <= {200, 429}, seen.probes
    refusals = [answer for answer in seen.answers if answer.status == 429]
    assert all(1 <= int(answer.pause or 0) <= 120 for answer in refusals)
    # To refuse costs something, but little.
    assert seen.accepted_per_second >= 0.75 * seen.capacity
    # What waits before it, and two batches, on a machine that is half as fast now and then.
    assert max(seen.accepted) <= 2 * (queue_seconds + 2.0)
    assert seen.growth <= 32
    assert seen.recovery <= 5.0


def capacity_of(model: Path, budget: int) -> float:
    """Requests a second."""

    async def measure(port: int) -> float:
        answers = await closed_loop(port, [REQUEST] * ENOUGH, 32)
        begun = min(answer.scheduled for answer in answers)
        return ENOUGH / (max(answer.scheduled + answer.seconds for answer in answers) - begun)

    with service(model, "--token-budget", str(budget)) as running:
        return asyncio.run(measure(port_of(running)))


@contextmanager
def service(model: Path, *arguments: str) -> Iterator[Process]:
    """A service of this model on all cores."""
    names = ("--model", str(model), "--alias", f"big={model}")
    with process(*names, *arguments, OMP_NUM_THREADS=str(os.cpu_count())) as running:
        yield running
