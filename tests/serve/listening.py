"""The real application behind a real socket, in this process: for what only bytes can show."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import uvicorn
from tests.serve.engines import run, until

from biencoder.embedder.embedder import Embedder
from biencoder.serve.app import build_app
from biencoder.serve.embeddings.names import Registry, Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.protocol import BoundedProtocol
from biencoder.serve.run import server_config
from biencoder.serve.service import Service
from biencoder.serve.settings import Settings

_T = TypeVar("_T")
QUIET = Settings(warmup="none")


@dataclass(frozen=True)
class Answer:
    """One HTTP answer, as bytes told it."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Line:
    """One connection of a client that writes bytes."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def answer(self) -> Answer:
        """The next answer; ConnectionError or IncompleteReadError where none comes."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *rest = head.strip().split("\r\n")
        headers = {name.lower(): value for name, _, value in (one.partition(": ") for one in rest)}
        body = await self.reader.readexactly(int(headers.get("content-length", "0")))
        return Answer(int(first.split()[1]), headers, body)

    async def closed(self) -> bool:
        """Whether the other side ends it."""
        try:
            return await self.reader.read(1) == b""
        except ConnectionError:
            return True


@dataclass(frozen=True)
class Site:
    """A listening service."""

    service: Service
    server: uvicorn.Server
    port: int
    lines: list[Line]

    async def line(self, receive_buffer: int | None = None) -> Line:
        """A new connection; receive_buffer: bytes that the client's kernel holds."""
        own = socket.socket()
        if receive_buffer is not None:
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        own.setblocking(False)
        await asyncio.get_running_loop().sock_connect(own, ("127.0.0.1", self.port))
        line = Line(*await asyncio.open_connection(sock=own, limit=1 << 12))
        self.lines.append(line)
        return line

    async def ask(self, raw: bytes) -> Answer:
        """Send bytes on a connection of their own."""
        line = await self.line()
        await line.send(raw)
        return await line.answer()


def post(body: bytes, *headers: str, path: str = "/v1/embeddings") -> bytes:
    """A request with its length."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


def embedding(text: str = "the river", **more: Any) -> bytes:
    """A request for one vector."""
    fields = {"model": "tiny", "input": text, "input_type": "query", **more}
    return post(json.dumps(fields).encode())


def visiting(
    model: Embedder,
    visit: Callable[[Site], Awaitable[_T]],
    *,
    limits: dict[str, Any] | None = None,
    send_buffer: int | None = None,
    **settings: Any,
) -> _T:
    """What a visit of a listening service gives.

    limits: other bounds of the protocol. send_buffer: bytes that its kernel takes for a client.
    """

    async def session() -> _T:
        chosen = replace(QUIET, **settings)
        async with _listening(model, chosen, limits or {}, send_buffer) as site:
            return await visit(site)

    return run(session())


@contextlib.asynccontextmanager
async def _listening(
    model: Embedder, settings: Settings, limits: dict[str, Any], send_buffer: int | None
) -> AsyncIterator[Site]:
    service = Service(settings=settings, registry=Registry([Served("tiny", Engine(model))]))
    await service.start()
    config = server_config(build_app(service), settings)
    config.http_protocol_class = config.http = type("Lowered", (BoundedProtocol,), limits)
    listener = socket.create_server(("127.0.0.1", 0))
    if send_buffer is not None:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
    server = uvicorn.Server(config)
    config.timeout_graceful_shutdown = 1
    # Not `serve`, which would take over the signals of this process.
    serving = asyncio.create_task(server._serve(sockets=[listener]))
    await until(lambda: server.started)
    site = Site(service, server, listener.getsockname()[1], [])
    try:
        yield site
    finally:
        for line in site.lines:
            line.writer.close()
        server.should_exit = True
        await serving
        await service.stop(1.0)
        for line in site.lines:
            with contextlib.suppress(ConnectionError):
                await line.writer.wait_closed()
