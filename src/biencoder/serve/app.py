"""The application: all routes behind one shell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Match, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from biencoder.serve import openapi, side
from biencoder.serve.cors import cors
from biencoder.serve.embeddings import embeddings
from biencoder.serve.errors import ApiError
from biencoder.serve.service import Service
from biencoder.serve.shell import Shell, not_ready
from biencoder.serve.tracing import Tracing

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider


# It costs no work, and tells a person in its own words that the models are not ready.
_PAGE = frozenset({"/", "/web/{file}"})


def build_app(service: Service, traces: TracerProvider | None = None) -> Starlette:
    """All routes of a service; the ones that cost work answer 503 unless it is ready.

    traces: where the spans of requests go, if they are wanted.
    """
    work: list[Route] = list(embeddings.routes(service))
    if service.searching is not None:
        work += service.searching.routes(service)
    for route in work:
        if route.path not in _PAGE:
            route.app = Gate(route.app, service)
    routes: list[BaseRoute] = [*work, *side.routes(service), *openapi.routes(service)]
    app = Starlette(
        routes=routes,
        middleware=_middleware(service, traces),
        exception_handlers={HTTPException: _as_api_error},
    )
    app.router.redirect_slashes = False
    return app


class Gate:
    """Nothing that costs work begins before the models are warm, or after a stop was asked for."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app = app
        self.service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""
        if self.service.state != "ready":
            raise not_ready(self.service)
        await self.app(scope, receive, send)


def _middleware(service: Service, traces: TracerProvider | None) -> list[Middleware]:
    """From the outside in. A browser's question whether it may ask carries no key: CORS comes first."""
    layers = [*cors(service.settings), Middleware(Shell, service=service)]
    if traces is not None:
        layers.insert(0, Middleware(Tracing, provider=traces))
    return layers


async def _as_api_error(request: Request, error: Exception) -> Response:
    """Starlette's own refusals, as ours."""
    if isinstance(error, HTTPException) and error.status_code == 404:
        raise ApiError("not_found", "There is no such path; GET /openapi.json lists all")
    if isinstance(error, HTTPException) and error.status_code == 405:
        allowed = ", ".join(_methods(request.scope, request.app.routes))
        raise ApiError(
            "method_not_allowed",
            f"The method {request.method} is not allowed here; use {allowed}",
            headers={"Allow": allowed},
        )
    raise error


def _methods(scope: Scope, routes: Sequence[BaseRoute]) -> list[str]:
    found: set[str] = set()
    for route in routes:
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE:
            found |= route.methods or set()
    return sorted(found)
