"""Which other site's pages may ask, in a browser: the one that the settings name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from biencoder.serve.errors import ApiError, error_body
from biencoder.serve.shell import request_id

if TYPE_CHECKING:
    from biencoder.serve.settings import Settings


class Cors(CORSMiddleware):
    """Starlette's, whose answers to a browser's question whether it may ask look like all others."""

    def preflight_response(self, request_headers: Headers) -> Response:
        """Yes or no, with an id; a no is the error object."""
        answer = super().preflight_response(request_headers)
        own = request_id(request_headers.raw)
        if answer.status_code != 200:
            message = "Another site's page may not ask this: see --cors-origin; methods: GET, POST"
            error = ApiError("cross_site", message)
            headers = {k: v for k, v in answer.headers.items() if not k.startswith("content-")}
            answer = Response(
                error_body(error, own), error.status, headers, media_type="application/json"
            )
        answer.headers["x-request-id"] = own
        return answer


def cors(settings: Settings) -> list[Middleware]:
    """Nothing where no site is named.

    Any header may be sent: clients add their own (openai's, in a browser, a dozen), and what counts is
    the key.
    """
    if settings.cors_origin is None:
        return []
    named = Middleware(
        Cors,
        allow_origins=[settings.cors_origin],
        allow_methods=["GET", "POST"],
        allow_headers=["*"],
        expose_headers=["x-request-id", "retry-after"],
    )
    return [named]
