"""POST /v1/embeddings: messages, integers, instructions, models of other kinds."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from tests import tiny
from tests.serve.wire_client import QUIET, Wire, mini, opened

from biencoder.embedder.embedder import Embedder
from biencoder.embedder.precision import SCALES_FILE
from biencoder.errors import ConfigError
from biencoder.serve.embeddings import embeddings
from biencoder.serve.embeddings.names import Registry, Served
from biencoder.serve.engine.engine import Engine
from biencoder.serve.service import Service

LAKE = "Oxbow lakes are cut-off river bends."


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with opened() as opened_wire:
        yield opened_wire


def test_messages_of_both_roles_come_back_in_their_order(wire: Wire) -> None:
    messages = [
        {"role": "document", "content": "a bend"},
        {"role": "query", "content": LAKE},
        {"role": "user", "content": [{"type": "text", "text": "a river"}]},
        {"role": "query", "content": "a bend"},
    ]
    response = wire.post(messages=messages, input_type="passage")
    expected = np.concatenate(
        [
            mini().encode_documents(["a bend"]),
            mini().encode_queries([LAKE]),
            mini().encode_documents(["a river"]),
            mini().encode_queries(["a bend"]),
        ]
    )
    data = response.json()["data"]
    assert_allclose([item["embedding"] for item in data], expected, atol=1e-5)
    tokens = mini().tokenizer.counts(["a bend", "a river"], "passage: ")
    tokens += mini().tokenizer.counts([LAKE, "a bend"], "query: ")
    assert response.json()["usage"]["total_tokens"] == sum(tokens)


def test_a_too_long_message_is_named_by_its_own_place(wire: Wire) -> None:
    messages = [
        {"role": "query", "content": "a"},
        {"role": "document", "content": "b"},
        {"role": "document", "content": "word " * 900},
    ]
    error = wire.post(messages=messages).json()["error"]
    assert (error["code"], error["param"]) == ("context_length_exceeded", "messages[2]")


def test_messages_need_a_model_where_several_are_served() -> None:
    served = [Served(name, Engine(mini())) for name in ("one", "two")]
    with opened(*served) as wire:
        body = {"messages": [{"role": "query", "content": LAKE}]}
        refusal = wire.post(**body)
        assert (refusal.status_code, refusal.json()["error"]["param"]) == (400, "model")
        assert wire.post(**body, model="two").json()["model"] == "two"


def test_integers_carry_their_scale_and_arrays_pass_openai_by(wire: Wire) -> None:
    (plain,) = wire.embed(input=LAKE)
    body = {"model": "mini", "input": LAKE, "input_type": "passage"}
    for kind, zero in (("int8", 0), ("uint8", 128)):
        response = wire.post(**body, embedding_type=kind, encoding_format="base64")
        item = response.json()["data"][0]
        restored = item["scale"] * (np.array(item["embedding"]) - zero)
        assert_allclose(restored, plain, atol=item["scale"] * 0.6)
        assert "x-biencoder-embedding-dtype" not in response.headers
    (bits,) = wire.embed(input=LAKE, embedding_type="ubinary", dimensions=64)
    assert bits == np.packbits(np.array(plain[:64]) > 0).tolist()


def test_integers_as_bytes_name_their_type() -> None:
    with opened(settings=replace(QUIET, quantised_base64="bytes")) as wire:
        response = wire.post(
            model="mini",
            input=LAKE,
            input_type="passage",
            embedding_type="int8",
            encoding_format="base64",
        )
        assert response.headers["x-biencoder-embedding-dtype"] == "int8"
        raw = np.frombuffer(base64.b64decode(response.json()["data"][0]["embedding"]), np.int8)
        assert raw.tolist() == wire.embed(input=LAKE, embedding_type="int8")[0]


def test_a_scale_beside_the_model_is_one_for_all_and_clipping_is_counted(folder: Path) -> None:
    (folder / SCALES_FILE).write_text('{"int8_scales": {"64": 0.001}}', encoding="utf-8")
    with opened(Served("tiny", Engine(Embedder.load(folder, dtype="float32")))) as wire:
        body = {"model": "tiny", "input": tiny.TEXTS[:3], "input_type": "passage"}
        data = wire.post(**body, embedding_type="int8").json()["data"]
        assert [item["scale"] for item in data] == [pytest.approx(0.001)] * 3
        vectors = np.array([item["embedding"] for item in wire.post(**body).json()["data"]])
        expected = int(np.count_nonzero(np.abs(np.rint(vectors.astype(np.float32) / 0.001)) > 127))
        assert expected > 0
        assert wire.counted("quantised_saturated") == expected


def test_a_damaged_scale_stops_the_start(folder: Path) -> None:
    (folder / SCALES_FILE).write_text("{}", encoding="utf-8")
    served = Served("tiny", Engine(Embedder.load(folder, dtype="float32")))
    with pytest.raises(ConfigError, match="int8_scales"):
        embeddings.routes(Service(settings=QUIET, registry=Registry([served])))


def test_an_instruction_replaces_the_task_of_queries_only(folder: Path) -> None:
    embedder = Embedder.load(tiny.name_member(folder, "8b", commercial_use=True), dtype="float32")
    with opened(Served("8b", Engine(embedder))) as wire:
        body = {"model": "8b", "input": LAKE, "instruction": "Find the lake"}
        (query,) = wire.embed(**body, input_type="query")
        expected = embedder.encode_queries([LAKE], instruction="Find the lake")[0]
        assert_allclose(query, expected, atol=1e-5)
        (usual,) = wire.embed(input=LAKE, model="8b", input_type="query")
        assert np.dot(query, usual) < 0.9999
        assert_allclose(wire.embed(**body)[0], embedder.encode_documents([LAKE])[0], atol=1e-5)


def test_a_fixed_size_model_forbids_dimensions_in_the_hosted_words(model: Embedder) -> None:
    with opened(Served("tiny", Engine(model))) as wire:
        body = {"model": "tiny", "input": LAKE, "input_type": "query"}
        assert len(wire.post(**body, dimensions=64).json()["data"][0]["embedding"]) == 64
        error = wire.post(**body, dimensions=32).json()["error"]
        assert error["code"] == "extra_forbidden"
        assert "dimensions" in error["message"]
        assert "Extra inputs are not permitted" in error["message"]
