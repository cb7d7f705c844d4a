"""More than a service can do: first what it can, then ten times that, then how soon it is well again."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

sys.path.append(str(Path(__file__).parent.parent.parent / "benchmarks"))

from tests.serve.running import Process

from load_client import Answer, Line, Reply, closed_loop, open_loop, post

__all__ = ["Asked", "Line", "Seen", "ask", "closed_loop", "embed_request", "overload", "port_of"]

PROBE_PAUSE = 0.05


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A kind of load. request: one of it; probe: what a user sends afterwards; times: the capacity.

    callers: enough for full batches, and few enough to be let in. before: so many
    requests' worth of work may be done before the probe's answer though all is well again.
    """

    request: bytes
    probe: bytes
    callers: int
    capacity_requests: int
    before: float
    seconds: float
    times: float = 10.0


@dataclass(frozen=True, kw_only=True)
class Seen:
    """capacity: requests a second; usual: seconds of the probe when idle; memory: MB, in time's order."""

    capacity: float
    usual: float
    answers: list[Answer]
    memory: list[float]
    recovery: float
    probes: Counter[int]

    @property
    def statuses(self) -> Counter[int]:
        return Counter(answer.status for answer in self.answers)

    @property
    def accepted(self) -> list[float]:
        """Seconds of each request that was answered with vectors."""
        return [answer.seconds for answer in self.answers if answer.status == 200]

    @property
    def accepted_per_second(self) -> float:
        begun = min(answer.scheduled for answer in self.answers)
        ended = max(answer.scheduled + answer.seconds for answer in self.answers)
        return len(self.accepted) / (ended - begun)

    @property
    def growth(self) -> float:
        """MB by which the peak of the second half is above that of the first."""
        half = len(self.memory) // 2
        return max(self.memory[half:]) - max(self.memory[:half])


def embed_request(texts: Sequence[str], input_type: str, model: str) -> bytes:
    fields = {"model": model, "input": list(texts), "input_type": input_type}
    return post("/v1/embeddings", json.dumps({**fields, "encoding_format": "base64"}).encode())


async def overload(port: int, pid: int, asked: Asked) -> Seen:
    """What is seen of a service that is ready, before, under and after too much load."""
    began = time.monotonic()
    whole = await closed_loop(port, [asked.request] * asked.capacity_requests, asked.callers)
    assert {answer.status for answer in whole} == {200}
    capacity = len(whole) / (time.monotonic() - began)
    usual = statistics.median(
        [answer.seconds for answer in await closed_loop(port, [asked.probe] * 5, 1)]
    )

    memory: list[float] = []
    watching = asyncio.create_task(watch(pid, memory))
    ends = time.monotonic() + asked.seconds
    rate = asked.times * capacity
    loading = asyncio.create_task(open_loop(port, [asked.request], rate, asked.seconds))
    await asyncio.sleep(ends - time.monotonic())
    dropped = time.monotonic()
    probes: Counter[int] = Counter()
    # Half as much again for a busy machine.
    well = 1.5 * (usual + asked.before / capacity)
    # One may be lucky; three in a row are not.
    in_a_row = 0
    recovered = dropped
    while in_a_row < 3:
        moment = time.monotonic()
        status = (await ask(port, asked.probe)).status
        probes[status] += 1
        fine = status == 200 and time.monotonic() - moment <= well
        if not fine:
            recovered = time.monotonic()
            await asyncio.sleep(PROBE_PAUSE)
        in_a_row = in_a_row + 1 if fine else 0
    answers = await loading
    watching.cancel()
    return Seen(
        capacity=capacity,
        usual=usual,
        answers=answers,
        memory=memory,
        recovery=recovered - dropped,
        probes=probes,
    )


def port_of(running: Process) -> int:
    """Where a process listens, once it is ready."""
    running.wait_for("Ready")
    return int(running.base.rsplit(":", 1)[1])


async def ask(port: int, request: bytes) -> Reply:
    """One request on a connection of its own."""
    line = await Line.to(port)
    try:
        return await line.ask(request)
    finally:
        line.close()


async def watch(pid: int, memory: list[float]) -> None:
    """Note a process's resident MB ten times a second."""
    process = psutil.Process(pid)
    while True:
        memory.append(process.memory_info().rss / 1e6)
        await asyncio.sleep(0.1)
