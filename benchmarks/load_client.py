"""A client of little weight: HTTP/1.1 over plain sockets, in a closed and in an open loop.

Closed loop: so many callers, each sends its next request when its last is answered; gives the
highest throughput. Open loop: requests arrive by chance at a given rate, answered or not, and a
latency counts from the scheduled moment; gives what users feel. All requests are bytes beforehand.

As a process of its own (`python load_client.py`): a plan as one line of JSON on stdin, "ready" on
stdout, a second line with the moment to begin (`time.monotonic`), and a report as JSON at the end.
"""

from __future__ import annotations

import asyncio
import json
import random
import resource
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import uvloop

# More connections than this, and what is measured would be the kernel.
MOST_LINES = 512
LOST = 0


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer; status LOST: the connection ended without one."""

    status: int
    head: bytes = b""
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of a header, if it is there."""
        found = _after(self.head, f"\r\n{name.lower()}:".encode())
        return None if found is None else found.decode("latin-1").strip()


@dataclass(frozen=True, slots=True)
class Answer:
    """When a request was to be sent (`time.monotonic`), how long until its answer, which status.

    late: seconds that it was sent after its moment, by fault of this client. pause: what a refusal
    says in Retry-After.
    """

    scheduled: float
    seconds: float
    status: int
    late: float = 0.0
    pause: str | None = None


class Line(asyncio.Protocol):
    """A kept connection; one request at a time."""

    def __init__(self) -> None:
        self._got = bytearray()
        self._needs = -1
        self._answered: asyncio.Future[Reply] | None = None
        self.open = False

    @classmethod
    async def to(cls, port: int) -> Line:
        """Connect to a server on this machine."""
        loop = asyncio.get_running_loop()
        return (await loop.create_connection(cls, "127.0.0.1", port))[1]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The connection is there."""
        # Any: uvloop's transports are of no class of asyncio's.
        self._transport: Any = transport
        self.open = True

    def connection_lost(self, exc: Exception | None) -> None:
        """The other side, or we, have ended it."""
        self.open = False
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(Reply(LOST))

    def data_received(self, data: bytes) -> None:
        """A piece of an answer."""
        self._got += data
        if self._needs < 0:
            end = self._got.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _after(bytes(self._got[: end + 2]), b"\r\ncontent-length:")
            if length is None:
                raise ValueError("an answer without Content-Length, which this client cannot read")
            self._head, self._needs = end + 2, end + 4 + int(length)
        if len(self._got) >= self._needs and self._answered and not self._answered.done():
            head = bytes(self._got[: self._head])
            body = bytes(self._got[self._head + 2 : self._needs])
            if _after(head, b"\r\nconnection:") == b" close":
                self.open = False
            self._answered.set_result(Reply(int(head[9:12]), head, body))

    async def ask(self, request: bytes) -> Reply:
        """Send a request, give its answer."""
        if not self.open:
            return Reply(LOST)
        self._got.clear()
        self._needs = -1
        self._answered = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answered

    def close(self) -> None:
        """End it."""
        self._transport.close()


def post(path: str, body: bytes) -> bytes:
    """A request as bytes."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def closed_loop(port: int, requests: Sequence[bytes], callers: int) -> list[Answer]:
    """All requests, ``callers`` of them at a time."""
    waiting = iter(requests)
    answers: list[Answer] = []

    async def call() -> None:
        line = await Line.to(port)
        for request in waiting:
            if not line.open:
                line = await Line.to(port)
            began = time.monotonic()
            reply = await line.ask(request)
            answers.append(Answer(began, time.monotonic() - began, reply.status))
        line.close()

    await asyncio.gather(*(call() for _ in range(min(callers, len(requests)))))
    return answers


async def open_loop(
    port: int, requests: Sequence[bytes], rate: float, seconds: float, *, seed: int = 0
) -> list[Answer]:
    """Requests (again and again) at ``rate`` a second for so long; ends with the last answer."""
    free: list[Line] = []
    room = asyncio.Semaphore(MOST_LINES)
    began = time.monotonic()

    async def one(request: bytes, moment: float) -> Answer:
        async with room:
            line = free.pop() if free else await Line.to(port)
            if not line.open:
                line = await Line.to(port)
            late = time.monotonic() - moment
            reply = await line.ask(request)
            took = time.monotonic() - moment
            free.append(line)
        return Answer(moment, took, reply.status, late, reply.header("retry-after"))

    tasks = []
    for number, after in enumerate(arrivals(rate, seconds, seed)):
        if (pause := began + after - time.monotonic()) > 0:
            await asyncio.sleep(pause)
        request = requests[number % len(requests)]
        tasks.append(asyncio.create_task(one(request, began + after)))
    answers = await asyncio.gather(*tasks)
    for line in free:
        line.close()
    return answers


def arrivals(rate: float, seconds: float, seed: int) -> Iterator[float]:
    """Moments of a Poisson process, in seconds from its begin."""
    source = random.Random(seed)
    moment = source.expovariate(rate)
    while moment < seconds:
        yield moment
        moment += source.expovariate(rate)


def main() -> None:
    """One plan, one report."""
    plan: dict[str, Any] = json.loads(sys.stdin.readline())
    requests = [post(plan["path"], body.encode()) for body in plan["bodies"]]
    print("ready", flush=True)
    time.sleep(max(0.0, float(sys.stdin.readline()) - time.monotonic()))
    before, began = _processor_seconds(), time.monotonic()
    if plan["loop"] == "closed":
        work = closed_loop(plan["port"], requests, plan["callers"])
    else:
        work = open_loop(
            plan["port"], requests, plan["rate"], plan["seconds"], seed=plan.get("seed", 0)
        )
    answers = uvloop.run(work)
    report = {
        "answers": [[one.scheduled, one.seconds, one.status, one.late] for one in answers],
        "processor seconds": _processor_seconds() - before,
        "seconds": time.monotonic() - began,
    }
    print(json.dumps(report), flush=True)


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _after(head: bytes, name: bytes) -> bytes | None:
    """What a line of the head says after its name; ``head`` ends with a line's end."""
    start = head.lower().find(name)
    if start < 0:
        return None
    start += len(name)
    return head[start : head.index(b"\r\n", start)]


if __name__ == "__main__":
    main()
