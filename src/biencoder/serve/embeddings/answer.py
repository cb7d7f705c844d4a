"""Vectors into the bytes of an answer, row by row, no number ever touched in Python.

The integers of ``int8`` and ``uint8`` are ours: NIM does not publish its scaling. The bit types follow
the common convention (sentence-transformers, ``quantize_embeddings``).
"""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import orjson

from biencoder.embedder.precision import to_binary, to_scaled_int8
from biencoder.serve.embeddings.wire import EmbeddingRequest, EmbeddingType, EncodingFormat
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import QuantisedBase64
from biencoder.types import FloatArray

Rows: TypeAlias = npt.NDArray[Any]

# An answer is put together in pieces of about this size.
PIECE_BYTES = 1 << 20

# Bytes of one number as text with its comma, a little more than they are on average.
_TEXT_BYTES = {"float": 13, "int8": 5, "uint8": 4, "binary": 5, "ubinary": 4}


@dataclass(frozen=True, slots=True)
class Packed:
    """Vectors in the type that was asked for, one row each. saturated: numbers that were clipped.

    scales: float32, shape (n,), where vector = scale * row (``uint8``: scale * (row - 128)).
    """

    rows: Rows
    scales: FloatArray | None = None
    saturated: int = 0


def pack(vectors: FloatArray, embedding_type: EmbeddingType, *, scale: float | None) -> Packed:
    """Unit vectors, shape (n, d), as ``embedding_type``; bits are packed to shape (n, d / 8).

    scale: the model's constant for int8 and uint8 at this size; None takes one for each vector.
    Raises ApiError engine_error for a number that is not finite: JSON has no word for it.
    """
    if not np.isfinite(vectors).all():
        raise unsendable()
    match embedding_type:
        case "float":
            return Packed(np.ascontiguousarray(vectors, dtype=np.float32))
        case "binary":
            return Packed(to_binary(vectors))
        case "ubinary":
            return Packed(np.packbits(vectors > 0, axis=-1))
    codes, scales, saturated = to_scaled_int8(vectors, scale)
    if embedding_type == "uint8":
        return Packed((codes.astype(np.int16) + 128).astype(np.uint8), scales, saturated)
    return Packed(codes, scales, saturated)


def unsendable() -> ApiError:
    """The refusal of a vector that is not finite; asking again would give it again."""
    message = "The model gave a vector that is not finite"
    return ApiError("engine_error", message, headers={"x-should-retry": "false"})


def encoding_of(wanted: EmbeddingRequest, quantised: QuantisedBase64) -> EncodingFormat:
    """The form that a request gets: integers come as arrays unless the settings say bytes.

    openai-python asks for base64 on its own and reads any string as float32: it would turn the
    bytes of integers into wrong numbers without a word, while it hands arrays through.
    """
    if wanted.embedding_type != "float" and quantised == "arrays":
        return "float"
    return wanted.encoding_format


def size_of(rows: Rows, embedding_type: EmbeddingType, encoding: EncodingFormat) -> int:
    """About how many bytes the answer will have; good enough to choose a road by."""
    if encoding == "base64":
        return rows.nbytes * 4 // 3
    return rows.size * _TEXT_BYTES[embedding_type]


def embedding_list(
    packed: Packed, encoding: EncodingFormat, *, model: str, tokens: int, images: int = 0
) -> Iterator[bytes]:
    """The whole JSON answer in pieces. base64: each row's bytes, floats little-endian.

    tokens: visual ones included. images: how many inputs held one.
    """
    rows = packed.rows
    little_endian = np.ascontiguousarray(rows, dtype=rows.dtype.newbyteorder("<"))
    pieces = [b'{"object":"list","data":[']
    size = 0
    for index in range(len(rows)):
        if encoding == "base64":
            value = b'"' + b2a_base64(little_endian[index].data, newline=False) + b'"'
        else:
            value = _json(rows[index])
        scale = b"" if packed.scales is None else b',"scale":' + _json(packed.scales[index])
        comma = b"," if index else b""
        head = b'%b{"object":"embedding","index":%d,"embedding":' % (comma, index)
        pieces += (head, value, scale, b"}")
        size += len(value)
        if size >= PIECE_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    if images:
        usage["num_images"] = images
    pieces += (b'],"model":', _json(model), b',"usage":', _json(usage), b"}")
    yield b"".join(pieces)


def _json(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
