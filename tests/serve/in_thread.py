"""The real application behind a real socket, in a thread: for clients that wait for their answers."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager

import uvicorn
from tests.serve.engines import PATIENCE, until

from biencoder.serve.app import build_app
from biencoder.serve.embeddings.names import Registry, Served
from biencoder.serve.run import server_config
from biencoder.serve.service import Service
from biencoder.serve.settings import Settings

QUIET = Settings(warmup="none")


@contextmanager
def served(*models: Served, settings: Settings = QUIET) -> Iterator[str]:
    """The address of a running service with these models, until the block ends."""
    service = Service(settings=settings, registry=Registry(models))
    address: Future[str] = Future()
    end = threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_session(service, address, end)))
    thread.start()
    try:
        yield address.result(PATIENCE)
    finally:
        end.set()
        thread.join()


async def _session(service: Service, address: Future[str], end: threading.Event) -> None:
    try:
        await service.start()
        config = server_config(build_app(service), service.settings)
        config.timeout_graceful_shutdown = 1
        listener = socket.create_server(("127.0.0.1", 0))
        server = uvicorn.Server(config)
        # Not `serve`, which would take over the signals of this process.
        serving = asyncio.create_task(server._serve(sockets=[listener]))
        await until(lambda: server.started)
    except BaseException as error:
        address.set_exception(error)
        raise
    address.set_result(f"http://127.0.0.1:{listener.getsockname()[1]}")
    await asyncio.to_thread(end.wait)
    server.should_exit = True
    await serving
    await service.stop(1.0)
