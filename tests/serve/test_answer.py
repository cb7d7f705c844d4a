"""Packing, number by number: golden case, real sizes, every road to the same vector."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import numpy as np
import pytest

from biencoder.serve.embeddings import answer
from biencoder.serve.embeddings.wire import (
    EMBEDDING_TYPES,
    EmbeddingRequest,
    EmbeddingType,
    EncodingFormat,
)
from biencoder.serve.errors import ApiError
from biencoder.types import FloatArray

GOLDEN = np.array([[0.3, -0.1, 0.0, 0.2, -0.4, 0.5, 0.1, -0.2]], dtype=np.float32)


def unit(rows: int, size: int, seed: int = 0) -> FloatArray:
    values = np.random.default_rng(seed).standard_normal((rows, size)).astype(np.float32)
    vectors: FloatArray = values / np.linalg.norm(values, axis=1, keepdims=True)
    return vectors


def written(
    vectors: FloatArray,
    kind: EmbeddingType = "float",
    encoding: EncodingFormat = "float",
    scale: float | None = None,
) -> dict[str, Any]:
    packed = answer.pack(vectors, kind, scale=scale)
    body = b"".join(answer.embedding_list(packed, encoding, model="m", tokens=8))
    parsed: dict[str, Any] = json.loads(body)
    return parsed


def only(body: dict[str, Any]) -> Any:
    return body["data"][0]["embedding"]


def test_golden_bits() -> None:
    assert only(written(GOLDEN, "ubinary")) == [0b10010110] == [150]
    assert only(written(GOLDEN, "binary")) == [22]


def test_golden_bits_are_those_of_sentence_transformers() -> None:
    from sentence_transformers.util.quantization import quantize_embeddings

    vectors = unit(3, 384)
    for kind in ("binary", "ubinary"):
        theirs = quantize_embeddings(vectors, precision=kind)
        ours = [item["embedding"] for item in written(vectors, kind)["data"]]
        assert ours == theirs.tolist()


def test_golden_integers_with_a_scale_per_vector() -> None:
    # s = 0.5 / 127; 0.3 / s = 76.2, -0.1 / s = -25.4, 0.2 / s = 50.8, -0.4 / s = -101.6
    body = written(GOLDEN, "int8")
    assert only(body) == [76, -25, 0, 51, -102, 127, 25, -51]
    assert body["data"][0]["scale"] == pytest.approx(0.5 / 127)
    assert only(written(GOLDEN, "uint8")) == [204, 103, 128, 179, 26, 255, 153, 77]


def test_golden_integers_with_a_constant_scale() -> None:
    # s = 1/256: products are exact; 0.3 * 256 = 76.8; halves go to the even neighbour
    vectors = np.array([[0.3, 0.5, -0.75, 2.5 / 256, 3.5 / 256, -2.5 / 256]], dtype=np.float32)
    packed = answer.pack(vectors, "int8", scale=1 / 256)
    assert packed.rows.tolist() == [[77, 127, -127, 2, 4, -2]]
    assert packed.saturated == 2
    assert packed.scales is not None
    assert packed.scales.tolist() == [1 / 256]


def test_a_constant_scale_keeps_the_order_of_dot_products() -> None:
    vectors = unit(40, 384)
    codes = answer.pack(vectors, "int8", scale=float(np.abs(vectors).max()) / 127).rows
    query, documents = codes[0].astype(np.int64), codes[1:].astype(np.int64)
    exact = vectors[1:] @ vectors[0]
    approximate = documents @ query
    clear = np.argsort(-exact)[[0, 9, 19, 29, 38]]
    assert (np.diff(approximate[clear]) < 0).all()


@pytest.mark.parametrize("kind", ["int8", "uint8"])
def test_scale_times_integer_is_the_vector(kind: EmbeddingType) -> None:
    vectors = unit(3, 2048)
    for row, item in zip(vectors, written(vectors, kind)["data"], strict=True):
        integers = np.array(item["embedding"]) - (128 if kind == "uint8" else 0)
        assert np.abs(integers).max() == 127
        np.testing.assert_allclose(item["scale"] * integers, row, atol=item["scale"] * 0.5001)


def test_floats_come_back_bit_for_bit() -> None:
    vectors = unit(3, 2048)
    got = np.array([item["embedding"] for item in written(vectors)["data"]], dtype=np.float32)
    assert np.array_equal(got, vectors)


def test_a_float_is_written_with_the_fewest_digits() -> None:
    packed = answer.pack(np.array([[0.1, -0.25, 0.0]], dtype=np.float32), "float", scale=None)
    body = b"".join(answer.embedding_list(packed, "float", model="m", tokens=1))
    assert b'"embedding":[0.1,-0.25,0.0]' in body


def test_base64_is_little_endian_float32_padded_on_one_line() -> None:
    vectors = unit(2, 2048)
    text = written(vectors, encoding="base64")["data"][1]["embedding"]
    assert len(text) == 10924
    assert struct.unpack("<2048f", base64.b64decode(text, validate=True)) == tuple(vectors[1])


def test_a_machine_of_the_other_byte_order_writes_the_same() -> None:
    vectors = unit(2, 64)
    swapped = vectors.astype(">f4")
    for encoding in ("float", "base64"):
        assert written(swapped, encoding=encoding) == written(vectors, encoding=encoding)
    packed = answer.Packed(swapped)
    body = b"".join(answer.embedding_list(packed, "base64", model="m", tokens=1))
    assert json.loads(body)["data"] == written(vectors, encoding="base64")["data"]


def test_rows_of_a_cut_view_are_written_as_if_copied() -> None:
    vectors = unit(3, 384)
    view = vectors[:, :64]
    assert written(view) == written(view.copy())
    assert written(view, encoding="base64") == written(view.copy(), encoding="base64")


@pytest.mark.parametrize("kind", EMBEDDING_TYPES)
def test_the_shape_of_an_answer(kind: EmbeddingType) -> None:
    body = written(unit(3, 64), kind)
    assert list(body) == ["object", "data", "model", "usage"]
    assert body["object"] == "list"
    assert body["model"] == "m"
    assert body["usage"] == {"prompt_tokens": 8, "total_tokens": 8}
    assert [item["index"] for item in body["data"]] == [0, 1, 2]
    assert all(item["object"] == "embedding" for item in body["data"])
    assert all(("scale" in item) == (kind in ("int8", "uint8")) for item in body["data"])
    least, greatest, size = {
        "float": (-1, 1, 64),
        "int8": (-127, 127, 64),
        "uint8": (1, 255, 64),
        "binary": (-128, 127, 8),
        "ubinary": (0, 255, 8),
    }[kind]
    for item in body["data"]:
        assert len(item["embedding"]) == size
        assert min(item["embedding"]) >= least
        assert max(item["embedding"]) <= greatest


def test_a_large_answer_comes_in_pieces_that_are_one_json() -> None:
    vectors = unit(600, 384)
    pieces = list(answer.embedding_list(answer.Packed(vectors), "float", model="m", tokens=1))
    assert len(pieces) > 2
    assert max(map(len, pieces)) < answer.PIECE_BYTES + 16 * 1024
    parsed = json.loads(b"".join(pieces))
    assert [item["index"] for item in parsed["data"]] == list(range(600))
    assert parsed == written(vectors) | {"usage": parsed["usage"]}


@pytest.mark.parametrize("kind", EMBEDDING_TYPES)
@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_the_size_of_an_answer_is_foreseen(kind: EmbeddingType, encoding: EncodingFormat) -> None:
    vectors = unit(20, 2048)
    packed = answer.pack(vectors, kind, scale=None)
    true = len(b"".join(answer.embedding_list(packed, encoding, model="m", tokens=1)))
    assert true / 2 < answer.size_of(packed.rows, kind, encoding) + 20 * 80 < true * 2


@pytest.mark.parametrize("kind", EMBEDDING_TYPES)
@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
def test_a_number_that_json_cannot_say_is_never_sent(kind: EmbeddingType, wrong: float) -> None:
    vectors = unit(2, 64)
    vectors[1, 5] = wrong
    with pytest.raises(ApiError, match="not finite") as refusal:
        answer.pack(vectors, kind, scale=None)
    assert refusal.value.status == 500


@pytest.mark.parametrize("kind", ["int8", "uint8", "binary", "ubinary"])
def test_integers_come_as_arrays_even_to_a_client_that_asks_for_base64(kind: EmbeddingType) -> None:
    wanted = EmbeddingRequest(model="m", texts=["a"], embedding_type=kind, encoding_format="base64")
    assert answer.encoding_of(wanted, "arrays") == "float"
    assert answer.encoding_of(wanted, "bytes") == "base64"
    plain = EmbeddingRequest(model="m", texts=["a"], encoding_format="base64")
    assert answer.encoding_of(plain, "arrays") == "base64"


def test_integers_as_bytes_are_their_bytes() -> None:
    for kind, letter in (("int8", "b"), ("uint8", "B"), ("binary", "b"), ("ubinary", "B")):
        vectors = unit(1, 64)
        text = only(written(vectors, kind, "base64"))  # type: ignore[arg-type]
        raw = base64.b64decode(text)
        integers = struct.unpack(f"<{len(raw)}{letter}", raw)
        assert list(integers) == only(written(vectors, kind))  # type: ignore[arg-type]
