"""A request's body: bounded while it is read, then parsed.

Nothing of a body ever appears in a message: only where it breaks off being JSON.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from biencoder.serve.errors import ApiError
from biencoder.serve.settings import Settings

_GZIP = 16 + zlib.MAX_WBITS
# Above this many compressed bytes, unpacking would be felt by the other requests of the loop.
_INLINE_GZIP = 16 * 1024


async def read_json(request: Request, settings: Settings) -> dict[str, Any]:
    """The body as an object, whatever its Content-Type says.

    Raises ApiError (body_too_large, unsupported_encoding, request_timeout, invalid_json), or
    ClientDisconnect where the client has gone.
    """
    return parse_object(await read_body(request, settings))


async def read_body(request: Request, settings: Settings) -> bytes:
    """The body's bytes, unpacked, at most ``settings.max_body_bytes`` of them."""
    limit = settings.max_body_bytes
    packed = _is_gzip(request.headers.get("content-encoding", ""))
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body = await _receive(request, limit, settings.body_timeout)
    if not packed:
        return body
    if len(body) <= _INLINE_GZIP:
        return _unpack(body, limit)
    return await asyncio.to_thread(_unpack, body, limit)


def parse_object(body: bytes) -> dict[str, Any]:
    """JSON bytes to a dict; anything else is an ApiError that tells the place only."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(body, error) from None
    if not isinstance(value, dict):
        raise ApiError("invalid_json", f"The body must be a JSON object, not {_kind(value)}")
    return value


async def _receive(request: Request, limit: int, patience: float) -> bytes:
    pieces: list[bytes] = []
    size = 0
    more = True
    while more:
        try:
            async with asyncio.timeout(patience):
                message = await request.receive()
        except TimeoutError:
            raise ApiError(
                "request_timeout",
                f"No byte of the body came for {patience:g} seconds",
                headers={"Connection": "close"},
            ) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece = message.get("body", b"")
        size += len(piece)
        if size > limit:
            raise _too_large(limit)
        pieces.append(piece)
        more = message.get("more_body", False)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _is_gzip(encoding: str) -> bool:
    named = encoding.strip().lower()
    if named in ("", "identity"):
        return False
    if named in ("gzip", "x-gzip"):
        return True
    raise ApiError(
        "unsupported_encoding", "The Content-Encoding must be gzip or identity, or left out"
    )


def _unpack(body: bytes, limit: int) -> bytes:
    """Gzip members one after another; stops at the limit, so a bomb costs no more than a body."""
    pieces: list[bytes] = []
    room = limit
    while body:
        member = zlib.decompressobj(_GZIP)
        try:
            piece = member.decompress(body, room + 1)
        except zlib.error:
            raise ApiError("invalid_json", "The body is not valid gzip") from None
        if len(piece) > room:
            raise _too_large(limit)
        if not member.eof:
            raise ApiError("invalid_json", "The gzip data of the body breaks off")
        room -= len(piece)
        pieces.append(piece)
        body = member.unused_data
    return b"".join(pieces)


def _too_large(limit: int) -> ApiError:
    return ApiError("body_too_large", f"The body is larger than the limit of {limit} bytes")


def _not_json(body: bytes, error: orjson.JSONDecodeError) -> ApiError:
    try:
        body.decode()
    except UnicodeDecodeError as wrong:
        return ApiError("invalid_json", f"The body is not valid UTF-8 at byte {wrong.start}")
    if not body:
        return ApiError("invalid_json", "The body is empty; a JSON object is expected")
    return ApiError(
        "invalid_json", f"The body is not valid JSON at line {error.lineno} column {error.colno}"
    )


def _kind(value: object) -> str:
    names = {list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
