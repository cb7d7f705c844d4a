"""From settings to a running server, and back to nothing when it is told to stop.

On the first TERM or INT: not ready, new requests 503, what runs is finished, exit code 0. On the
second: at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import TYPE_CHECKING

import uvicorn
from prometheus_client import disable_created_metrics
from starlette.applications import Starlette

from biencoder.errors import InputError
from biencoder.serve.app import build_app
from biencoder.serve.metrics import Metrics
from biencoder.serve.models import load_models
from biencoder.serve.protocol import BoundedProtocol
from biencoder.serve.service import Service
from biencoder.serve.settings import Settings

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger("biencoder.serve")

BACKLOG = 2048
# Longer than the pools of usual clients keep a connection, so that they close it, not we.
KEEP_ALIVE_SECONDS = 75
_LAST_WORDS_SECONDS = 1.0


def run(settings: Settings, say: Callable[[str], None]) -> None:
    """Serve until told to stop. ``say`` shows a line to a person.

    Raises BiencoderError, before the address answers, for whatever a person can mend: an address in
    use, a model that cannot be loaded, an index that is damaged.
    """
    # When each series was made is of no use here, and would double the text of the metrics.
    disable_created_metrics()  # type: ignore[no-untyped-call]
    with contextlib.closing(listen(settings)) as listener:
        with _stoppable():
            service = build_service(settings, say)
        traces = _traces(settings)
        config = server_config(build_app(service, traces), settings)
        with _tls_errors(settings):
            config.load()
        try:
            _run_loop(config, listener, service, say)
        finally:
            if traces is not None:
                traces.shutdown()


def server_config(app: Starlette, settings: Settings) -> uvicorn.Config:
    """How the server treats connections; what it leaves open, `protocol` bounds."""
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        backlog=BACKLOG,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        ssl_certfile=settings.tls_cert,
        ssl_keyfile=settings.tls_key,
    )


def listen(settings: Settings) -> socket.socket:
    """A bound socket, before minutes go into loading; raises InputError where it cannot be had."""
    host, port = settings.host, settings.port
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        listener = socket.socket(family, kind, protocol)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
        except OSError:
            listener.close()
            raise
    except OSError as error:
        raise InputError(
            f"cannot listen on {host}:{port}: {error.strerror or error}",
            hint="choose another with --port (0: any that is free) or --host",
        ) from error
    return listener


def build_service(settings: Settings, say: Callable[[str], None]) -> Service:
    """Models and indices, loaded and not yet warm."""
    metrics = Metrics()
    registry = load_models(settings, metrics, say)
    service = Service(settings=settings, registry=registry, metrics=metrics)
    if settings.index:
        from biencoder.serve.search.search import SearchService

        engines = [served.engine for served in registry.served]
        service.searching = SearchService.open(
            settings.index, engines=engines, feedback=settings.feedback, say=say
        )
    return service


def address_of(listener: socket.socket, settings: Settings) -> str:
    """What a person types to reach it."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)
    scheme = "http" if settings.tls_cert is None else "https"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class GracefulServer(uvicorn.Server):
    """A server whose first signal sets ``stop_asked`` instead of closing the door."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.stop_asked = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """The first signal asks, the second forces."""
        if self.stop_asked.is_set():
            self.should_exit = self.force_exit = True
        self._loop.call_soon_threadsafe(self.stop_asked.set)

    async def close_door(self, listener: socket.socket) -> None:
        """Take no further connection, but all that the kernel has already let in.

        Closing alone would cut those off whose request is on its way: they are to be told 503.
        """
        if listener.fileno() < 0:
            return
        waiting = []
        with listener.dup() as door:
            for server in self.servers:
                server.close()
            door.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while True:
                    waiting.append(door.accept()[0])
        coming = (self._welcome(connection) for connection in waiting)
        await asyncio.gather(*coming, return_exceptions=True)

    async def hear_last_words(self) -> None:
        """Wait, a short time, for those who have a connection and have not yet said for what."""
        deadline = time.monotonic() + _LAST_WORDS_SECONDS
        fresh = True
        while fresh and time.monotonic() < deadline:
            # First a turn of the loop: who was let in last is not among the connections before it.
            await asyncio.sleep(0.02)
            fresh = any(
                isinstance(one, BoundedProtocol) and one.is_fresh
                for one in self.server_state.connections
            )

    async def _welcome(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        await self._loop.connect_accepted_socket(
            lambda: BoundedProtocol(self.config, self.server_state, {}, self._loop),
            connection,
            ssl=self.config.ssl,
        )


def _run_loop(
    config: uvicorn.Config, listener: socket.socket, service: Service, say: Callable[[str], None]
) -> None:
    factory = config.get_loop_factory()
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(config, listener, service, say))


async def serve(
    config: uvicorn.Config, listener: socket.socket, service: Service, say: Callable[[str], None]
) -> None:
    """Warm the service, answer, and after the first signal end; raises what the warm-up raised."""
    server = GracefulServer(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    warming = asyncio.create_task(_warm(service))
    stopping = asyncio.create_task(server.stop_asked.wait())
    say(f"Listening on {address_of(listener, service.settings)} (Ctrl-C stops it)")
    try:
        await asyncio.wait({serving, warming, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if warming.done() and not warming.cancelled() and warming.exception() is None:
            say(f"Ready: {', '.join(one.id for one in service.registry.served)}")
            await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        await _stop(server, serving, listener, service)
        if not warming.done():
            warming.cancel()
    if warming.done() and not warming.cancelled():
        warming.result()


async def _warm(service: Service) -> None:
    began = time.monotonic()
    await service.start()
    logger.info("warm after %.1f s", time.monotonic() - began)


async def _stop(
    server: GracefulServer,
    serving: asyncio.Task[None],
    listener: socket.socket,
    service: Service,
) -> None:
    """Finish what runs, then close the door: until then a newcomer is told 503, not refused."""
    deadline = time.monotonic() + service.settings.drain_timeout
    drained = asyncio.create_task(service.drain(service.settings.drain_timeout))
    await asyncio.wait({drained, serving}, return_when=asyncio.FIRST_COMPLETED)
    if drained.done() and not drained.result():
        logger.warning("%d requests were not finished in time", service.in_flight)
    drained.cancel()
    if server.force_exit:
        await service.stop(0.0)
        await serving
        return
    left = max(0.5, deadline - time.monotonic())
    await service.stop(left)
    await server.close_door(listener)
    await server.hear_last_words()
    # What is left are answers on their way to clients that take them slowly.
    server.config.timeout_graceful_shutdown = max(1, round(left))
    server.should_exit = True
    await serving


def _traces(settings: Settings) -> TracerProvider | None:
    if not settings.otel:
        return None
    from biencoder.serve.tracing import provider

    return provider()


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """While models are loaded TERM ends the process; as a container's first, it would ignore it."""

    def stop(signal_: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def _tls_errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(
            f"TLS cannot be set up from {settings.tls_cert} and {settings.tls_key}: {error}"
        ) from error
