"""Bodies: bounded while they are read, and never quoted."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Iterable
from itertools import repeat
from typing import Any

import orjson
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.types import Message

from biencoder.serve.body import MAX_VALUES, parse_object, read_body, read_json
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import Settings

SMALL = Settings(max_body_bytes=2048, body_timeout=0.05)


def a_request(messages: Iterable[Message], headers: dict[str, str]) -> tuple[Request, list[int]]:
    """A request that gives these messages, then nothing; and how many of them were taken."""
    waiting = iter(messages)
    taken: list[int] = []

    async def receive() -> Message:
        for message in waiting:
            taken.append(len(message.get("body", b"")))
            return message
        await asyncio.Event().wait()
        raise AssertionError

    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "path": "/", "headers": raw}
    return Request(scope, receive), taken


def pieces(*bodies: bytes) -> list[Message]:
    last = len(bodies) - 1
    return [
        {"type": "http.request", "body": body, "more_body": place < last}
        for place, body in enumerate(bodies)
    ]


def read(*bodies: bytes, **headers: str) -> dict[str, Any]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return asyncio.run(read_json(a_request(pieces(*bodies), named)[0], SMALL))


def refused(*bodies: bytes, **headers: str) -> ApiError:
    with pytest.raises(ApiError) as caught:
        read(*bodies, **headers)
    return caught.value


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/json;charset=utf-8", "image/png", ""]
)
def test_the_body_is_json_whatever_its_content_type_says(content_type: str | None) -> None:
    headers = {} if content_type is None else {"content_type": content_type}
    assert read(b'{"a": ', b"[1, ", b"2]}", **headers) == {"a": [1, 2]}


def test_a_declared_length_above_the_limit_is_refused_before_a_byte_is_read() -> None:
    request, taken = a_request(pieces(b"{}"), {"content-length": "2049"})
    with pytest.raises(ApiError, match="limit of 2048 bytes") as caught:
        asyncio.run(read_body(request, SMALL))
    assert (caught.value.code, caught.value.status) == ("body_too_large", 413)
    assert taken == []


def test_an_undeclared_length_is_counted_and_reading_stops_at_the_limit() -> None:
    request, taken = a_request(pieces(*[b"x" * 1000] * 50), {"transfer-encoding": "chunked"})
    with pytest.raises(ApiError, match="limit of 2048 bytes"):
        asyncio.run(read_body(request, SMALL))
    assert taken == [1000, 1000, 1000]


def test_a_body_of_exactly_the_limit_is_read() -> None:
    body = b'{"a": "' + b"x" * (2048 - 9) + b'"}'
    assert len(read(body, content_length="2048")["a"]) == 2039


def test_gzip_is_unpacked_also_in_several_members() -> None:
    packed = gzip.compress(b'{"a":') + gzip.compress(b" 1}")
    assert read(packed[:7], packed[7:], content_encoding="gzip") == {"a": 1}


def test_a_larger_gzip_body_is_unpacked_in_a_thread_to_the_same() -> None:
    noise = bytes(range(33, 127)).replace(b'"', b"").replace(b"\\", b"")
    value = {"a": [(noise[i % 90 :] + noise).decode() for i in range(9_000)]}
    packed = zlib.compressobj(0, zlib.DEFLATED, 31)
    body = packed.compress(orjson.dumps(value)) + packed.flush()
    assert len(body) > 1024 * 1024
    request = a_request(pieces(body), {"content-encoding": "gzip"})[0]
    assert asyncio.run(read_json(request, Settings())) == value


def test_a_gzip_bomb_is_counted_unpacked() -> None:
    bomb = gzip.compress(b" " * 1_000_000)
    assert len(bomb) < 2048
    error = refused(bomb, content_encoding="gzip")
    assert error.code == "body_too_large"


def test_gzip_is_read_in_blocks_and_its_members_are_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[int] = []

    class Counted:
        """zlib's object, which copies all that follows a member."""

        def __init__(self, form: int) -> None:
            self._own = decompressobj(form)

        def decompress(self, data: bytes, most: int) -> bytes:
            given.append(len(data))
            return self._own.decompress(data, most)

        def __getattr__(self, name: str) -> Any:
            return getattr(self._own, name)

    decompressobj = zlib.decompressobj
    monkeypatch.setattr("biencoder.serve.body.zlib.decompressobj", Counted)
    bomb = gzip.compress(b"", mtime=0) * 30_000
    request = a_request(pieces(bomb), {"content-encoding": "gzip"})[0]
    with pytest.raises(ApiError, match="more than 1024 gzip members") as caught:
        asyncio.run(read_json(request, Settings()))
    assert caught.value.code == "invalid_json"
    assert len(given) <= 1024
    assert sum(given) <= 1024 * 16 * 1024


def test_gzip_of_many_members_is_read() -> None:
    parts = [b'{"a": "', *[bytes([97 + n % 26]) * 3000 for n in range(500)], b'"}']
    body = b"".join(map(gzip.compress, parts))
    request = a_request(pieces(body), {"content-encoding": "gzip"})[0]
    assert asyncio.run(read_json(request, Settings())) == orjson.loads(b"".join(parts))


@pytest.mark.parametrize(
    "packed", [b"[],", b"{},", b"1,", b'"",', b"[[[[", b'"', b"null,[", b'{"a":1},']
)
def test_a_body_of_too_many_values_is_refused_before_any_is_made(
    packed: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def loads(body: bytes) -> object:
        raise AssertionError("it was parsed")

    monkeypatch.setattr("biencoder.serve.body.orjson.loads", loads)
    body = b'{"input": [' + packed * (2 * MAX_VALUES + 2)
    with pytest.raises(ApiError, match="more than 200,000 JSON values") as caught:
        parse_object(body)
    assert caught.value.code == "body_too_large"


def test_what_stands_in_a_text_is_no_value() -> None:
    texts = ["[{,:" * 400_000, '\\"' * 1000, '",[', "\\", "\\\\", '\\\\"[,']
    value = {"input": texts * 2, "rest": ["a", "\\"] * 40_000}
    assert parse_object(orjson.dumps(value)) == value


@pytest.mark.parametrize("damage", [b"no gzip", gzip.compress(b"{}", mtime=0)[:-9]])
def test_damaged_gzip_is_no_json(damage: bytes) -> None:
    assert refused(damage, content_encoding="gzip").code == "invalid_json"


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd"])
def test_other_encodings_are_refused_by_name_of_the_known(encoding: str) -> None:
    error = refused(b"{}", content_encoding=encoding)
    assert (error.code, error.status) == ("unsupported_encoding", 415)
    assert "gzip or identity" in error.message


def test_a_body_that_does_not_go_on_is_given_up_and_the_connection_closed() -> None:
    unfinished = [{"type": "http.request", "body": b"{", "more_body": True}]
    with pytest.raises(ApiError) as caught:
        asyncio.run(read_body(a_request(unfinished, {})[0], SMALL))
    assert (caught.value.code, caught.value.status) == ("request_timeout", 408)
    assert caught.value.headers == {"Connection": "close"}


def test_a_slow_body_that_goes_on_is_read() -> None:
    async def slow() -> Message:
        await asyncio.sleep(0.02)
        return next(waiting)

    waiting = iter(pieces(b"{", b'"a"', b":", b"1", b"}"))
    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    assert asyncio.run(read_json(Request(scope, slow), SMALL)) == {"a": 1}


def test_a_body_that_goes_on_for_ever_is_given_up() -> None:
    async def drop_by_drop() -> Message:
        await asyncio.sleep(0.01)
        return next(drops)

    drops = repeat({"type": "http.request", "body": b" ", "more_body": True})
    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    settings = Settings(body_timeout=30.0, request_timeout=0.1)
    with pytest.raises(ApiError, match="not whole after") as caught:
        asyncio.run(read_body(Request(scope, drop_by_drop), settings))
    assert caught.value.code == "request_timeout"
    assert caught.value.headers == {"Connection": "close"}


def test_a_client_that_goes_is_no_error_of_ours() -> None:
    gone: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.disconnect"},
    ]
    with pytest.raises(ClientDisconnect):
        asyncio.run(read_body(a_request(gone, {})[0], SMALL))


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "The body is empty; a JSON object is expected"),
        (b'{"a":\n  secret}', "The body is not valid JSON at line 2 column 3"),
        (b'{"a": "secret\xff"}', "The body is not valid UTF-8 at byte 13"),
        (b'{"a": "\\ud800"}', "The body is not valid JSON at line 1 column 8"),
        (b'{"a": NaN}', "The body is not valid JSON at line 1 column 7"),
        (b"[" * 2000, "The body is not valid JSON at line 1 column 1026"),
        (b'["secret"]', "The body must be a JSON object, not an array"),
        (b'"secret"', "The body must be a JSON object, not a string"),
        (b"17", "The body must be a JSON object, not a number"),
        (b"true", "The body must be a JSON object, not a boolean"),
        (b"null", "The body must be a JSON object, not null"),
    ],
)
def test_what_is_no_object_is_refused_by_its_place_and_never_quoted(body: bytes, said: str) -> None:
    error = refused(body)
    assert (error.code, error.status, error.message) == ("invalid_json", 400, said)
