"""The shell around every route: ids, states, refusals, numbers, lines in the log."""

from __future__ import annotations

import asyncio
import gzip
import logging
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from typing import Any

import httpx
import orjson
import pytest
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from tests.serve.wire_client import QUIET, Wire, opened

from biencoder.embedder.embedder import Embedder
from biencoder.serve import side
from biencoder.serve.app import build_app
from biencoder.serve.embeddings.names import Registry, Served
from biencoder.serve.engine.engine import BatchFacts, Engine
from biencoder.serve.errors import ApiError
from biencoder.serve.service import Service

TEXT = {"model": "tiny", "input": "the river", "input_type": "query"}


@pytest.fixture
def wire(model: Embedder) -> Iterator[Wire]:
    with opened(Served("tiny", Engine(model))) as opened_wire:
        yield opened_wire


def with_route(wire: Wire, monkeypatch: pytest.MonkeyPatch, endpoint: Any) -> None:
    """The same service with one more route, ``/odd``."""
    routes = side.routes
    monkeypatch.setattr(side, "routes", lambda service: [*routes(service), Route("/odd", endpoint)])
    wire.app = build_app(wire.service)


# --- Refusals -----------------------------------------------------------------------------------


def test_a_refusal_is_one_object_that_all_clients_read(wire: Wire) -> None:
    answer = wire.send("GET", "/nope", headers={"x-request-id": "mine-1"})
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/json"
    said = "There is no such path; GET /openapi.json lists all"
    assert answer.json() == {
        "error": {
            "message": said,
            "type": "invalid_request_error",
            "param": None,
            "code": "not_found",
        },
        "object": "error",
        "status": 404,
        "title": "Not Found",
        "detail": said,
        "request_id": "mine-1",
    }


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/embeddings", "POST"),
        ("DELETE", "/v1/models", "GET, HEAD"),
        ("OPTIONS", "/v1/embeddings", "POST"),
        ("TRACE", "/v1/health/live", "GET, HEAD"),
    ],
)
def test_another_method_is_told_the_ones_that_are_allowed(
    wire: Wire, method: str, path: str, allowed: str
) -> None:
    answer = wire.send(method, path)
    assert answer.status_code == 405
    assert answer.headers["allow"] == allowed
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_a_fault_of_ours_is_500_and_tells_nothing(
    wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(request: Request) -> Response:
        raise KeyError("/secret/path and a text")

    with_route(wire, monkeypatch, broken)
    answer = wire.send("GET", "/odd")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    body = answer.json()
    assert body["error"]["code"] == "engine_error"
    assert body["error"]["type"] == "server_error"
    assert body["request_id"] in body["detail"]
    (fault,) = [record for record in caplog.records if record.message == "fault"]
    assert vars(fault)["request_id"] == body["request_id"]
    assert wire.counted("requests", route="/odd", status="500") == 1


def test_a_fault_after_the_answer_has_begun_breaks_it_off(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def half() -> Any:
        yield b"half"
        raise ApiError("engine_error", "too late")

    async def broken(request: Request) -> Response:
        return StreamingResponse(half())

    with_route(wire, monkeypatch, broken)
    with pytest.raises(ApiError, match="too late"):
        wire.send("GET", "/odd")
    assert wire.service.in_flight == 0


def test_a_client_that_has_gone_is_counted_and_not_answered(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def gone(request: Request) -> Response:
        raise ClientDisconnect

    with_route(wire, monkeypatch, gone)
    with pytest.raises(AssertionError):
        # httpx finds that nothing was sent.
        wire.send("GET", "/odd")
    assert wire.counted("requests", route="/odd", status="499") == 1
    assert wire.service.in_flight == 0


# --- Paths and ids ------------------------------------------------------------------------------


def test_a_trailing_slash_is_no_other_address(wire: Wire) -> None:
    assert wire.post("/v1/embeddings/", **TEXT).status_code == 200
    assert wire.send("GET", "/v1/models///").status_code == 200


def test_head_is_answered_where_get_is(wire: Wire) -> None:
    for path in ("/v1/models", "/v1/health/ready", "/openapi.json", "/v1/metrics"):
        assert wire.send("HEAD", path).status_code == 200


@pytest.mark.parametrize("given", ["abc", "a.b-c_D9", "x" * 128])
def test_a_request_id_is_echoed(wire: Wire, given: str) -> None:
    for path in ("/v1/models", "/nope"):
        answer = wire.send("GET", path, headers={"x-request-id": given})
        assert answer.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "a\tb", '"', "ä".encode("latin-1")])
def test_another_request_id_is_replaced(wire: Wire, given: str | bytes) -> None:
    answer = wire.send("GET", "/v1/models", headers={"x-request-id": given})
    assert len(answer.headers["x-request-id"]) == 32
    assert answer.headers["x-request-id"].isalnum()


def test_every_answer_tells_its_time(wire: Wire) -> None:
    for answer in (wire.send("GET", "/v1/models"), wire.send("GET", "/nope"), wire.post(**TEXT)):
        assert 0 < float(answer.headers["x-total-time"]) < 60_000


# --- States -------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["starting", "draining"])
def test_work_is_refused_until_ready_and_after_a_stop_was_asked_for(wire: Wire, state: Any) -> None:
    wire.service.state = state
    answer = wire.post(**TEXT)
    assert answer.status_code == 503
    assert answer.json()["error"]["code"] == "not_ready"
    assert int(answer.headers["retry-after"]) >= 1
    # While stopping, a connection that stays open would only be cut later.
    assert (answer.headers.get("connection") == "close") == (state == "draining")
    assert wire.send("GET", "/v1/health/live").status_code == 200
    assert wire.send("GET", "/v1/metrics").status_code == 200


def test_a_wrong_path_or_method_is_told_before_the_state(wire: Wire) -> None:
    wire.service.state = "starting"
    assert wire.send("GET", "/v1/embeddings").status_code == 405
    assert wire.send("GET", "/nope").status_code == 404


def test_draining_ends_with_the_last_request(wire: Wire) -> None:
    service = wire.service

    async def drain_with_two_requests() -> list[str]:
        events = []
        service.enter()
        service.enter()
        draining = asyncio.create_task(service.drain(30.0))
        for _ in range(2):
            await asyncio.sleep(0)
            events.append(f"{service.in_flight}, done {draining.done()}")
            service.leave()
        assert await draining
        return events

    assert wire.runner.run(drain_with_two_requests()) == ["2, done False", "1, done False"]
    assert service.state == "draining"


def test_draining_gives_up_after_its_time(wire: Wire) -> None:
    wire.service.enter()
    assert wire.runner.run(wire.service.drain(0.01)) is False
    wire.service.leave()


def test_a_stop_during_the_warm_up_is_not_undone_by_its_end() -> None:
    service = Service(settings=QUIET, registry=Registry([]), state="draining")
    asyncio.run(service.start())
    assert service.state == "draining"


def test_a_model_that_has_failed_for_good_makes_the_process_one_to_start_again(
    model: Embedder,
) -> None:
    engine = Engine(model)
    with opened(Served("tiny", engine)) as wire:
        assert wire.send("GET", "/v1/health/live").status_code == 200
        engine._crashed(RuntimeError("a thread has ended"))
        for path in ("/v1/health/live", "/ping"):
            answer = wire.send("GET", path)
            assert answer.status_code == 503
            body = answer.json()
            assert (body["object"], body["live"]) == ("health.response", False)
            assert body["error"]["code"] == "not_ready"
            assert "started again" in body["detail"]


# --- What is held at once -----------------------------------------------------------------------


def test_requests_are_refused_while_others_fill_what_may_be_held(wire: Wire) -> None:
    whole = orjson.dumps(TEXT)
    wire.service.bodies.most = 2 * len(whole) - 1

    async def meet() -> tuple[httpx.Response, int, httpx.Response]:
        begun, go_on = asyncio.Event(), asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            yield whole[:-1]
            begun.set()
            await go_on.wait()
            yield whole[-1:]

        transport = httpx.ASGITransport(wire.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            first = asyncio.create_task(client.post("/v1/embeddings", content=slow()))
            await begun.wait()
            refused = await client.post("/v1/embeddings", content=whole + b" ")
            held = wire.service.bodies.held
            go_on.set()
            return refused, held, await first

    refused, held, first = wire.runner.run(meet())
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "overloaded"
    assert refused.headers["retry-after"] == "1"
    assert held == len(whole) - 1
    assert first.status_code == 200
    assert wire.service.bodies.held == 0
    assert wire.post(**TEXT).status_code == 200


def test_what_gzip_unpacks_to_is_held_too(wire: Wire) -> None:
    packed = gzip.compress(orjson.dumps(TEXT) + b" " * 10_000)
    wire.service.bodies.most = 1000
    headers = {"content-encoding": "gzip"}
    assert wire.send("POST", "/v1/embeddings", content=packed, headers=headers).status_code == 429
    assert wire.service.bodies.held == 0
    wire.service.bodies.most = 20_000
    assert wire.send("POST", "/v1/embeddings", content=packed, headers=headers).status_code == 200


def test_many_of_the_largest_requests_may_be_held(wire: Wire) -> None:
    assert wire.service.bodies.most == 16 * wire.service.settings.max_body_bytes


# --- CORS ---------------------------------------------------------------------------------------


def test_cors_is_off_unless_an_origin_is_named(wire: Wire) -> None:
    answer = wire.send("GET", "/v1/models", headers={"Origin": "https://a.example"})
    assert not any(name.startswith("access-control") for name in answer.headers)


def test_a_named_origin_may_ask_and_its_question_whether_needs_no_key(model: Embedder) -> None:
    settings = replace(QUIET, cors_origin="https://a.example", api_keys=("k",))
    with opened(Served("tiny", Engine(model)), settings=settings) as wire:
        asking = {
            "Origin": "https://a.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization",
        }
        allowed = wire.send("OPTIONS", "/v1/embeddings", headers=asking)
        assert allowed.status_code == 200
        assert allowed.headers["access-control-allow-origin"] == "https://a.example"
        refused = wire.send("POST", "/v1/embeddings", headers={"Origin": "https://a.example"})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == "https://a.example"
        stranger = wire.send("GET", "/v1/health/live", headers={"Origin": "https://b.example"})
        assert "access-control-allow-origin" not in stranger.headers


def asking(**others: str) -> dict[str, str]:
    """What a browser sends before it lets a page of ``a.example`` ask with openai's own client."""
    return {
        "Origin": "https://a.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,x-stainless-lang",
    } | {name.replace("_", "-"): value for name, value in others.items()}


def test_a_named_origin_may_send_the_headers_of_its_client(model: Embedder) -> None:
    settings = replace(QUIET, cors_origin="https://a.example")
    with opened(Served("tiny", Engine(model)), settings=settings) as wire:
        allowed = wire.send("OPTIONS", "/v1/embeddings", headers=asking(x_request_id="mine"))
    assert allowed.status_code == 200
    assert "x-stainless-lang" in allowed.headers["access-control-allow-headers"]
    assert allowed.headers["x-request-id"] == "mine"


@pytest.mark.parametrize(
    "other", [{"Origin": "https://b.example"}, {"Access_Control_Request_Method": "DELETE"}]
)
def test_a_no_to_a_browser_is_the_error_object(model: Embedder, other: dict[str, str]) -> None:
    settings = replace(QUIET, cors_origin="https://a.example")
    with opened(Served("tiny", Engine(model)), settings=settings) as wire:
        answer = wire.send("OPTIONS", "/v1/embeddings", headers=asking(**other))
    assert answer.status_code == 403
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == "cross_site"
    assert answer.json()["request_id"] == answer.headers["x-request-id"]
    assert int(answer.headers["content-length"]) == len(answer.content)


# --- Numbers and lines --------------------------------------------------------------------------


def test_what_happened_is_counted_under_the_names_of_the_contract(wire: Wire) -> None:
    wire.post(**TEXT)
    wire.post(**TEXT, truncate="sideways")
    wire.send("GET", "/made/up/1")
    wire.send("GET", "/made/up/2")
    assert wire.counted("requests", route="/v1/embeddings", status="200") == 1
    assert wire.counted("requests", route="/v1/embeddings", status="400") == 1
    assert wire.counted("requests", route="none", status="404") == 2
    assert wire.counted("inputs", role="query", modality="text") == 1
    assert wire.counted("rejected", reason="invalid_request") == 1
    facts = BatchFacts(texts=2, tokens=8, fill=0.5, seconds=0.1, cancelled=3)
    wire.service.metrics.batch(facts)
    text = wire.send("GET", "/v1/metrics").text
    for line in (
        "biencoder_ready 1.0",
        "biencoder_queue_tokens 0.0",
        "biencoder_batch_tokens_sum 8.0",
        "biencoder_batch_fill_ratio_sum 0.5",
        "biencoder_queue_seconds_count 1.0",
        "biencoder_tokenize_seconds_count 1.0",
        "biencoder_inference_seconds_count 1.0",
        'biencoder_request_seconds_count{route="/v1/embeddings"} 2.0',
        "biencoder_truncated_inputs_total 0.0",
        "biencoder_role_missing_total 0.0",
        "biencoder_cancelled_total 3.0",
        "biencoder_images_total 0.0",
        "biencoder_quantised_saturated_total 0.0",
    ):
        assert line in text.splitlines()


def test_two_services_in_one_process_count_apart(model: Embedder) -> None:
    with opened(Served("a", Engine(model))) as one, opened(Served("a", Engine(model))) as other:
        one.send("GET", "/v1/models")
        assert one.counted("requests", route="/v1/models", status="200") == 1
        assert other.counted("requests", route="/v1/models", status="200") == 0


def test_the_log_has_a_line_for_each_request_and_none_of_its_texts_paths_or_keys(
    model: Embedder, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "biencoder.serve")
    with opened(Served("tiny", Engine(model)), settings=replace(QUIET, api_keys=("kk",))) as wire:
        headers = {"Authorization": "Bearer kk", "x-request-id": "mine"}
        content = b'{"model": "tiny", "input": "a secret river", "input_type": "query"}'
        wire.send("POST", "/v1/embeddings?why=hidden", content=content, headers=headers)
        wire.send("POST", "/v1/embeddings", content=b'{"secret', headers=headers)
        wire.send("GET", "/v1/secret", headers=headers)
        wire.send("GET", "/v1/health/live")
    lines = [vars(record) for record in caplog.records if record.message == "request"]
    assert [(line["route"], line["status"], line.get("code")) for line in lines] == [
        ("/v1/embeddings", 200, None),
        ("/v1/embeddings", 400, "invalid_json"),
        ("none", 404, "not_found"),
        ("/v1/health/live", 200, None),
    ]
    assert [line["levelname"] for line in lines] == ["INFO", "INFO", "INFO", "DEBUG"]
    assert {line["request_id"] for line in lines[:3]} == {"mine"}
    for word in ("secret", "hidden", "kk"):
        assert word not in str(lines)


def test_the_application_is_a_starlette_one(wire: Wire) -> None:
    assert isinstance(wire.app, Starlette)
