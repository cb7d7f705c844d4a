"""What only bytes on a socket show: half requests, huge ones, slow ones, and those that are no HTTP."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
from tests import tiny
from tests.serve.engines import Gate, until
from tests.serve.listening import Line, Site, embedding, post, visiting

from biencoder.embedder.embedder import Embedder

LIVE = b"GET /v1/health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"


async def serves(site: Site) -> None:
    """The service is well: it answers others, and nothing of before is left."""
    answer = await site.ask(embedding())
    assert answer.status == 200
    await until(lambda: site.service.in_flight == 0)


def refusal(answer: Any) -> tuple[int, str]:
    """Status and code of an error object that says the same everywhere."""
    body = answer.json
    assert body["status"] == answer.status
    assert body["object"] == "error"
    assert answer.headers["content-type"] == "application/json"
    assert body["request_id"] == answer.headers["x-request-id"]
    return answer.status, body["error"]["code"]


def resident() -> int:
    return int(psutil.Process(os.getpid()).memory_info().rss)


def test_several_requests_go_over_one_connection(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        line = await site.line()
        for _ in range(3):
            await line.send(embedding())
            assert (await line.answer()).status == 200
        await line.send(embedding(), LIVE)
        assert [(await line.answer()).status for _ in range(2)] == [200, 200]

    visiting(model, visit)


# --- Heads --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "head",
    [
        b"GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 2**20 + b"\r\n\r\n",
        b"GET /" + b"x" * 2**20 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: y\r\n" % n for n in range(2**16)) + b"\r\n",
        b"GET /v1/models HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * 70_000 + b"\r\n\r\n",
    ],
    ids=["one header of 1 MB", "a path of 1 MB", "65,536 headers", "one header of 70 kB"],
)
def test_a_head_of_a_megabyte_is_refused_and_costs_no_memory(model: Embedder, head: bytes) -> None:
    async def visit(site: Site) -> None:
        before = resident()
        line = await site.line()
        sending = asyncio.create_task(line.send(head))
        answer = await line.answer()
        assert refusal(answer) == (431, "headers_too_large")
        assert answer.headers["connection"] == "close"
        sending.cancel()
        await asyncio.wait({sending})
        assert resident() - before < 16 * 2**20
        await serves(site)

    visiting(model, visit)


def test_a_head_below_the_limit_is_read_though_it_comes_in_pieces(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        line = await site.line()
        await line.send(b"GET /v1/health/live HTTP/1.1\r\nHost: localhost\r\n")
        for number in range(60):
            await line.send(b"X-%d: " % number, b"y" * 1000, b"\r\n")
        await line.send(b"\r\n")
        assert (await line.answer()).status == 200

    visiting(model, visit)


@pytest.mark.parametrize("begun", [b"", b"GET /v1/mod", b"GET / HTTP/1.1\r\nHost: a\r\nX: "])
def test_a_head_that_does_not_come_ends_the_connection(model: Embedder, begun: bytes) -> None:
    async def visit(site: Site) -> None:
        line = await site.line()
        await line.send(begun)
        if begun:
            assert refusal(await line.answer()) == (408, "request_timeout")
        assert await line.closed()
        await serves(site)

    visiting(model, visit, limits={"head_seconds": 0.05})


def test_the_time_for_a_head_does_not_run_while_a_request_is_answered(
    model: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(model.trunk.embed)
    monkeypatch.setattr(model.trunk, "embed", gate)

    async def visit(site: Site) -> None:
        line = await site.line()
        await line.send(embedding())
        await asyncio.sleep(0.15)
        gate.open()
        assert (await line.answer()).status == 200

    visiting(model, visit, limits={"head_seconds": 0.05})


@pytest.mark.parametrize(
    "noise",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/1.1\r\nbroken header\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
)
def test_what_is_no_http_gets_the_error_object_too(model: Embedder, noise: bytes) -> None:
    async def visit(site: Site) -> None:
        answer = await site.ask(noise)
        assert answer.status == 400
        assert refusal(answer)[1] in ("invalid_request", "not_found")
        await serves(site)

    visiting(model, visit)


# --- Another protocol ---------------------------------------------------------------------------

# What the HTTP client of Java sends with every first request over plain HTTP.
UPGRADE = (
    "Connection: Upgrade, HTTP2-Settings",
    "Upgrade: h2c",
    "HTTP2-Settings: AAEAAEAAAAIAAAABAAMAAABkAAQBAAAAAAUAAEAA",
)
CHUNKED = (
    b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n"
    + "".join(f"{line}\r\n" for line in UPGRADE).encode()
)


def wishing(declared: bool) -> bytes:
    """A request for one vector that asks for HTTP/2 besides."""
    body = embedding().partition(b"\r\n\r\n")[2]
    if declared:
        return post(body, *UPGRADE)
    return CHUNKED + b"\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)


@pytest.mark.parametrize("declared", [True, False], ids=["declared", "chunked"])
def test_a_request_that_asks_for_http_2_is_answered_as_the_one_it_is(
    model: Embedder, declared: bool
) -> None:
    whole = wishing(declared)
    head = whole.index(b"\r\n\r\n") + 4

    async def visit(site: Site) -> None:
        line = await site.line()
        # In one packet with the next, after its head, amid its body, amid its head.
        for place in (0, head, head + 20, head - 1, 30):
            await line.send(whole[:place])
            await asyncio.sleep(0.01)
            await line.send(whole[place:], embedding(), whole)
            for _ in range(3):
                assert (await line.answer()).status == 200
        await serves(site)

    visiting(model, visit)


def test_an_upgrade_without_a_body_is_read_on_with_what_was_asked_after_it(
    model: Embedder,
) -> None:
    wish = "\r\n".join(["GET /v1/version HTTP/1.1", "Host: localhost", *UPGRADE, "", ""]).encode()

    async def visit(site: Site) -> None:
        line = await site.line()
        await line.send(wish * 50 + LIVE)
        for _ in range(51):
            assert (await line.answer()).status == 200
        await line.send(wish.replace(b"Connection: Upgrade", b"Connection: close, Upgrade"))
        assert (await line.answer()).headers["connection"] == "close"
        assert await line.closed()

    visiting(model, visit)


def test_a_tunnel_is_refused(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        answer = await site.ask(b"CONNECT a.example:80 HTTP/1.1\r\nHost: a.example\r\n\r\n")
        assert refusal(answer) == (400, "invalid_request")
        assert answer.headers["x-request-id"] == answer.json["request_id"]

    visiting(model, visit)


# --- Trailers -----------------------------------------------------------------------------------

PLAIN_CHUNKED = b"POST /v1/embeddings HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "trailer",
    [b"a: " + b"v" * 100 + b"\r\n", b"v" * 100],
    ids=["many trailers", "one trailer without end"],
)
@pytest.mark.parametrize("keys", [("k",), ()], ids=["after the answer", "before the answer"])
def test_trailers_end_a_connection_once_they_are_larger_than_a_head_may_be(
    model: Embedder, trailer: bytes, keys: tuple[str, ...]
) -> None:
    async def visit(site: Site) -> None:
        line = await site.line()
        await line.send(PLAIN_CHUNKED + b"2\r\n{}\r\n0\r\n" + (b"" if b":" in trailer else b"a: "))
        if keys:
            assert refusal(await line.answer()) == (401, "invalid_api_key")
        kept = 0
        try:
            for _ in range(64):
                await line.send(trailer * 160)
                kept = max(kept, _kept(site))
                await asyncio.sleep(0)
        except ConnectionError:
            pass
        else:
            raise AssertionError("a megabyte of trailers was taken")
        assert kept < 100
        assert not site.server.server_state.connections
        if keys:
            # One answer, and not another after it.
            assert await line.closed()

    visiting(model, visit, api_keys=keys)


def _kept(site: Site) -> int:
    connections: Any = site.server.server_state.connections
    return max((len(one.headers or ()) for one in connections), default=0)


def test_a_trailer_is_no_header(model: Embedder) -> None:
    body = embedding().partition(b"\r\n\r\n")[2]
    trailer = b"Authorization: Bearer k\r\nX-Request-Id: mine\r\n\r\n"

    async def visit(site: Site) -> None:
        line = await site.line()
        await line.send(PLAIN_CHUNKED, b"%x\r\n%s\r\n0\r\n" % (len(body), body), trailer)
        answer = await line.answer()
        assert refusal(answer) == (401, "invalid_api_key")
        assert answer.headers["x-request-id"] != "mine"
        whole = PLAIN_CHUNKED + b"%x\r\n%s\r\n0\r\n" % (len(body), body) + trailer
        assert refusal(await site.ask(whole)) == (401, "invalid_api_key")

    visiting(model, visit, api_keys=("k",))


# --- Bodies -------------------------------------------------------------------------------------


def test_a_half_sent_body_is_given_up_and_its_connection_closed(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        line = await site.line()
        await line.send(embedding()[:-10])
        answer = await line.answer()
        assert refusal(answer) == (408, "request_timeout")
        assert await line.closed()
        await serves(site)

    visiting(model, visit, body_timeout=0.1)


def test_a_client_that_leaves_amid_its_body_leaves_nothing_behind(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        line = await site.line()
        await line.send(embedding()[:-10])
        await until(lambda: site.service.in_flight == 1)
        line.writer.close()
        await until(lambda: site.service.in_flight == 0)
        await serves(site)

    visiting(model, visit)


def test_a_body_that_is_not_utf_8_is_refused_by_its_place(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        answer = await site.ask(post(b'{"model": "tiny", "input": "\xff\xfe"}'))
        assert refusal(answer) == (400, "invalid_json")
        assert answer.json["detail"] == "The body is not valid UTF-8 at byte 28"
        await serves(site)

    visiting(model, visit)


async def _hundred_megabytes(line: Line, chunked: bool) -> int:
    """Bytes that were taken before the other side closed."""
    block = b"x" * 2**16
    piece = b"%x\r\n%s\r\n" % (len(block), block) if chunked else block
    sent = 0
    try:
        while sent < 100 * 2**20:
            await line.send(piece)
            sent += len(block)
    except ConnectionError:
        pass
    return sent


@pytest.mark.parametrize("chunked", [False, True], ids=["declared", "chunked"])
def test_a_body_of_100_mb_is_refused_early_and_memory_stays_flat(
    model: Embedder, chunked: bool
) -> None:
    how = b"Transfer-Encoding: chunked" if chunked else b"Content-Length: 104857600"
    head = b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\n" + how + b"\r\n\r\n"

    async def visit(site: Site) -> tuple[int, int]:
        await serves(site)
        before = resident()
        line = await site.line()
        answering = asyncio.create_task(line.answer())
        await line.send(head)
        if not chunked:
            # Before the first byte of the body.
            assert refusal(await answering) == (413, "body_too_large")
        sent = await _hundred_megabytes(line, chunked)
        assert refusal(await answering) == (413, "body_too_large")
        grown = resident() - before
        await serves(site)
        return sent, grown

    sent, grown = visiting(model, visit, limits={"max_dropped_bytes": 2**23}, max_body_bytes=2**20)
    # What a socket's buffers hold on both sides comes on top of what is dropped.
    assert sent < 2**23 + 2**20 + 16 * 2**20
    assert grown < 24 * 2**20


def test_after_a_refusal_the_connection_goes_on_if_the_rest_is_short(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        line = await site.line()
        body = b"x" * 5000
        await line.send(post(body)[: -len(body)])
        assert refusal(await line.answer()) == (413, "body_too_large")
        await line.send(body, embedding())
        assert (await line.answer()).status == 200

    visiting(model, visit, max_body_bytes=4096)


def test_who_waits_to_be_told_to_go_on_is_refused_at_once(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        line = await site.line()
        expecting = b"Expect: 100-continue\r\n\r\n"
        await line.send(
            b"POST /v1/embeddings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5000\r\n",
            expecting,
        )
        assert refusal(await line.answer()) == (413, "body_too_large")

    visiting(model, visit, max_body_bytes=4096)


def test_without_a_key_the_body_is_not_waited_for(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        line = await site.line()
        await line.send(embedding()[:-10])
        assert refusal(await line.answer()) == (401, "invalid_api_key")

    visiting(model, visit, api_keys=("k",))


# --- Readers ------------------------------------------------------------------------------------


def many(count: int) -> bytes:
    fields = {"model": "tiny", "input": ["the"] * count, "input_type": "query"}
    return post(json.dumps(fields).encode())


def test_a_slow_reader_gets_all_of_its_answer_and_delays_nobody(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        line = await site.line(receive_buffer=4096)
        await line.send(many(2048))
        await until(lambda: site.service.in_flight == 0 and _waiting(site) > 0)
        for _ in range(3):
            await serves(site)
        answer = await line.answer()
        assert answer.status == 200
        vectors = np.array([item["embedding"] for item in answer.json["data"]])
        assert vectors.shape == (2048, model.dimensions[-1])

    visiting(model, visit, send_buffer=4096)


def test_a_reader_that_takes_nothing_is_let_go(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        line = await site.line(receive_buffer=4096)
        line.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await line.send(many(2048))
        await until(lambda: _waiting(site) > 0)
        await until(lambda: not site.server.server_state.connections)
        await serves(site)

    visiting(model, visit, limits={"stalled_seconds": 0.05}, send_buffer=4096)


def test_a_reader_that_takes_a_little_now_and_then_is_kept(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        line = await site.line(receive_buffer=4096)
        await line.send(many(2048))
        await until(lambda: _waiting(site) > 0)
        head = (await line.reader.readuntil(b"\r\n\r\n")).decode()
        left = int(head.lower().split("content-length: ")[1].split()[0])
        for _ in range(8):
            await asyncio.sleep(0.05)
            left -= len(await line.reader.readexactly(min(left, 2**17)))
        await line.reader.readexactly(left)

    visiting(model, visit, limits={"stalled_seconds": 0.1}, send_buffer=4096)


def _waiting(site: Site) -> int:
    """Bytes of answers that clients have not taken."""
    connections: Any = site.server.server_state.connections
    return sum(one.transport.get_write_buffer_size() for one in connections)


def test_ten_thousand_inputs_are_refused_and_two_thousand_are_answered(
    checkpoints: dict[str, Path],
) -> None:
    async def visit(site: Site) -> None:
        answer = await site.ask(many(10_000))
        assert refusal(answer) == (400, "batch_too_large")
        assert answer.json["detail"] == "batch size 10000 > maximum allowed batch size 2048"
        assert (await site.ask(many(2000))).status == 200

    visiting(Embedder.load(checkpoints["1b"], dtype="float32", device="cpu"), visit)


def test_texts_of_every_script_come_through_as_they_are(model: Embedder) -> None:
    async def visit(site: Site) -> None:
        for text in tiny.TEXTS:
            answer = await site.ask(embedding(text))
            ours = np.array(answer.json["data"][0]["embedding"], np.float32)
            np.testing.assert_allclose(ours, model.encode_queries([text])[0], atol=1e-5)

    visiting(model, visit)
