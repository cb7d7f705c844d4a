"""What the Embedder does besides encoding: similarity, devices, what a folder is taken for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import tiny

from biencoder.embedder.device import place
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.stream import compute
from biencoder.errors import DeviceError, EncodingError, InputError


def test_similarity_is_the_cosine_of_every_pair(model: Embedder) -> None:
    scores = model.similarity([[3.0, 4.0], [1.0, 0.0]], [[0.0, 2.0], [-5.0, 0.0], [6.0, 8.0]])
    np.testing.assert_allclose(scores, [[0.8, -0.6, 1.0], [0.0, -1.0, 0.6]], atol=1e-6)
    assert scores.dtype == np.float32


def test_similarity_of_unit_vectors_is_their_dot_product(model: Embedder) -> None:
    queries, documents = model.encode_queries(["lake"]), model.encode_documents(tiny.TEXTS)
    np.testing.assert_allclose(
        model.similarity(queries, documents), queries @ documents.T, atol=1e-6
    )


def test_similarity_with_a_zero_vector_is_zero_not_nan(model: Embedder) -> None:
    assert model.similarity([[0.0, 0.0]], [[1.0, 0.0]]).tolist() == [[0.0]]


@pytest.mark.parametrize(
    ("left", "right"), [([1.0], [[1.0]]), ([[1.0]], [[1.0, 2.0]]), ([[[1.0]]], [[1.0]])]
)
def test_vectors_that_cannot_be_compared_are_refused(
    model: Embedder, left: Any, right: Any
) -> None:
    with pytest.raises(InputError, match="cannot be compared"):
        model.similarity(left, right)


@pytest.mark.parametrize(
    ("dtype", "device", "message"),
    [
        ("float16", "cpu", "emulated"),
        ("fp16", "cpu", "emulated"),
        ("int8", "cpu", "unknown"),
        ("auto", "tpu9", "unknown"),
    ],
)
def test_a_format_or_device_that_is_not_there_is_refused(
    dtype: str, device: str, message: str
) -> None:
    with pytest.raises(DeviceError, match=message):
        place(dtype, device)


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_cuda_on_a_machine_without_it_is_refused() -> None:
    with pytest.raises(DeviceError, match="no CUDA device"):
        place("auto", "cuda")


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("float32", torch.float32), ("fp32", torch.float32), ("bf16", torch.bfloat16)],
)
def test_formats_are_taken_as_asked(name: str, dtype: torch.dtype) -> None:
    assert place(name, "cpu").dtype is dtype


def test_auto_never_chooses_float16_on_a_cpu() -> None:
    placement = place("auto", "cpu")
    assert placement.dtype in (torch.bfloat16, torch.float32)
    assert placement.reason


def test_a_vector_that_is_not_finite_is_an_error_that_names_the_text() -> None:
    trunk = tiny.trunk(tiny.SHAPES["1b"])
    ids = tiny.random_ids([4, 9, 6])
    ids[1][3] = 17
    for other in (0, 2):
        ids[other][ids[other] == 17] = 18
    trunk.embed_tokens.weight[17, 0] = float("nan")
    with pytest.raises(EncodingError, match="text 101"):
        compute(ids, model=trunk, dimensions=64, token_budget=1, first_row=100)


def test_encoding_leaves_the_weights_and_the_gradient_mode_alone(model: Embedder) -> None:
    before = {name: tensor.clone() for name, tensor in model.trunk.state_dict().items()}
    model.encode_queries(tiny.TEXTS)
    assert torch.is_grad_enabled()
    for name, tensor in model.trunk.state_dict().items():
        assert torch.equal(tensor, before[name])
    assert not any(parameter.requires_grad for parameter in model.trunk.parameters())


def test_a_stream_gives_windows_in_order_with_their_counts(model: Embedder) -> None:
    (window,) = model.encode_stream(iter(tiny.TEXTS), role="document")
    np.testing.assert_array_equal(window.vectors, model.encode_documents(tiny.TEXTS))
    tokens = sum(len(tiny.tokenizer().encode(tiny.PASSAGE + text).ids) for text in tiny.TEXTS)
    assert (window.first_row, window.tokens, window.cut, window.unreadable) == (0, tokens, 0, ())


def test_a_folder_is_recognised_by_what_was_written_into_it(
    checkpoints: dict[str, Path], tmp_path: Path
) -> None:
    folder = tiny.name_member(tiny.write_checkpoint(tmp_path / "x"), "1b")
    named = Embedder.load(folder, dtype="float32", device="cpu").profile
    assert (named.member is not None, named.recognised_by) == (True, "biencoder.json")
    plain = Embedder.load(checkpoints["1b"], dtype="float32", device="cpu").profile
    assert plain.member is None
    assert plain.name == "1b"
    assert plain.dimensions == (64,)
    assert plain.license == "not stated"
