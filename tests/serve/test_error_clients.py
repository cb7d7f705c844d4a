"""Every refusal through the error parsers of real clients: they must give the status and our words."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any
from unittest.mock import Mock

import httpx
import openai
import pytest
import requests
from langchain_nvidia_ai_endpoints._common import _NVIDIAAsyncClient, _NVIDIASyncClient
from tests.serve.error_rows import Row, answer_to
from tests.serve.image_error_rows import ALL_ROWS

FAULTY = tuple(row for row in ALL_ROWS if row.method == "POST")


@pytest.fixture(scope="module")
def answers() -> dict[str, httpx.Response]:
    return {row.name: answer_to(row) for row in FAULTY}


def langchain(kind: Any) -> Any:
    """LangChain's client without its start, which would ask a server for its models."""
    client = kind.model_construct()
    client.__dict__["_custom_embeddings_404_guidance"] = lambda: None
    return client


def as_requests(answer: httpx.Response) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status_code
    response._content = answer.content
    response.headers.update(answer.headers)
    return response


@pytest.mark.parametrize("row", FAULTY, ids=lambda row: row.name)
def test_langchain_reads_it(row: Row, answers: dict[str, httpx.Response]) -> None:
    answer = answers[row.name]
    message = answer.json()["error"]["message"]
    with pytest.raises(Exception, match=re.escape(message)) as raised:
        langchain(_NVIDIASyncClient)._try_raise(as_requests(answer))
    assert str(raised.value).startswith(f"[{row.status}] ")
    assert ("Unauthorized" in str(raised.value)) == (row.status == 401)


@pytest.mark.parametrize("row", FAULTY, ids=lambda row: row.name)
def test_langchain_reads_it_without_blocking(row: Row, answers: dict[str, httpx.Response]) -> None:
    answer = answers[row.name]
    response = Mock(status=answer.status_code, reason=answer.reason_phrase)

    async def read() -> bytes:
        return answer.content

    response.read = read
    with pytest.raises(Exception, match=re.escape(answer.json()["detail"])) as raised:
        asyncio.run(langchain(_NVIDIAAsyncClient)._try_raise_async(response))
    assert str(raised.value).startswith(f"[{row.status}] {answer.json()['title']}")


@pytest.mark.parametrize("row", FAULTY, ids=lambda row: row.name)
def test_openai_reads_it(row: Row, answers: dict[str, httpx.Response]) -> None:
    answer = answers[row.name]
    with openai.OpenAI(api_key="none", base_url="http://test/v1") as client:
        error = client._make_status_error_from_response(foreign_response(answer))
    ours = answer.json()["error"]
    assert error.status_code == row.status
    assert (error.code, error.param, error.type) == (row.code, row.param, ours["type"])
    assert ours["message"] in str(error)
    assert error.request_id == answer.json()["request_id"]
    kind = {
        400: openai.BadRequestError,
        401: openai.AuthenticationError,
        404: openai.NotFoundError,
        429: openai.RateLimitError,
        500: openai.InternalServerError,
        503: openai.InternalServerError,
        504: openai.InternalServerError,
    }.get(row.status, openai.APIStatusError)
    assert type(error) is kind


@pytest.mark.parametrize("row", FAULTY, ids=lambda row: row.name)
def test_openai_tries_again_exactly_where_that_can_help(
    row: Row, answers: dict[str, httpx.Response]
) -> None:
    with openai.OpenAI(api_key="none", base_url="http://test/v1") as client:
        again = client._should_retry(foreign_response(answers[row.name]))
    assert again == (row.status in (408, 429, 503, 504))


def foreign_response(answer: httpx.Response) -> Any:
    """The answer in the classes of the HTTP library that openai was built with."""
    base: Any = openai._base_client
    library = getattr(base, "httpx2", None) or base.httpx
    return library.Response(
        answer.status_code,
        content=answer.content,
        headers=list(answer.headers.items()),
        request=library.Request("POST", "http://test/v1/embeddings"),
    )


def test_no_refusal_has_what_breaks_a_parser(answers: dict[str, httpx.Response]) -> None:
    for answer in answers.values():
        body = json.loads(answer.content)
        assert isinstance(body, dict)
        assert isinstance(body["detail"], str)
        assert "reqId" not in body["detail"]
        assert "requestId" not in body
