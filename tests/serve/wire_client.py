"""The real application without a socket: one event loop, one client, engines that can be made to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import httpx
import orjson
from starlette.applications import Starlette

from biencoder.embedder.embedder import Embedder
from biencoder.serve.app import build_app
from biencoder.serve.embeddings.names import Registry, Served
from biencoder.serve.engine.engine import Embedded, Engine
from biencoder.serve.errors import ApiError
from biencoder.serve.service import Service
from biencoder.serve.settings import Settings

QUIET = Settings(warmup="none")


@cache
def mini() -> Embedder:
    """The shipped model, loaded once for all tests."""
    return Embedder.load("mini", dtype="float32", device="cpu")


class RefusingEngine(Engine):
    """An engine that answers every request with one refusal."""

    def __init__(self, embedder: Embedder, refusal: ApiError) -> None:
        super().__init__(embedder)
        self._refusal = refusal

    async def embed(self, texts: Sequence[str], **options: Any) -> Embedded:
        raise self._refusal


class Wire:
    """What a client sees of a service."""

    def __init__(self, runner: asyncio.Runner, service: Service, app: Starlette) -> None:
        self.runner = runner
        self.service = service
        self.app = app

    def send(self, method: str, path: str, **options: Any) -> httpx.Response:
        async def exchange() -> httpx.Response:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                return await client.request(method, path, **options)

        return self.runner.run(exchange())

    def post(self, path: str = "/v1/embeddings", /, **body: Any) -> httpx.Response:
        """POST the fields as JSON."""
        return self.send("POST", path, content=orjson.dumps(body))

    def embed(self, path: str = "/v1/embeddings", /, **body: Any) -> list[Any]:
        """The embeddings of a request to ``mini`` that must succeed."""
        response = self.post(path, **{"model": "mini", "input_type": "passage"} | body)
        assert response.status_code == 200, response.text
        return [item["embedding"] for item in response.json()["data"]]

    def counted(self, name: str, **labels: str) -> float:
        """A counter's value."""
        value = self.service.metrics.registry.get_sample_value(f"biencoder_{name}_total", labels)
        return value or 0.0


@contextmanager
def opened(*served: Served, settings: Settings = QUIET) -> Iterator[Wire]:
    """A running service with these models; ``mini`` where none is given."""
    models = served or (Served("mini", Engine(mini())),)
    with asyncio.Runner() as runner:
        service = Service(
            settings=settings, registry=Registry(models, any_model=settings.any_model)
        )
        app = build_app(service)
        runner.run(service.start())
        try:
            yield Wire(runner, service, app)
        finally:
            runner.run(service.stop(1.0))
