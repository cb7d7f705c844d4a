"""openai and curl, unchanged, at a real process: their vectors are those of the library."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import openai
import pytest
from openai.types import CreateEmbeddingResponse
from tests.serve.clients import (
    ALIASED,
    NAME,
    QUESTION,
    REFUSAL,
    TEXTS,
    TOO_LONG,
    as_passages,
    as_query,
    same,
    served,
)
from tests.serve.wire_client import mini

QUERY: dict[str, Any] = {"input_type": "query"}
PASSAGE: dict[str, Any] = {"input_type": "passage"}


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with served(*ALIASED) as base:
        yield base


# --- openai -------------------------------------------------------------------------------------


@pytest.fixture
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key="none", base_url=f"{address}/v1", max_retries=0) as client:
        yield client


def vectors(answer: CreateEmbeddingResponse) -> list[list[float]]:
    assert [item.index for item in answer.data] == list(range(len(answer.data)))
    return [item.embedding for item in answer.data]


def test_openai_gets_the_librarys_vectors_and_is_told_which_model_answered(
    client: openai.OpenAI,
) -> None:
    answer = client.embeddings.create(model=NAME, input=TEXTS, extra_body=PASSAGE)
    same(vectors(answer), as_passages())
    assert answer.model == "mini"
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > len(TEXTS)


def test_openai_gets_the_same_bits_as_base64_and_as_numbers(client: openai.OpenAI) -> None:
    packed = client.embeddings.create(model=NAME, input=QUESTION, extra_body=QUERY)
    plain = client.embeddings.create(
        model=NAME, input=QUESTION, extra_body=QUERY, encoding_format="float"
    )
    assert vectors(packed) == [[float(np.float32(one)) for one in vectors(plain)[0]]]
    same(vectors(packed)[0], as_query())


def test_openai_says_the_role_by_the_models_name(client: openai.OpenAI) -> None:
    asked = vectors(client.embeddings.create(model=f"{NAME}-query", input=QUESTION))[0]
    stored = vectors(client.embeddings.create(model=f"{NAME}-passage", input=QUESTION))[0]
    same(asked, as_query())
    same(stored, mini().encode_documents([QUESTION])[0])
    assert not np.allclose(asked, stored, atol=1e-2)


def test_openai_gets_smaller_vectors_of_length_1(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model=NAME, input=TEXTS, dimensions=128, extra_body=PASSAGE)
    same(vectors(answer), as_passages(dimensions=128))
    same(np.linalg.norm(vectors(answer), axis=1), np.ones(len(TEXTS)))


def test_openai_gets_int8_as_integers_though_it_asks_for_base64(client: openai.OpenAI) -> None:
    body = PASSAGE | {"embedding_type": "int8"}
    answer = client.embeddings.create(model=NAME, input=TEXTS, extra_body=body)
    for item, wanted in zip(answer.data, as_passages(), strict=True):
        # Its type says float, so it makes floats of the integers that it is sent.
        assert all(float(one).is_integer() for one in item.embedding)
        assert max(map(abs, item.embedding)) == 127
        assert item.model_extra is not None
        scale = item.model_extra["scale"]
        np.testing.assert_allclose(scale * np.array(item.embedding), wanted, atol=scale * 0.51)


def test_openai_without_blocking(address: str) -> None:
    async def ask() -> list[CreateEmbeddingResponse]:
        base = f"{address}/v1"
        async with openai.AsyncOpenAI(api_key="none", base_url=base, max_retries=0) as client:
            coming = [
                client.embeddings.create(model=NAME, input=[text], extra_body=PASSAGE)
                for text in TEXTS
            ]
            return await asyncio.gather(*coming)

    same([vectors(answer)[0] for answer in asyncio.run(ask())], as_passages())


@pytest.mark.parametrize(
    ("change", "kind", "code", "param", "words"),
    [
        (
            {"input": TOO_LONG},
            openai.BadRequestError,
            "context_length_exceeded",
            "input[0]",
            REFUSAL,
        ),
        ({"dimensions": 100}, openai.BadRequestError, "invalid_dimensions", "dimensions", "384"),
        (
            {"extra_body": {}},
            openai.BadRequestError,
            "missing_input_type",
            "input_type",
            "'input_type' parameter is required for asymmetric models",
        ),
        (
            {"model": "text-embedding-3-small"},
            openai.NotFoundError,
            "model_not_found",
            "model",
            "mini",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_openai_raises_its_own_errors_with_our_words_and_the_requests_id(
    client: openai.OpenAI,
    change: dict[str, Any],
    kind: type[openai.APIStatusError],
    code: str,
    param: str,
    words: str,
) -> None:
    asked: dict[str, Any] = {"model": NAME, "input": QUESTION, "extra_body": QUERY} | change
    with pytest.raises(kind, match=words) as raised:
        client.embeddings.create(**asked, extra_headers={"x-request-id": f"ours-{code}"})
    assert (raised.value.code, raised.value.param) == (code, param)
    assert raised.value.request_id == f"ours-{code}"


def test_openai_lists_the_models(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["mini"]


# --- curl ---------------------------------------------------------------------------------------


def curl(address: str, body: dict[str, Any]) -> tuple[int, Any]:
    """Status and answer. With ``-d`` alone, curl says that the body is a form."""
    if shutil.which("curl") is None:
        pytest.skip("the program curl is not installed")
    command = ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}"]
    done = subprocess.run(
        [*command, f"{address}/v1/embeddings", "-d", json.dumps(body)],
        capture_output=True,
        text=True,
        check=True,
    )
    answer, status = done.stdout.rsplit("\n", 1)
    return int(status), json.loads(answer)


def test_curl_needs_no_header(address: str) -> None:
    status, answer = curl(address, {"model": NAME, "input": TEXTS, "input_type": "passage"})
    assert (status, answer["model"]) == (200, "mini")
    same([item["embedding"] for item in answer["data"]], as_passages())


def test_curl_is_told_that_the_role_is_missing(address: str) -> None:
    status, answer = curl(address, {"messages": [{"role": "user", "content": QUESTION}]})
    assert (status, answer["error"]["code"]) == (400, "missing_input_type")
    wanted = "'input_type' parameter is required for asymmetric models"
    assert re.search(wanted, answer["detail"])


# --- All of them --------------------------------------------------------------------------------


def test_the_service_has_counted_no_fault(address: str) -> None:
    text = httpx.get(f"{address}/v1/metrics").text
    assert 'status="200"' in text
    assert re.findall(r'biencoder_requests_total\{[^}]*status="5', text) == []
