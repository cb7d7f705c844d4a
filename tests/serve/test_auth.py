"""Keys and hosts: every route asks, but the two that a load balancer calls."""

from __future__ import annotations

import asyncio
import base64
import hmac
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from starlette.routing import Route
from tests.serve.wire_client import QUIET, Wire, opened

from biencoder.embedder.embedder import Embedder
from biencoder.index.build import Options, index_folder
from biencoder.serve import auth
from biencoder.serve.app import build_app
from biencoder.serve.auth import OPEN_PATHS
from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.search.search import SearchService

KEYS = ("first-key", "second-key")


@pytest.fixture(scope="module")
def wire(
    model: Embedder, checkpoints: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wire]:
    """Every route that there is: with ranking and an index."""
    root = tmp_path_factory.mktemp("searched")
    (root / "documents").mkdir()
    (root / "documents" / "lakes.txt").write_text("Oxbow lakes are cut-off river bends.")
    options = Options(model=str(checkpoints["1b"]), workers=1)
    index_folder(root / "documents", root / "index", options)
    settings = replace(QUIET, api_keys=KEYS, ranking=True)
    with opened(Served("tiny", Engine(model)), settings=settings) as opened_wire:
        opened_wire.service.searching = SearchService.open([root / "index"])
        opened_wire.app = build_app(opened_wire.service)
        yield opened_wire


def every_call(wire: Wire) -> list[tuple[str, str]]:
    """Each method of each route, placeholders filled."""
    calls = []
    for route in wire.app.routes:
        assert isinstance(route, Route), "a route of another kind needs a test of its own"
        path = re.sub(r"{\w+}", "abc", route.path.replace("{file}", "index.html"))
        assert "{" not in path
        calls += [(method, path) for method in sorted(route.methods or ())]
    return calls


def test_without_a_key_every_route_refuses_but_live_and_ready(wire: Wire) -> None:
    calls = every_call(wire)
    assert len(calls) > 40
    assert {
        ("POST", "/v1/embeddings"),
        ("POST", "/v1/feedback"),
        ("GET", "/"),
        ("GET", "/docs"),
    } <= {*calls}
    answers = {call: wire.send(*call) for call in calls}
    passed = {path for (_, path), answer in answers.items() if answer.status_code != 401}
    assert passed == OPEN_PATHS == {"/v1/health/live", "/v1/health/ready"}
    for (method, path), answer in answers.items():
        if path not in OPEN_PATHS and method != "HEAD":
            assert answer.json()["error"]["code"] == "invalid_api_key"
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "Unauthorized" in answer.json()["detail"]


def test_what_does_not_exist_asks_for_the_key_too(wire: Wire) -> None:
    assert wire.send("GET", "/no/such/path").status_code == 401
    assert wire.send("DELETE", "/v1/models").status_code == 401
    assert wire.send("OPTIONS", "/v1/embeddings").status_code == 401


@pytest.mark.parametrize("path", ["/v1/health/live/", "/v1/health/ready/"])
def test_the_two_open_routes_are_open_with_a_slash_behind_them(wire: Wire, path: str) -> None:
    assert wire.send("GET", path).status_code == 200


@pytest.mark.parametrize(
    "path", ["//v1/models", "/v1/health/live/../../models", "/v1/health/live%2f..%2fmodels"]
)
def test_an_open_path_is_no_way_round(wire: Wire, path: str) -> None:
    assert wire.send("GET", path).status_code == 401


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("scheme", ["Bearer {}", "bearer   {} ", "BEARER {}"])
def test_each_of_several_keys_opens(wire: Wire, key: str, scheme: str) -> None:
    headers = {"Authorization": scheme.format(key)}
    assert wire.send("GET", "/v1/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "value",
    ["", "first-key", "Bearer", "Bearer ", "Bearer first-keyy", "Bearer **********", "Basic !"],
)
def test_another_value_does_not(wire: Wire, value: str) -> None:
    answer = wire.send("GET", "/v1/models", headers={"Authorization": value})
    assert answer.status_code == 401
    assert "first-key" not in answer.text


def test_a_browser_is_asked_for_a_password_and_the_key_is_one(wire: Wire) -> None:
    asked = wire.send("GET", "/", headers={"Accept": "text/html,*/*"})
    assert asked.status_code == 401
    assert asked.headers["www-authenticate"].startswith("Basic ")
    given = base64.b64encode(b"anybody:second-key").decode()
    opened_page = wire.send("GET", "/", headers={"Authorization": f"Basic {given}"})
    assert opened_page.status_code == 200
    wrong = base64.b64encode(b"second-key:anything").decode()
    assert wire.send("GET", "/", headers={"Authorization": f"Basic {wrong}"}).status_code == 401


def test_the_key_is_asked_for_before_the_body_is_read(wire: Wire) -> None:
    async def call() -> int:
        async def body() -> object:
            raise AssertionError("the body was read")
            yield b""

        transport = httpx.ASGITransport(wire.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            answer = await client.post("/v1/embeddings", content=body())  # type: ignore[arg-type]
        return answer.status_code

    assert asyncio.run(call()) == 401


def test_keys_are_compared_in_constant_time_all_of_them() -> None:
    keys = auth.Keys(KEYS)
    with mock.patch("hmac.compare_digest", wraps=hmac.compare_digest) as compare:
        keys.check("/v1/models", [(b"authorization", b"Bearer first-key")])
    assert compare.call_count == len(KEYS)
    assert {len(side) for call in compare.call_args_list for side in call.args} == {32}


def test_without_keys_any_authorization_header_is_ignored(model: Embedder) -> None:
    with opened(Served("tiny", Engine(model))) as wire:
        headers = {"Authorization": "Bearer **********"}
        assert wire.send("GET", "/v1/models", headers=headers).status_code == 200


# --- Hosts --------------------------------------------------------------------------------------


def host_status(wire: Wire, host: str) -> int:
    return wire.send("GET", "/v1/models", headers={"Host": host}).status_code


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1", "[::1]:8000", "192.168.1.7:80", "box.local", "service"]
)
def test_a_service_on_its_own_machine_answers_under_names_that_no_site_can_own(
    model: Embedder, host: str
) -> None:
    with opened(Served("tiny", Engine(model))) as wire:
        assert host_status(wire, host) == 200


def test_a_site_that_points_its_name_at_this_machine_is_refused(model: Embedder) -> None:
    with opened(Served("tiny", Engine(model))) as wire:
        answer = wire.send("GET", "/v1/models", headers={"Host": "evil.example.com:8000"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "host_not_allowed")
    assert "--allowed-host" in answer.json()["detail"]


@pytest.mark.parametrize(
    "change",
    [{"api_keys": ("k",)}, {"host": "0.0.0.0"}, {"allowed_hosts": ("Search.Example.com",)}],
    ids=str,
)
def test_with_a_key_or_an_open_address_or_its_leave_every_name_is_answered(
    model: Embedder, change: dict[str, Any]
) -> None:
    with opened(Served("tiny", Engine(model)), settings=replace(QUIET, **change)) as wire:
        headers = {"Host": "search.example.com", "Authorization": "Bearer k"}
        assert wire.send("GET", "/v1/models", headers=headers).status_code == 200
