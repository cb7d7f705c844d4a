"""Servers under measurement: each in a process of its own, stopped in its tracks out of its turn.

All of them stay loaded; whoever does not have its turn is suspended (SIGSTOP), so that nothing it
does in idle times, such as polling, is charged to another.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import uvloop

from biencoder.types import FloatArray
from load_client import Answer, Line, post

HERE = Path(__file__).parent
CLIENT = HERE / "load_client.py"
PATIENCE = 180.0


@dataclass(frozen=True)
class Server:
    """A running server. fields: what a body holds beside the texts; prefix: put before each text."""

    name: str
    process: subprocess.Popen[bytes]
    port: int
    path: str
    fields: dict[str, str]
    prefix: str = ""

    @contextlib.contextmanager
    def awake(self) -> Iterator[Server]:
        """Let it run for a while."""
        os.killpg(self.process.pid, signal.SIGCONT)
        try:
            yield self
        finally:
            os.killpg(self.process.pid, signal.SIGSTOP)

    def bodies(self, texts: Sequence[str], per_request: int) -> list[str]:
        """JSON of requests that hold so many texts each, as an OpenAI client would send them."""
        whole = [self.prefix + text for text in texts]
        parts = (whole[start : start + per_request] for start in range(0, len(whole), per_request))
        shared = {**self.fields, "encoding_format": "base64"}
        return [json.dumps({**shared, "input": part}) for part in parts]

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """What it answers, shape (texts, size); raises RuntimeError for a refusal."""

        async def ask() -> FloatArray:
            line = await Line.to(self.port)
            reply = await line.ask(post(self.path, self.bodies(texts, len(texts))[0].encode()))
            line.close()
            if reply.status != 200:
                raise RuntimeError(f"{self.name}: {reply.status} {reply.body[:300]!r}")
            data = sorted(json.loads(reply.body)["data"], key=lambda item: item["index"])
            rows = [np.frombuffer(base64.b64decode(one["embedding"]), "<f4") for one in data]
            return np.stack(rows)

        return uvloop.run(ask())


@dataclass(frozen=True, slots=True)
class Load:
    """What clients saw. processor_seconds: of all clients; fullest: the busiest one's share of a core."""

    answers: list[Answer]
    seconds: float
    processor_seconds: float
    fullest: float

    def milliseconds(self, share: float) -> float:
        """The latency that so large a share of the requests stays below."""
        return float(np.quantile([one.seconds for one in self.answers], share)) * 1e3

    @property
    def late_milliseconds(self) -> float:
        """How late the client itself was, for 99 of 100 requests."""
        return float(np.quantile([one.late for one in self.answers], 0.99)) * 1e3


@contextlib.contextmanager
def running(
    name: str,
    command: Callable[[int], list[str]],
    folder: Path,
    *,
    path: str,
    health: str,
    fields: dict[str, str],
    prefix: str = "",
) -> Iterator[Server]:
    """A server that has said it is well, suspended; killed at the end.

    command: of a port. Raises RuntimeError with its last words where it does not begin to answer.
    """
    port = _free_port()
    log = folder / f"{name}.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            command(port), stdout=said, stderr=subprocess.STDOUT, start_new_session=True
        )
    try:
        _wait_until_well(name, process, f"http://127.0.0.1:{port}{health}", log)
        server = Server(name, process, port, path, fields, prefix)
        with server.awake():
            server.vectors(["a first request, not measured"])
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def send(server: Server, bodies: Sequence[str], *, clients: int, **plan: Any) -> Load:
    """Load from ``clients`` processes, which share the bodies and what the plan says of numbers.

    plan: loop="closed", callers; or loop="open", rate, seconds.
    """
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(_client()) for _ in range(clients)]
        for number, process in enumerate(processes):
            own = {**plan, "bodies": bodies[number::clients], "seed": number}
            if "callers" in plan:
                own["callers"] = max(1, plan["callers"] // clients)
            if "rate" in plan:
                own["rate"] = plan["rate"] / clients
            _tell(process, json.dumps({"port": server.port, "path": server.path, **own}))
        for process in processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        began = time.monotonic() + 0.05
        for process in processes:
            _tell(process, str(began))
        reports = [json.loads(process.communicate()[0]) for process in processes]
    answers = [Answer(*one) for report in reports for one in report["answers"]]
    return Load(
        answers=answers,
        seconds=max(one.scheduled + one.seconds for one in answers) - began,
        processor_seconds=sum(report["processor seconds"] for report in reports),
        fullest=max(report["processor seconds"] / report["seconds"] for report in reports),
    )


def own_seconds() -> float:
    """Processor seconds of this process and of all that it has started."""
    total = 0.0
    me = psutil.Process()
    for process in (me, *me.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


def _client() -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CLIENT)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def _tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait_until_well(name: str, process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(url, timeout=1.0):
            return
        time.sleep(0.1)
    words = last_words(log.read_text(encoding="utf-8", errors="replace"))
    raise RuntimeError(f"{name} does not begin to answer: {words}")


def last_words(said: str) -> str:
    """The last line of what a process has said: the error, without the places it went through."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"
