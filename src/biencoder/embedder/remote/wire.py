"""One request for vectors, and its answer looked at number by number before anybody uses it."""

from __future__ import annotations

import base64
import binascii
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeAlias

import numpy as np

from biencoder.embedder.remote.endpoint import Endpoint
from biencoder.embedder.remote.refusals import refusal, unknown_model
from biencoder.embedder.remote.reply import Reply
from biencoder.errors import BiencoderError, EncodingError, FingerprintError, RemoteError
from biencoder.types import FloatArray, Role, Truncate

WireModality: TypeAlias = Literal["text", "image", "text_image"]

_INPUT_TYPES: dict[Role, str] = {"query": "query", "document": "passage"}
# Vectors whose length is off by less than float32's own rounding stay as they came, to the bit.
_UNIT = 1e-5


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """What all requests of one stream share.

    size: how many numbers a vector must have, None where that is not known yet. dimensions: asked for,
    None for the full size. answers_as: the names under which the model may answer; empty: any.
    modality: said to a page model, so that it never takes a text for an image.
    """

    model: str
    role: Role
    size: int | None = None
    dimensions: int | None = None
    truncate: Truncate = "NONE"
    instruction: str | None = None
    answers_as: frozenset[str] = frozenset()
    modality: WireModality | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """Unit vectors in the order of the texts, float32, shape (n, size).

    model: who says to have made them. cut: texts that lost tokens, where the server tells.
    """

    vectors: FloatArray
    model: str
    tokens: int
    cut: int


def embed(
    endpoint: Endpoint,
    call: Call,
    texts: Sequence[str],
    first_row: int = 0,
    stop: threading.Event | None = None,
) -> Answer:
    """Ask for the vectors of some texts. first_row: their first one's place, for messages.

    Raises TooLongError, DimensionError, InputError or UnknownModelError for what is refused,
    FingerprintError where another model answers, RemoteError or EncodingError for a bad answer.
    """
    fields = {"input": [as_json_text(text) for text in texts]}
    refuse = partial(refusal, model=call.model, first_row=first_row)
    return ask(endpoint, call, fields, refuse, count=len(texts), first_row=first_row, stop=stop)


def ask(
    endpoint: Endpoint,
    call: Call,
    fields: Mapping[str, object],
    refuse: Callable[[Reply], BiencoderError],
    *,
    count: int = 1,
    first_row: int = 0,
    stop: threading.Event | None = None,
) -> Answer:
    """Ask for ``count`` vectors of what the fields hold; refuse: the error for a refusal.

    Raises as `embed`.
    """
    reply = endpoint.ask("/embeddings", _body(call, fields), stop)
    if reply.status in (404, 410):
        said = reply.said().message
        raise unknown_model(endpoint.host, call.model, served_models(endpoint), said)
    if reply.status != 200:
        raise refuse(reply)
    return _read(reply, call, count, first_row)


def as_json_text(text: str) -> str:
    """A text that JSON can hold: half a surrogate pair cannot be, and becomes a question mark.

    The tokenizer here puts the same sign in its place.
    """
    return text.encode("utf-8", "replace").decode()


def served_models(endpoint: Endpoint) -> list[str]:
    """The ids that the server lists; none where it has no list."""
    return [entry["id"] for entry in model_list(endpoint)]


def model_list(endpoint: Endpoint) -> list[dict[str, Any]]:
    """The entries of ``/models`` that have an id; none where the server has no such list."""
    reply = endpoint.ask("/models")
    body = reply.json() if reply.status == 200 else None
    data = body.get("data") if isinstance(body, dict) else None
    entries = data if isinstance(data, list) else []
    return [e for e in entries if isinstance(e, dict) and isinstance(e.get("id"), str)]


def _body(call: Call, fields: Mapping[str, object]) -> dict[str, object]:
    body: dict[str, object] = {
        "model": call.model,
        **fields,
        "input_type": _INPUT_TYPES[call.role],
        "encoding_format": "base64",
        "truncate": call.truncate,
    }
    if call.dimensions is not None:
        body["dimensions"] = call.dimensions
    if call.instruction is not None:
        body["instruction"] = call.instruction
    if call.modality is not None:
        body["modality"] = call.modality
    return body


def _read(reply: Reply, call: Call, count: int, first_row: int) -> Answer:
    body = reply.json()
    data = body.get("data") if isinstance(body, dict) else None
    if not isinstance(data, list):
        raise RemoteError(
            f"{reply.host} answers with {len(reply.content):,} bytes that hold no vectors",
            hint="is the address that of an API with /v1/embeddings?",
        )
    model = body.get("model")
    model = model if isinstance(model, str) else call.model
    if call.answers_as and model not in call.answers_as:
        raise FingerprintError(
            f"{reply.host} now answers with {model!r}, not with {sorted(call.answers_as)[0]!r}",
            hint="its vectors cannot be compared with those before: connect to it anew",
        )
    unit = "text" if call.modality in (None, "text") else "page"
    vectors = _unit(_in_order(data, reply.host, count), reply.host, unit, first_row)
    if call.size is not None and vectors.shape[1] != call.size:
        raise RemoteError(
            f"{reply.host} gave vectors of {vectors.shape[1]} dimensions where {call.size} were asked for"
        )
    usage = body.get("usage")
    tokens = usage.get("prompt_tokens") if isinstance(usage, dict) else None
    cut = reply.headers.get("x-biencoder-truncated", "0")
    return Answer(
        vectors, model, tokens if isinstance(tokens, int) else 0, int(cut) if cut.isdigit() else 0
    )


def _in_order(data: list[Any], host: str, count: int) -> FloatArray:
    """The vectors by their ``index``; raises RemoteError unless each input has one of one size."""
    rows: dict[int, FloatArray] = {}
    for place, item in enumerate(data):
        vector = _numbers(item.get("embedding")) if isinstance(item, dict) else None
        if vector is None:
            raise RemoteError(f"{host} gave something that is no vector of numbers, at {place}")
        index = item.get("index", place)
        rows[index if isinstance(index, int) else -1] = vector
    if len(data) != count or rows.keys() != set(range(count)):
        raise RemoteError(f"{host} gave {len(data)} vectors for {count} texts, or not one for each")
    sizes = {len(vector) for vector in rows.values()}
    if len(sizes) != 1 or 0 in sizes:
        raise RemoteError(f"{host} gave vectors of several sizes: {sorted(sizes)}")
    return np.stack([rows[place] for place in range(count)])


def _numbers(value: object) -> FloatArray | None:
    """Base64 of little-endian float32, or a list of numbers."""
    try:
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
        if isinstance(value, list):
            with np.errstate(over="ignore"):
                vector = np.asarray(value, dtype=np.float32)
            return vector if vector.ndim == 1 else None
    except (ValueError, TypeError, OverflowError, binascii.Error):
        pass
    return None


def _unit(vectors: FloatArray, host: str, unit: str, first_row: int) -> FloatArray:
    """Length 1. Raises EncodingError for a vector with NaN or infinity, or of zeros."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1)
    places = np.flatnonzero(~np.isfinite(lengths) | (lengths == 0))
    bad = tuple(first_row + int(place) for place in places)
    if bad:
        raise EncodingError(
            f"{host} gave NaN, infinity or nothing but zeros for {unit} {bad[0]}",
            hint="the server's number format is too small, or its model is damaged",
            rows=bad,
        )
    off = np.abs(lengths - 1) > _UNIT
    scaled = vectors.astype(np.float32)
    scaled[off] = (vectors[off] / lengths[off, None]).astype(np.float32)
    return scaled
