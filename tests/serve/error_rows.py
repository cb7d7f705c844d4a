"""The contract's error table as requests, one row (or one case of a row) each."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import httpx
import orjson
from tests.serve import made_pages
from tests.serve.wire_client import QUIET, RefusingEngine, mini, opened

from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.errors import ApiError
from biencoder.serve.service import State
from biencoder.serve.settings import Settings

PNG = "data:image/png;base64,iVBORw0KGgo="
FINE: dict[str, Any] = {"model": "mini", "input": "a lake", "input_type": "query"}
BUSY = ApiError(
    "overloaded", "Model is overloaded", headers={"Retry-After": "3", "retry-after-ms": "2500"}
)
FAULT = ApiError(
    "engine_error", "The model could not embed this", headers={"x-should-retry": "false"}
)


@dataclass(frozen=True, kw_only=True)
class Row:
    """A request and the refusal that it must get.

    phrase: a part of the message. answer_headers: with their values, or "" where any value will do.
    pages: asked of a page model, under the name mini too.
    """

    name: str
    status: int
    code: str
    phrase: str
    param: str | None = None
    answer_headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | dict[str, Any] = field(default_factory=lambda: FINE)
    method: str = "POST"
    path: str = "/v1/embeddings"
    headers: Mapping[str, str] = field(default_factory=dict)
    settings: Settings = QUIET
    state: State = "ready"
    refusal: ApiError | None = None
    slow: bool = False
    pages: bool = False


def with_fields(**fields: Any) -> dict[str, Any]:
    return FINE | fields


def bad(name: str, code: str, phrase: str, param: str | None, **fields: Any) -> Row:
    """A 400 for the usual request with some fields changed."""
    return Row(
        name=name, status=400, code=code, phrase=phrase, param=param, body=with_fields(**fields)
    )


FIELDS = (
    bad("wrong type", "invalid_request", "must be a string", "input", input=7),
    bad("unknown value", "invalid_request", "NONE, START, END", "truncate", truncate="middle"),
    bad("no input", "invalid_request", "input: Field required", "input", input=None),
    bad("no model", "invalid_request", "model: Field required", "model", model=None),
    replace(
        bad("unknown field", "extra_forbidden", "Extra inputs are not permitted", "prio", prio=1),
        settings=replace(QUIET, strict_fields=True),
    ),
    bad("empty list", "empty_input", "input cannot be empty", "input", input=[]),
    bad("blank text", "empty_input", "input cannot be empty", "input[1]", input=["a", " "]),
    replace(
        bad(
            "too many items",
            "batch_too_large",
            "batch size 3 > maximum allowed batch size 2",
            "input",
            input=["a", "b", "c"],
        ),
        settings=replace(QUIET, max_client_batch=2),
    ),
    bad(
        "over-long",
        "context_length_exceeded",
        "Input length 603 exceeds maximum allowed token size 512",
        "input[1]",
        input=["a", "word " * 600],
    ),
    bad(
        "role missing",
        "missing_input_type",
        "'input_type' parameter is required for asymmetric models",
        "input_type",
        input_type="",
    ),
    bad(
        "role invalid",
        "invalid_input_type",
        "Input should be 'query' or 'passage'",
        "input_type",
        input_type="search",
    ),
    bad(
        "role and suffix differ",
        "invalid_input_type",
        "Input should be 'query' or 'passage'",
        "input_type",
        model="mini-passage",
    ),
    bad("image", "unsupported_modality", "mini reads modality 'text' only", "input[0]", input=PNG),
    bad("image stated", "unsupported_modality", "'image'", "input[0]", modality="image"),
    bad(
        "modality contradicts the item",
        "unsupported_modality",
        "is said to be text",
        "messages[0]",
        input=None,
        modality="text",
        messages=[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": PNG}}]}],
    ),
    bad(
        "modality array of wrong length",
        "invalid_request",
        "3 entries for 1 inputs",
        "modality",
        modality=["text"] * 3,
    ),
    bad("dimensions 0", "invalid_dimensions", "at least 1", "dimensions", dimensions=0),
    bad(
        "dimensions not listed",
        "invalid_dimensions",
        "64, 128, 256, 384",
        "dimensions",
        dimensions=100,
    ),
    bad(
        "embedding_type not offered",
        "unsupported_embedding_type",
        "float, int8, uint8, binary, ubinary",
        "embedding_type",
        embedding_type="int4",
    ),
    bad(
        "token ids",
        "token_ids_not_supported",
        "check_embedding_ctx_length=False",
        "input",
        input=[[101, 102]],
    ),
)

BODIES = (
    Row(
        name="not JSON",
        status=400,
        code="invalid_json",
        phrase="line 1 column 11",
        body=b'{"input": secret}',
    ),
    Row(name="no object", status=400, code="invalid_json", phrase="JSON object", body=b'["a"]'),
    Row(
        name="body upload too slow",
        status=408,
        code="request_timeout",
        phrase="No byte",
        answer_headers={"connection": "close"},
        settings=replace(QUIET, body_timeout=0.01),
        slow=True,
    ),
    Row(
        name="body over limit",
        status=413,
        code="body_too_large",
        phrase="20 bytes",
        settings=replace(QUIET, max_body_bytes=20),
    ),
    Row(
        name="unknown Content-Encoding",
        status=415,
        code="unsupported_encoding",
        phrase="gzip",
        headers={"content-encoding": "br"},
    ),
)

NAMES_AND_PATHS = (
    Row(
        name="key missing",
        status=401,
        code="invalid_api_key",
        phrase="Unauthorized",
        answer_headers={"www-authenticate": "Bearer"},
        settings=replace(QUIET, api_keys=("right",)),
    ),
    Row(
        name="key wrong",
        status=401,
        code="invalid_api_key",
        phrase="Unauthorized",
        answer_headers={"www-authenticate": "Bearer"},
        headers={"authorization": "Bearer **********"},
        settings=replace(QUIET, api_keys=("right",)),
    ),
    Row(
        name="unknown model",
        status=404,
        code="model_not_found",
        phrase="served: mini",
        param="model",
        body=with_fields(model="text-embedding-3-small"),
    ),
    Row(
        name="retired model",
        status=404,
        code="model_not_found",
        phrase="its successor is nvidia/llama-nemotron-embed-1b-v2",
        param="model",
        body=with_fields(model="nvidia/llama-3.2-nv-embedqa-1b-v1"),
    ),
    Row(name="unknown path", status=404, code="not_found", phrase="no such path", path="/v1/embed"),
    Row(
        name="wrong method",
        status=405,
        code="method_not_allowed",
        phrase="GET",
        method="GET",
        answer_headers={"allow": "POST"},
    ),
)

ENGINES = (
    Row(
        name="queue full",
        status=429,
        code="overloaded",
        phrase="Model is overloaded",
        answer_headers={"retry-after": "3", "retry-after-ms": "2500"},
        refusal=BUSY,
    ),
    Row(
        name="engine fault",
        status=500,
        code="engine_error",
        phrase="could not embed",
        answer_headers={"x-should-retry": "false"},
        refusal=FAULT,
    ),
    Row(
        name="starting",
        status=503,
        code="not_ready",
        phrase="",
        answer_headers={"retry-after": ""},
        state="starting",
    ),
    Row(
        name="draining",
        status=503,
        code="not_ready",
        phrase="",
        answer_headers={"retry-after": ""},
        state="draining",
    ),
    Row(
        name="deadline passed",
        status=504,
        code="timeout",
        phrase="No answer within",
        settings=replace(QUIET, request_timeout=1e-9),
    ),
)

ROWS = (*FIELDS, *BODIES, *NAMES_AND_PATHS, *ENGINES)


def answer_to(row: Row) -> httpx.Response:
    """What the real application answers to a row's request."""
    model = made_pages.model() if row.pages else mini()
    engine = RefusingEngine(model, row.refusal) if row.refusal else Engine(model)
    with opened(Served("mini", engine), settings=row.settings) as wire:
        wire.service.state = row.state
        content = row.body if isinstance(row.body, bytes) else orjson.dumps(row.body)
        body = _never_ending(content) if row.slow else content
        return wire.send(row.method, row.path, content=body, headers=dict(row.headers))


async def _never_ending(content: bytes) -> AsyncIterator[bytes]:
    yield content
    await asyncio.Event().wait()
