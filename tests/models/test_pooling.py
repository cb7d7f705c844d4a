"""Pooling is done in float32, over each text's own tokens."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from tests import tiny

from biencoder.embedder.embedder import Embedder
from biencoder.models.pooling import normalize, pool


def test_pooling_by_hand() -> None:
    batch = tiny.packed(tiny.random_ids([3, 2, 2]))
    states = torch.tensor([[1.0], [2.0], [6.0], [10.0], [20.0], [-1.0], [1.0]])
    assert pool(states, batch, "avg").tolist() == [[3.0], [15.0], [0.0]]
    assert pool(states, batch, "cls").tolist() == [[1.0], [10.0], [-1.0]]
    assert pool(states, batch, "last").tolist() == [[6.0], [20.0], [1.0]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_long_half_precision_text_neither_overflows_nor_loses_its_terms(
    dtype: torch.dtype,
) -> None:
    batch = tiny.packed(tiny.random_ids([4096]))
    pooled = pool(torch.full((4096, 4), 50.0, dtype=dtype), batch, "avg")
    assert pooled.dtype == torch.float32
    assert pooled.tolist() == [[50.0] * 4]
    assert normalize(pooled).tolist() == [[0.5] * 4]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_mean_between_two_half_precision_numbers_is_not_rounded_to_one_of_them(
    dtype: torch.dtype,
) -> None:
    step = torch.finfo(dtype).eps
    states = torch.tensor([[1.0], [1.0 + step]], dtype=dtype)
    pooled = pool(states, tiny.packed(tiny.random_ids([2])), "avg")
    assert pooled.item() == 1.0 + step / 2


def test_normalize_gives_length_1_in_float32_and_leaves_zero_finite() -> None:
    vectors = normalize(torch.tensor([[3.0, 4.0], [0.0, 0.0]], dtype=torch.bfloat16))
    assert vectors.dtype == torch.float32
    torch.testing.assert_close(vectors, torch.tensor([[0.6, 0.8], [0.0, 0.0]]))


def test_pooling_comes_after_the_final_norm() -> None:
    model, batch = tiny.trunk(tiny.SHAPES["1b"]), tiny.packed(tiny.random_ids([9]))
    before = model.embed(batch)
    model.norm.weight.mul_(torch.linspace(0.5, 2.0, 64))
    torch.testing.assert_close(model.embed(batch), before * torch.linspace(0.5, 2.0, 64))


@pytest.mark.parametrize("mode", ["cls", "lasttoken"])
def test_the_pooling_of_the_sentence_transformers_files_wins(folder: Path, mode: str) -> None:
    kinds = ["Transformer", "Pooling"]
    modules = [{"path": f"{i}_{kind}", "type": f"x.{kind}"} for i, kind in enumerate(kinds)]
    tiny.write_json(folder / "modules.json", modules)
    tiny.write_json(folder / "1_Pooling" / "config.json", {"pooling_mode": mode})
    model = Embedder.load(folder, dtype="float32", device="cpu")
    ids = np.asarray(tiny.tokenizer().encode(tiny.PASSAGE + "lake").ids)
    states = model.trunk(tiny.packed([ids]))
    expected = normalize(states[0 if mode == "cls" else -1])
    np.testing.assert_allclose(model.encode_documents(["lake"])[0], expected, atol=1e-6)
