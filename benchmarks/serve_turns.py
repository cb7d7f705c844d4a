"""The turns of a round of `serve.py`: offline, closed loops, idle, and an open loop at 70 %."""

from __future__ import annotations

import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass

from biencoder import Embedder
from harness import seconds
from servers import Load, Server, send

CALLERS = 64
CLIENTS = 2
# Of a core: a client process that needs more is what is measured.
FULLEST = 0.7
CORES = os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Size:
    """How much of everything. texts: of a turn; batches: requests of 32 texts; idle: texts one by one."""

    texts: int
    batches: int
    idle: int
    open_seconds: float


FULL = Size(texts=2048, batches=128, idle=60, open_seconds=40.0)
SHORT = Size(texts=96, batches=4, idle=8, open_seconds=4.0)


@dataclass(frozen=True)
class Bench:
    """What all turns share. peers: servers beside ours, by name."""

    embedder: Embedder
    passages: list[str]
    ours: Server
    peers: dict[str, Server]
    size: Size

    def texts(self, count: int) -> list[str]:
        """So many, again from the start where there are not so many."""
        return [self.passages[number % len(self.passages)] for number in range(count)]


Figures = dict[str, float]


def one_round(bench: Bench) -> Figures:
    """Every contestant once; rates in texts a second, latencies in milliseconds."""
    size = bench.size
    texts = bench.texts(size.texts)
    offline = len(texts) / seconds(lambda: bench.embedder.encode_documents(texts))
    figures: Figures = {"offline": offline}
    figures |= closed(bench.ours, "1 text", texts, 1)
    figures |= closed(bench.ours, "32 texts", bench.texts(32 * size.batches), 32)
    figures |= idle(bench)
    figures |= at_70_percent(bench, figures["biencoder, 1 text, texts a second"])
    for peer in bench.peers.values():
        figures |= closed(peer, "1 text", texts, 1)
    return figures


def closed(server: Server, name: str, texts: list[str], per_request: int) -> Figures:
    """64 callers until all texts are embedded; share: of all cores' seconds, what the client took."""
    with server.awake():
        load = checked(
            server,
            send(
                server,
                server.bodies(texts, per_request),
                clients=CLIENTS,
                loop="closed",
                callers=CALLERS,
            ),
        )
    of_all = load.seconds * CORES
    found = {
        "texts a second": len(texts) / load.seconds,
        "client's share": load.processor_seconds / of_all,
        "client's fullest process": load.fullest,
        "p50": load.milliseconds(0.5),
        "p99": load.milliseconds(0.99),
    }
    return {f"{server.name}, {name}, {key}": value for key, value in found.items()}


def idle(bench: Bench) -> Figures:
    """One text at a time: offline, then one caller with the same texts."""
    texts = bench.texts(bench.size.idle)
    encode: Callable[[str], object] = lambda text: bench.embedder.encode_documents([text])  # noqa: E731
    offline = statistics.median(seconds(lambda text=text: encode(text)) for text in texts)  # type: ignore[misc]
    with bench.ours.awake():
        bodies = bench.ours.bodies(texts, 1)
        load = checked(bench.ours, send(bench.ours, bodies, clients=1, loop="closed", callers=1))
    return {
        "offline, one text, p50": offline * 1e3,
        "biencoder, idle, p50": load.milliseconds(0.5),
        "biencoder, idle, p99": load.milliseconds(0.99),
    }


def at_70_percent(bench: Bench, capacity: float) -> Figures:
    """Open loop at 70 % of what 64 callers got."""
    rate = 0.7 * capacity
    plan = {"loop": "open", "rate": rate, "seconds": bench.size.open_seconds}
    with bench.ours.awake():
        bodies = bench.ours.bodies(bench.texts(bench.size.texts), 1)
        load = checked(bench.ours, send(bench.ours, bodies, clients=CLIENTS, **plan))
    return {
        "biencoder, 70 %, requests a second": rate,
        "biencoder, 70 %, p50": load.milliseconds(0.5),
        "biencoder, 70 %, p99": load.milliseconds(0.99),
        "biencoder, 70 %, client late, p99": load.late_milliseconds,
    }


def checked(server: Server, load: Load) -> Load:
    """The load, if all was answered and the client was not the limit."""
    wrong = [one.status for one in load.answers if one.status != 200]
    if wrong:
        raise SystemExit(f"{server.name}: {len(wrong)} of {len(load.answers)} answers: {wrong[0]}")
    if load.fullest > FULLEST:
        raise SystemExit(f"a client process used {load.fullest:.0%} of a core: it is the limit")
    return load
