"""The routes beside the work: health, models, facts, metrics.

None of them costs work of a model, so none waits for readiness.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeAlias

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import biencoder
from biencoder.serve.described import Described, licence, manifest, metadata
from biencoder.serve.errors import error_body
from biencoder.serve.metrics import CONTENT_TYPE
from biencoder.serve.service import Service
from biencoder.serve.shell import not_ready

# The 1 of /v1, in the three numbers that NIM gives.
API_VERSION = "1.0.0"

Handler: TypeAlias = Callable[[Request], Awaitable[Response]]


def routes(service: Service) -> list[Route]:
    """Facts on the running service, each by GET."""
    described = Described()
    handlers: dict[str, Callable[..., Awaitable[Response]]] = {
        "/v1/health/live": partial(_live, service),
        "/v1/health/ready": partial(_ready, service),
        "/v1/models": partial(_models, service),
        "/v1/metadata": partial(_metadata, service, described),
        "/v1/license": partial(_license, service),
        "/v1/manifest": partial(_manifest, service, described),
        "/v1/version": _version,
        "/v1/metrics": partial(_metrics, service),
        "/metrics": partial(_metrics, service),
        "/health": partial(_ready, service),
        "/ping": partial(_live, service),
    }
    return [Route(path, handler) for path, handler in handlers.items()]


def json_answer(value: object, status: int = 200) -> Response:
    """A JSON response."""
    return Response(orjson.dumps(value), status_code=status, media_type="application/json")


async def _live(service: Service, request: Request) -> Response:
    """Whether the process can still serve: one whose model has failed is to be started again."""
    if service.broken:
        return _unwell(service, request, live=False)
    return json_answer({"object": "health.response", "message": "live", "live": True})


async def _ready(service: Service, request: Request) -> Response:
    if service.ready:
        return json_answer(
            {
                "object": "health.response",
                "message": "ready",
                "ready": True,
                "status": "ready",
            }
        )
    return _unwell(service, request, ready=False)


def _unwell(service: Service, request: Request, **state: bool) -> Response:
    error = not_ready(service)
    body = orjson.loads(error_body(error, request.state.request_id))
    answer = json_answer(body | {"object": "health.response", **state}, error.status)
    answer.headers.update({"retry-after": error.headers["Retry-After"]})
    return answer


async def _models(service: Service, request: Request) -> Response:
    entries = [_entry(service, served.id, served.id) for served in service.registry.served]
    if service.settings.list_aliases:
        entries += [
            _entry(service, alias, served.id)
            for served in service.registry.served
            for alias in served.aliases
        ]
    return json_answer({"object": "list", "data": entries})


def _entry(service: Service, name: str, root: str) -> dict[str, Any]:
    owner = root.split("/", 1)[0] if "/" in root else "biencoder"
    return {
        "id": name,
        "object": "model",
        "created": int(service.began),
        "owned_by": owner,
        "root": root,
    }


async def _metadata(service: Service, described: Described, request: Request) -> Response:
    registry = service.registry
    facts = [await asyncio.to_thread(described.facts, one) for one in registry.served]
    infos = [
        metadata(one, registry.names(one), known, service.settings)
        for one, known in zip(registry.served, facts, strict=True)
    ]
    first = registry.served[0]
    return json_answer(
        {
            "id": first.id,
            "version": biencoder.__version__,
            "assetInfo": [file.name for one in facts for file in one.files],
            "licenseInfo": licence(first.engine.embedder),
            "modelInfo": infos,
            "repository_override": "",
            "selectedModelProfileId": facts[0].fingerprint,
        }
    )


async def _license(service: Service, request: Request) -> Response:
    licences = [licence(served.engine.embedder) for served in service.registry.served]
    more = {"licenses": licences} if len(licences) > 1 else {}
    return json_answer(licences[0] | more)


async def _manifest(service: Service, described: Described, request: Request) -> Response:
    models = {
        one.id: (one.engine.embedder.source.revision, await asyncio.to_thread(described.facts, one))
        for one in service.registry.served
    }
    return json_answer({"manifest_file": manifest(models)})


async def _version(request: Request) -> Response:
    return json_answer({"release": biencoder.__version__, "api": API_VERSION})


async def _metrics(service: Service, request: Request) -> Response:
    return Response(service.metrics.text(), media_type=CONTENT_TYPE)
