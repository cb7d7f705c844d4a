"""Every row of the contract's error table: status, code, phrase, headers, and one shape for all."""

from __future__ import annotations

import re
from dataclasses import replace
from http import HTTPStatus

import pytest
from tests.serve.error_rows import PNG, Row, answer_to, with_fields
from tests.serve.image_error_rows import ALL_ROWS
from tests.serve.wire_client import QUIET, opened

from biencoder.serve.errors import STATUS

# Codes of other routes (index, search page) and of the shell around all of them, with tests of their
# own.
ELSEWHERE = {
    "invalid_filter",
    "index_conflict",
    "index_error",
    "cross_site",
    "headers_too_large",
    "range_not_satisfiable",
    "host_not_allowed",
}


@pytest.mark.parametrize("row", ALL_ROWS, ids=lambda row: row.name)
def test_the_row(row: Row) -> None:
    response = answer_to(row)
    body = response.json()
    assert response.status_code == row.status, response.text
    assert response.headers["content-type"] == "application/json"
    for name, value in row.answer_headers.items():
        assert name in response.headers
        assert not value or response.headers[name] == value
    error = body["error"]
    assert (error["code"], error["param"]) == (row.code, row.param)
    assert row.phrase in error["message"]
    assert "\n" not in error["message"]
    assert body["detail"] == error["message"]
    assert body["status"] == row.status
    assert body["title"] == HTTPStatus(row.status).phrase
    assert body["object"] == "error"
    assert body["request_id"] == response.headers["x-request-id"]
    assert set(body) == {"error", "object", "status", "title", "detail", "request_id"}
    assert set(error) == {"message", "type", "param", "code"}


def test_no_code_is_without_a_row() -> None:
    assert {row.code for row in ALL_ROWS} == STATUS.keys() - ELSEWHERE


def test_a_pause_is_whole_seconds_and_short_enough_for_openai() -> None:
    for row in ALL_ROWS:
        if row.status in (429, 503):
            seconds = answer_to(row).headers["retry-after"]
            assert 1 <= int(seconds) <= 120


@pytest.mark.parametrize(
    "pattern",
    [
        rb"exceeds maximum allowed token size",
        rb"Input length\s+\d+\s+exceeds maximum allowed token size\s+(\d+)",
    ],
)
def test_the_raw_body_holds_the_phrase_that_clients_search_for(pattern: bytes) -> None:
    row = next(row for row in ALL_ROWS if row.code == "context_length_exceeded")
    assert re.search(pattern, answer_to(row).content)


@pytest.mark.parametrize("name", ["not JSON", "wrong type", "unknown value", "unknown model"])
def test_nothing_of_the_request_comes_back(name: str) -> None:
    row = next(row for row in ALL_ROWS if row.name == name)
    for secret in ("secret", "middle", "text-embedding-3-small", "a lake"):
        assert secret not in answer_to(row).text


def test_checks_come_in_the_order_of_the_contract() -> None:
    """A request with every fault at once, mended one by one, meets the refusals in their order."""
    settings = replace(QUIET, api_keys=("right",), max_body_bytes=4000, max_client_batch=8)
    long = "word " * 700
    steps: list[tuple[str, dict[str, object]]] = [
        (
            "invalid_request",
            with_fields(model="x", truncate="x", input_type="x", input=[PNG, long]),
        ),
        ("model_not_found", with_fields(model="x", input_type="x", input=[PNG, long])),
        ("invalid_input_type", with_fields(input_type="x", input=[PNG, long])),
        ("unsupported_modality", with_fields(input=[PNG, long])),
        ("context_length_exceeded", with_fields(input=["a", long])),
    ]
    key = {"authorization": "Bearer right"}
    with opened(settings=settings) as wire:

        def code(method: str = "POST", path: str = "/v1/embeddings", **options: object) -> str:
            answer = wire.send(method, path, **options)
            return str(answer.json()["error"]["code"])

        huge = b"{" * 5000
        wire.service.state = "starting"
        assert code("GET", "/nowhere", content=huge) == "invalid_api_key"
        assert code("GET", "/nowhere", content=huge, headers=key) == "not_found"
        assert code("GET", content=huge, headers=key) == "method_not_allowed"
        assert code(content=huge, headers=key) == "not_ready"
        wire.service.state = "ready"
        assert code(content=huge, headers=key) == "body_too_large"
        assert code(content=b"{", headers=key) == "invalid_json"
        for expected, body in steps:
            assert code(json=body, headers=key) == expected


def test_the_table_covers_bodies_that_break_off() -> None:
    with opened() as wire:
        for content in (
            b"",
            b"\xff\xfe",
            b'{"input": "\\ud800"}',
            b"null",
            b'"a"',
            b"1",
            b"[" * 5000,
        ):
            answer = wire.send("POST", "/v1/embeddings", content=content)
            assert answer.json()["error"]["code"] == "invalid_json", content
