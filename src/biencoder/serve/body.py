"""A request's body: bounded while it is read, and in what it becomes, then parsed.

Parsing happens in the event loop whatever the size: orjson keeps Python's lock, so that a thread would
stop all others too. What bounds it is the number of values, which is counted before. Nothing of a body ever appears in a message: only where it breaks off being JSON.
"""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request

from biencoder.serve.errors import ApiError
from biencoder.serve.settings import Settings

# Each value is an object to Python. The largest request that can be meant has some ten thousand, and
# 32 MiB could spell sixteen million, which would stop the service for seconds.
MAX_VALUES = 200_000
_VALUES_PER_INPUT = 16
# Below this a body cannot hold enough values to be worth the counting.
_UNCOUNTED_BYTES = 64 * 1024

_GZIP = 16 + zlib.MAX_WBITS
# zlib copies what follows a member, so it is given no more than this at once.
_GZIP_BLOCK = 16 * 1024
# bgzip makes one of each 64 KiB.
_GZIP_MEMBERS = 1024


async def read_json(request: Request, settings: Settings) -> dict[str, Any]:
    """The body as an object, whatever its Content-Type says.

    Of ``settings``: request_timeout bounds the whole body's coming, body_timeout each pause in it.

    Raises ApiError (body_too_large, unsupported_encoding, request_timeout, invalid_json), or
    ClientDisconnect where the client has gone.
    """
    most_values = max(MAX_VALUES, _VALUES_PER_INPUT * settings.max_client_batch)
    return parse_object(await read_body(request, settings), most_values)


async def read_body(request: Request, settings: Settings) -> bytes:
    """The body's bytes, unpacked, at most ``settings.max_body_bytes`` of them."""
    limit = settings.max_body_bytes
    packed = _is_gzip(request.headers.get("content-encoding", ""))
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)
    body = await _receive(request, limit, settings)
    if not packed:
        return body
    # However short it is, it may be long unpacked.
    unpacked = await asyncio.to_thread(_unpack, body, limit)
    holding = request.scope.get("state", {}).get("holding")
    if holding is not None:
        holding.add(len(unpacked))
    return unpacked


def parse_object(body: bytes, most_values: int = MAX_VALUES) -> dict[str, Any]:
    """JSON bytes to a dict; anything else is an ApiError that tells the place only."""
    if len(body) > _UNCOUNTED_BYTES:
        _check_values(body, most_values)
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(body, error) from None
    if not isinstance(value, dict):
        raise ApiError("invalid_json", f"The body must be a JSON object, not {_kind(value)}")
    return value


async def _receive(request: Request, limit: int, settings: Settings) -> bytes:
    # One buffer: a body that comes byte by byte must not become as many objects.
    body = bytearray()
    clock = asyncio.get_running_loop().time
    end = clock() + settings.request_timeout
    while True:
        try:
            async with asyncio.timeout_at(min(clock() + settings.body_timeout, end)):
                message = await request.receive()
        except TimeoutError:
            raise _too_slow(settings, whole=clock() >= end) from None
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        piece: bytes = message.get("body", b"")
        if len(body) + len(piece) > limit:
            raise _too_large(limit)
        more = message.get("more_body", False)
        if not more and not body:
            return piece
        body += piece
        if not more:
            return bytes(body)


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
    room, place, members = limit, 0, 0
    while place < len(body):
        members += 1
        if members > _GZIP_MEMBERS:
            raise ApiError("invalid_json", f"The body has more than {_GZIP_MEMBERS} gzip members")
        member = zlib.decompressobj(_GZIP)
        while not member.eof:
            block = body[place : place + _GZIP_BLOCK]
            if not block:
                raise ApiError("invalid_json", "The gzip data of the body breaks off")
            try:
                piece = member.decompress(block, room + 1)
            except zlib.error:
                raise ApiError("invalid_json", "The body is not valid gzip") from None
            if len(piece) > room:
                raise _too_large(limit)
            room -= len(piece)
            place += len(block) - len(member.unused_data)
            pieces.append(piece)
    return b"".join(pieces)


def _check_values(body: bytes, most: int) -> None:
    """Refuse a body of more values, keys among them; one that is no JSON is the parser's business."""
    plain = body.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in body else body
    # Now each quote begins or ends a string, and what a string holds is no value.
    values = plain.count(b'"') // 2
    if values <= most:
        outside = b"".join(plain.split(b'"')[::2])
        values += outside.count(b",") + outside.count(b"[") + outside.count(b"{")
    if values > most:
        raise ApiError("body_too_large", f"The body holds more than {most:,} JSON values")


def _too_slow(settings: Settings, *, whole: bool) -> ApiError:
    message = f"No byte of the body came for {settings.body_timeout:g} seconds"
    if whole:
        message = f"The body was not whole after {settings.request_timeout:g} seconds"
    return ApiError("request_timeout", message, headers={"Connection": "close"})


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
