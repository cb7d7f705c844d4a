"""POST /v1/embeddings through the real application and the shipped model."""

from __future__ import annotations

import asyncio
import base64
import gzip
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import orjson
import pytest
from numpy.testing import assert_allclose
from tests.serve.wire_client import QUIET, Wire, mini, opened

from biencoder.embedder.embedder import Embedder
from biencoder.serve.embeddings import embeddings
from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Embedded, Engine

LAKE = "Oxbow lakes are cut-off river bends."


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with opened() as opened_wire:
        yield opened_wire


def closeness(left: Any, right: Any) -> float:
    return float(np.dot(np.asarray(left, np.float32), np.asarray(right, np.float32)))


def test_one_text_gets_the_vector_of_the_library(wire: Wire) -> None:
    response = wire.post(model="mini", input=LAKE, input_type="query")
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    body = response.json()
    tokens = mini().tokenizer.count(LAKE, "query: ")
    assert body["model"] == "mini"
    assert body["usage"] == {"prompt_tokens": tokens, "total_tokens": tokens}
    ours = np.array(body["data"][0]["embedding"], np.float32)
    assert_allclose(ours, mini().encode_queries([LAKE])[0], atol=1e-5)
    assert np.linalg.norm(ours) == pytest.approx(1, abs=1e-5)


def test_a_list_is_answered_in_its_order(wire: Wire) -> None:
    texts = ["the", "A much longer text about rivers. " * 8, LAKE, "lake"]
    response = wire.post(model="mini", input=texts, input_type="passage")
    data = response.json()["data"]
    assert [item["index"] for item in data] == [0, 1, 2, 3]
    assert_allclose([item["embedding"] for item in data], mini().encode_documents(texts), atol=1e-5)
    counts = mini().tokenizer.counts(texts, "passage: ")
    assert response.json()["usage"]["prompt_tokens"] == sum(counts)


def test_swapped_roles_are_other_vectors(wire: Wire) -> None:
    (query,), (passage,) = wire.embed(input=LAKE, input_type="query"), wire.embed(input=LAKE)
    assert closeness(query, passage) < 0.999
    assert_allclose(query, mini().encode_queries([LAKE])[0], atol=1e-5)
    assert_allclose(passage, mini().encode_documents([LAKE])[0], atol=1e-5)


def test_every_road_leads_to_the_same_vector(wire: Wire) -> None:
    """Float list, base64, suffix, the other path, a batch of one, a place among a hundred."""
    (plain,) = wire.embed(input=LAKE)
    (coded,) = wire.embed(input=[LAKE], encoding_format="base64")
    roads = [
        np.frombuffer(base64.b64decode(coded), "<f4"),
        wire.embed(input=LAKE, model="mini-passage", input_type=None)[0],
        wire.embed("/embeddings", input=LAKE)[0],
        wire.embed(input=None, messages=[{"role": "document", "content": LAKE}])[0],
    ]
    company = [f"Text number {number} in the company." for number in range(100)]
    for place in (0, 57, 99):
        company[place] = LAKE
        roads.append(wire.embed(input=company)[place])
    for vector in roads:
        assert_allclose(vector, plain, atol=1e-5)


def test_the_answer_carries_the_canonical_id_without_suffix() -> None:
    with opened(Served("mini", Engine(mini()), ("acme/lakes",))) as wire:
        for name in ("mini-query", "biencoder/mini", "acme/lakes", "openai/acme/lakes-query"):
            body = wire.post(model=name, input=LAKE, input_type="query").json()
            assert body["model"] == "mini"


@pytest.mark.parametrize("size", [64, 128, 256, 384])
def test_a_listed_size_is_cut_and_normalised_again(wire: Wire, size: int) -> None:
    (vector,) = wire.embed(input=LAKE, dimensions=size)
    full = np.array(wire.embed(input=LAKE)[0], np.float32)[:size]
    assert len(vector) == size
    assert_allclose(vector, full / np.linalg.norm(full), atol=1e-5)


def test_nim1_gives_sizes_that_were_not_trained_for() -> None:
    with opened(settings=replace(QUIET, dimensions_policy="nim1")) as wire:
        assert len(wire.embed(input=LAKE, dimensions=32)[0]) == 32
        assert np.linalg.norm(wire.embed(input=LAKE, dimensions=32)[0]) == pytest.approx(
            1, abs=1e-5
        )
        assert len(wire.embed(input=LAKE, dimensions=102400)[0]) == 384
        refusal = wire.post(
            model="mini", input=LAKE, input_type="query", dimensions=12, embedding_type="binary"
        )
        assert refusal.json()["error"]["code"] == "invalid_dimensions"


def test_truncation_keeps_the_asked_end_and_is_told(wire: Wire) -> None:
    long = "alpha " * 600 + "omega " * 600
    body = {"model": "mini", "input": [long, "short"], "input_type": "passage"}
    head, tail = wire.post(**body, truncate="END"), wire.post(**body, truncate="start")
    for response, half in ((head, "END"), (tail, "START")):
        assert response.headers["x-biencoder-truncated"] == "1"
        with pytest.warns(match="1 of 1 texts were cut"):
            offline = mini().encode_documents([long], truncate=half)  # type: ignore[arg-type]
        assert_allclose(response.json()["data"][0]["embedding"], offline[0], atol=1e-5)
    least = mini().max_tokens + mini().tokenizer.count("short", "passage: ")
    assert head.json()["usage"]["total_tokens"] == least
    assert "x-biencoder-truncated" not in wire.post(**body | {"input": "short"}).headers


def test_the_headers_tell_what_an_answer_cost(wire: Wire) -> None:
    response = wire.post(model="mini", input=[LAKE, "ab"], input_type="passage")
    assert response.headers["x-compute-type"] == "cpu"
    assert response.headers["x-compute-characters"] == str(len(LAKE) + 2)
    assert int(response.headers["x-compute-tokens"]) == response.json()["usage"]["total_tokens"]
    stages = [
        float(response.headers[f"x-{stage}-time"])
        for stage in ("tokenization", "queue", "inference")
    ]
    assert all(milliseconds >= 0 for milliseconds in stages)
    compute = float(response.headers["x-compute-time"])
    assert compute == pytest.approx(stages[0] + stages[2], abs=0.002)
    assert float(response.headers["x-total-time"]) >= compute > 0


def test_a_default_role_is_used_told_and_counted() -> None:
    with opened(settings=replace(QUIET, default_input_type="passage")) as wire:
        response = wire.post(model="mini", input=LAKE)
        assert response.headers["x-biencoder-input-type"] == "passage;default"
        (passage,) = wire.embed(input=LAKE)
        assert_allclose(response.json()["data"][0]["embedding"], passage, atol=1e-5)
        assert wire.counted("role_missing") == 1
        told = wire.post(model="mini", input=LAKE, input_type="query")
        assert "x-biencoder-input-type" not in told.headers
        assert wire.counted("role_missing") == 1


def test_inputs_are_counted_by_role_and_cuts_are_counted() -> None:
    with opened() as wire:
        wire.embed(input=["a", "b", "c"])
        wire.embed(input="a", input_type="query")
        wire.embed(input=["word " * 900, "a"], truncate="END")
        assert wire.counted("inputs", role="passage", modality="text") == 5
        assert wire.counted("inputs", role="query", modality="text") == 1
        assert wire.counted("truncated_inputs") == 1


@pytest.mark.parametrize(
    "content_type", [None, "text/plain", "application/json;charset=utf-8", "application/xml"]
)
def test_the_body_is_json_whatever_its_type_says(wire: Wire, content_type: str | None) -> None:
    content = orjson.dumps({"model": "mini", "input": LAKE, "input_type": "query"})
    headers = {"content-type": content_type} if content_type else {}
    assert wire.send("POST", "/v1/embeddings", content=content, headers=headers).status_code == 200
    packed = gzip.compress(content)
    headers["content-encoding"] = "gzip"
    assert wire.send("POST", "/v1/embeddings", content=packed, headers=headers).status_code == 200


def test_a_trailing_slash_is_the_same_address(wire: Wire) -> None:
    body = {"model": "mini", "input": LAKE, "input_type": "query"}
    for path in ("/v1/embeddings/", "/embeddings/"):
        assert wire.post(path, **body).status_code == 200


def test_strange_texts_are_texts(wire: Wire) -> None:
    texts = [
        "\x00",
        "\ufeff",
        "<|eot_id|>",
        "passage: query: ",
        "passage: ",
        "a\r\nb",
        "[CLS] [SEP]",
    ]
    assert_allclose(wire.embed(input=texts), mini().encode_documents(texts), atol=1e-5)


def test_large_answers_are_written_beside_the_loop_and_the_largest_streamed(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"lake {number}" for number in range(60)]
    small = wire.post(model="mini", input=texts, input_type="passage")
    assert len(small.content) > embeddings.INLINE_BYTES
    monkeypatch.setattr(embeddings, "STREAMED_BYTES", 0)
    streamed = wire.post(model="mini", input=texts, input_type="passage")
    assert "content-length" in small.headers
    assert "content-length" not in streamed.headers
    assert [item["index"] for item in streamed.json()["data"]] == list(range(60))
    one, other = (
        np.array([item["embedding"] for item in response.json()["data"]])
        for response in (small, streamed)
    )
    assert_allclose(one, other, atol=1e-6)


class PatientEngine(Engine):
    """An engine that never answers, and notes when it is no longer asked."""

    def __init__(self, embedder: Embedder) -> None:
        super().__init__(embedder)
        self.asked = asyncio.Event()
        self.dropped = asyncio.Event()

    async def embed(self, texts: Any, **options: Any) -> Embedded:
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.dropped.set()
        raise AssertionError


def test_a_client_that_goes_away_takes_its_request_along() -> None:
    engine = PatientEngine(mini())
    content = orjson.dumps({"model": "mini", "input": LAKE, "input_type": "query"})
    sent: list[Any] = []

    with opened(Served("mini", engine)) as wire:

        async def receive() -> dict[str, Any]:
            if not sent:
                sent.append("the body")
                return {"type": "http.request", "body": content, "more_body": False}
            await engine.asked.wait()
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        async def visit() -> None:
            scope = {
                "type": "http",
                "asgi": {"version": "3.0"},
                "http_version": "1.1",
                "method": "POST",
                "path": "/v1/embeddings",
                "raw_path": b"/v1/embeddings",
                "root_path": "",
                "query_string": b"",
                "headers": [],
            }
            visiting = asyncio.ensure_future(wire.app(scope, receive, send))
            done, _ = await asyncio.wait({visiting}, timeout=10)
            assert done
            assert engine.dropped.is_set()

        wire.runner.run(visit())
    assert sent == ["the body"]
