"""A real process: it says where it listens, finishes what it has begun, and ends with 0."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import signal
import socket
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.commands import fails
from tests.serve.engines import Gate, run, until
from tests.serve.running import PATIENCE, Process, process

from biencoder.embedder.embedder import Embedder
from biencoder.errors import DeviceError
from biencoder.serve.app import build_app
from biencoder.serve.embeddings.names import Registry, Served
from biencoder.serve.engine.engine import Engine, Warmup
from biencoder.serve.run import address_of, listen, serve, server_config
from biencoder.serve.service import Service
from biencoder.serve.settings import Settings

CALLERS = 8


async def load(running: Process, callers: int, answered: Counter[str]) -> None:
    """So many callers, each asking again as soon as it is answered, until the address is gone.

    Notes a status for each answer, ``refused`` where no connection was made, and ``lost`` where one
    broke without an answer.
    """
    stopping = asyncio.Event()
    body = {"model": "mini", "input": ["the river " * 20] * 4, "input_type": "passage"}

    async def call(client: httpx.AsyncClient) -> None:
        while not stopping.is_set():
            try:
                answer = await client.post("/v1/embeddings", json=body)
            except httpx.ConnectError:
                answered["refused"] += 1
                stopping.set()
            except httpx.TransportError:
                answered["lost"] += 1
            else:
                answered[str(answer.status_code)] += 1
                if answer.status_code == 200:
                    assert len(answer.json()["data"]) == 4
                    # Once: a second signal ends it at once.
                    if answered["200"] == 3 * callers:
                        running.popen.send_signal(signal.SIGTERM)
                elif answer.status_code == 503:
                    assert answer.json()["error"]["code"] == "not_ready"
                    assert int(answer.headers["retry-after"]) >= 1

    # A connection for each request: a kept one may be closed just while a request is written to it.
    limits = httpx.Limits(max_keepalive_connections=0)
    async with httpx.AsyncClient(base_url=running.base, limits=limits, timeout=PATIENCE) as client:
        await asyncio.wait_for(asyncio.gather(*(call(client) for _ in range(callers))), PATIENCE)


def test_told_to_stop_under_load_it_answers_all_it_has_accepted_and_ends_with_0() -> None:
    with process("--warmup", "short") as running:
        running.wait_for("Ready: mini")
        answered: Counter[str] = Counter()
        asyncio.run(load(running, CALLERS, answered))
        assert running.popen.wait(PATIENCE) == 0
    # The service's own count: each request that it took has reached its caller, as 200 or as 503.
    took = Counter(
        match[1] for line in running.lines if (match := re.search(r"request .*status=(\d+)", line))
    )
    assert took == {status: count for status, count in answered.items() if status.isdecimal()}
    assert took["200"] >= 24
    assert set(took) <= {"200", "503"}
    # A connection that the kernel made just as the door closed, or on which nothing came in time, has
    # never reached the service. No caller has two of them: the next one is refused.
    assert answered["lost"] <= CALLERS, answered
    assert "fault" not in " ".join(running.lines)


def test_it_says_what_it_serves_in_json_without_its_keys_and_stops_at_once(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text("very-secret\n")
    arguments = ("--api-key-file", str(tmp_path / "keys"), "--log-format", "json")
    alias = "nvidia/llama-nemotron-embed-1b-v2=mini"
    with process(
        *arguments, "--alias", alias, "--warmup", "none", NIM_MODEL_PROFILE="x"
    ) as running:
        running.wait_for("Ready: mini")
        headers = {"Authorization": "Bearer very-secret"}
        body = {"model": "nvidia/llama-nemotron-embed-1b-v2-query", "input": "the river"}
        assert httpx.post(f"{running.base}/v1/embeddings", json=body).status_code == 401
        answer = httpx.post(f"{running.base}/v1/embeddings", json=body, headers=headers)
        assert (answer.status_code, answer.json()["model"]) == (200, "mini")
        running.popen.send_signal(signal.SIGINT)
        assert running.popen.wait(PATIENCE) == 0
    events = [json.loads(line) for line in running.lines if line != "(end)"]
    statuses = [event["status"] for event in events if event["message"] == "request"]
    assert statuses == [401, 200]
    said = [event["message"] for event in events]
    assert "warmup = none  (command line)" in said
    assert "api_keys = ********  (command line)" in said
    assert any(line.startswith("NIM_MODEL_PROFILE is ignored") for line in said)
    assert "very-secret" not in "\n".join(running.lines)


# --- Stopping, in this process ------------------------------------------------------------------


def running_here(
    model: Embedder,
    visit: Callable[[str, Service], Awaitable[None]],
    engine: Engine | None = None,
    **settings: Any,
) -> list[str]:
    """What a server says that is visited and then has ended."""
    said: list[str] = []
    chosen = replace(Settings(warmup="none", port=0), **settings)

    async def session() -> None:
        served = Served("tiny", engine or Engine(model))
        service = Service(settings=chosen, registry=Registry([served]))
        with contextlib.closing(listen(chosen)) as listener:
            config = server_config(build_app(service), chosen)
            base = address_of(listener, chosen)
            serving = asyncio.create_task(serve(config, listener, service, said.append))
            await until(lambda: len(said) > 0)
            await visit(base, service)
            await serving

    run(session())
    return said


async def held_open(base: str, content: bytes) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection whose request has begun to be answered, and whose body has not come."""
    host, port = base.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
        b"Content-Length: %d\r\n\r\n" % len(content)
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
    return reader, writer


BODY = json.dumps({"model": "tiny", "input": "the river", "input_type": "query"}).encode()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_while_it_drains_it_is_live_not_ready_and_refuses_work(
    model: Embedder, stop: signal.Signals
) -> None:
    async def visit(base: str, service: Service) -> None:
        await until(lambda: service.ready)
        reader, writer = await held_open(base, BODY)
        signal.raise_signal(stop)
        await until(lambda: service.state == "draining")
        async with httpx.AsyncClient(base_url=base) as client:
            assert (await client.get("/v1/health/live")).status_code == 200
            ready = await client.get("/v1/health/ready")
            assert (ready.status_code, ready.json()["ready"]) == (503, False)
            refused = await client.post("/v1/embeddings", content=BODY)
            assert refused.status_code == 503
            assert refused.headers["connection"] == "close"
            assert int(refused.headers["retry-after"]) >= 1
        writer.write(BODY)
        answer = await reader.read()
        assert answer.startswith(b"HTTP/1.1 200")
        assert b"connection: close" in answer
        writer.close()

    assert "Ready: tiny" in running_here(model, visit)


def test_a_request_that_never_ends_holds_it_no_longer_than_it_was_told(model: Embedder) -> None:
    async def visit(base: str, service: Service) -> None:
        await until(lambda: service.ready)
        _, writer = await held_open(base, BODY)
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: service.state == "draining")
        writer.close()

    began = time.monotonic()
    running_here(model, visit, drain_timeout=0.2)
    assert time.monotonic() - began < 10


def test_the_second_signal_ends_it_at_once(model: Embedder) -> None:
    async def visit(base: str, service: Service) -> None:
        await until(lambda: service.ready)
        _, writer = await held_open(base, BODY)
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: service.state == "draining")
        signal.raise_signal(signal.SIGTERM)
        writer.close()

    began = time.monotonic()
    running_here(model, visit, drain_timeout=1000.0)
    assert time.monotonic() - began < 10


def test_the_second_signal_does_not_wait_for_what_is_computed(
    model: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(model.trunk.embed)
    monkeypatch.setattr(model.trunk, "embed", gate)

    async def visit(base: str, service: Service) -> None:
        await until(lambda: service.ready)
        _, writer = await held_open(base, BODY)
        writer.write(BODY)
        await until(lambda: bool(gate.batches))
        signal.raise_signal(signal.SIGTERM)
        await until(lambda: service.state == "draining")
        signal.raise_signal(signal.SIGTERM)
        writer.close()

    began = time.monotonic()
    running_here(model, visit, drain_timeout=1000.0)
    taken = time.monotonic() - began
    gate.open()
    assert taken < 8


class Unwarmed(Engine):
    """An engine whose warm-up waits, or fails."""

    def __init__(self, model: Embedder, fault: Exception | None) -> None:
        super().__init__(model)
        self._fault = fault

    async def start(self, warmup: Warmup = "full") -> None:
        if self._fault is not None:
            raise self._fault
        await asyncio.Event().wait()


def test_until_it_is_warm_it_is_live_and_not_ready(model: Embedder) -> None:
    async def visit(base: str, service: Service) -> None:
        async with httpx.AsyncClient(base_url=base) as client:
            assert (await client.get("/v1/health/live")).status_code == 200
            assert (await client.get("/v1/health/ready")).status_code == 503
            answer = await client.post("/v1/embeddings", content=BODY)
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "not_ready")
            assert (await client.get("/v1/models")).status_code == 200
        signal.raise_signal(signal.SIGTERM)

    assert not any(
        line.startswith("Ready") for line in running_here(model, visit, Unwarmed(model, None))
    )


def test_a_warm_up_that_fails_ends_it_with_the_fault(model: Embedder) -> None:
    async def visit(base: str, service: Service) -> None:
        pass

    with pytest.raises(DeviceError, match="no memory left"):
        running_here(model, visit, Unwarmed(model, DeviceError("no memory left")))


# --- What cannot begin --------------------------------------------------------------------------


def test_an_address_in_use_is_one_clear_sentence_before_anything_is_loaded() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = fails(
            rf"cannot listen on 127.0.0.1:{port}: Address already in use", "serve", "--port", port
        )
    assert "--port" in said
    assert "Loading" not in said


@pytest.mark.parametrize(
    ("pattern", "arguments"),
    [
        ("cannot listen on no.such.invalid", ("--host", "no.such.invalid")),
        ("there is no model, folder or hub repository 'minni'", ("--model", "minni")),
        ("the alias a is for 1b, which is not served", ("--alias", "a=1b")),
        ("'dreist' is not one of none, query, passage", ("--default-input-type", "dreist")),
        ("key file .* cannot be read", ("--api-key-file", "no-such-file")),
        ("holds no index|is no index", ("--index", "no-such-index")),
        ("TLS cannot be set up", ("--tls-cert", "no.pem", "--tls-key", "no.pem")),
    ],
)
def test_what_a_person_can_mend_is_one_message(pattern: str, arguments: tuple[str, ...]) -> None:
    fails(pattern, "serve", "--port", 0, *arguments)
