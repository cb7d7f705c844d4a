"""``POST /v1/ranking``: passages in the order of their dot product with a query.

The shape is the reranking NIM's; the score is not a cross-encoder's, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from biencoder.serve import fields
from biencoder.serve.body import read_json
from biencoder.serve.embeddings.answer import unsendable
from biencoder.serve.embeddings.vectors import Work, compute, compute_headers, while_connected
from biencoder.serve.embeddings.wire import check_batch, empty, is_blank, missing_model
from biencoder.serve.settings import Settings, WireRole
from biencoder.types import FloatArray, Truncate

if TYPE_CHECKING:
    from biencoder.serve.service import Service

FIELDS = ("model", "query", "passages", "truncate", "user")
_TRUNCATE: tuple[Truncate, ...] = ("NONE", "END")


def routes(service: Service) -> list[Route]:
    """One route; off unless the settings ask for it."""

    async def rank(request: Request) -> Response:
        body = await read_json(request, service.settings)
        model, texts, truncate = parse_ranking(body, service.settings)
        served, _ = service.registry.resolve(model)
        roles = _roles(len(texts) - 1)
        timeout = service.settings.request_timeout
        work = Work(texts=texts, roles=roles, place=_place, timeout=timeout, truncate=truncate)
        embedded = await while_connected(request, compute(served.engine, work))
        headers = compute_headers(served, embedded, sum(map(len, texts)))
        service.metrics.stages(embedded.timings)
        service.metrics.inputs("query", 1)
        service.metrics.inputs("passage", len(texts) - 1)
        if embedded.truncated:
            service.metrics.truncated(embedded.truncated)
        content = rankings(embedded.vectors, model=served.id, tokens=embedded.tokens)
        return Response(content, media_type="application/json", headers=headers)

    return [Route("/v1/ranking", rank, methods=["POST"])]


def parse_ranking(body: Mapping[str, Any], settings: Settings) -> tuple[str, list[str], Truncate]:
    """Model, the query followed by the passages, and the rule for long texts; raises ApiError."""
    given = fields.known_fields(body, FIELDS, strict=settings.strict_fields)
    model = fields.text(given, "model")
    if not model:
        raise missing_model()
    query = _text(given.get("query"), "query")
    passages = given.get("passages")
    if not isinstance(passages, list):
        fields.invalid("passages", f"must be an array of objects, not {fields.kind(passages)}")
    if not passages:
        raise empty("passages")
    check_batch(len(passages), settings.max_client_batch, "passages")
    texts = [_text(one, f"passages[{place}]") for place, one in enumerate(passages)]
    return model, [query, *texts], fields.choice(given, "truncate", _TRUNCATE) or "NONE"


def rankings(vectors: FloatArray, *, model: str, tokens: int) -> bytes:
    """The answer for a query's vector, in the first row, and its passages': best first.

    Passages of equal score keep their order.
    """
    scores = vectors[1:] @ vectors[0]
    if not np.isfinite(scores).all():
        raise unsendable()
    order = np.argsort(-scores, kind="stable").tolist()
    return orjson.dumps(
        {
            "rankings": [{"index": index, "logit": float(scores[index])} for index in order],
            "score": "dot product of unit vectors",
            "model": model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def _text(value: object, place: str) -> str:
    text = value.get("text") if isinstance(value, dict) else None
    if not isinstance(text, str):
        fields.invalid(place, 'must be an object {"text": "..."}')
    if is_blank(text):
        raise empty(place)
    return text


def _place(item: int) -> str:
    return f"passages[{item - 1}]" if item else "query"


def _roles(passages: int) -> list[WireRole]:
    roles: list[WireRole] = ["passage"] * (passages + 1)
    roles[0] = "query"
    return roles
