"""Our encoder against stock transformers, on the four text shapes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests import oracle, tiny

from biencoder.models import attention
from biencoder.models.pooling import normalize

# 513 and 700 tokens take the fused kernel, the others the two products (models/attention.py).
LENGTHS = [700, 513, 512, 200, 64, 64, 20, 20, 3, 2, 1]
every_shape = pytest.mark.parametrize("shape", tiny.SHAPES)


@every_shape
@pytest.mark.parametrize("reference", ["eager", "sdpa"])
def test_hidden_states_equal_those_of_stock_llama_without_a_causal_mask(
    shape: str, reference: str
) -> None:
    config = tiny.SHAPES[shape]
    ids = tiny.random_ids(LENGTHS)
    stock = oracle.stock_model(config, tiny.weights(config), attention=reference)
    ours = tiny.trunk(config)(tiny.packed(ids)).split(LENGTHS)
    for text, states in zip(ids, ours, strict=True):
        expected = oracle.hidden_states(stock, text)
        torch.testing.assert_close(states, expected, rtol=0, atol=2e-5)


@every_shape
def test_pooled_vectors_equal_those_of_stock_llama_alone_and_padded(shape: str) -> None:
    config = tiny.SHAPES[shape]
    ids = tiny.random_ids(LENGTHS, seed=1)
    stock = oracle.stock_model(config, tiny.weights(config))
    ours = tiny.trunk(config).embed(tiny.packed(ids))
    assert oracle.cosines(ours, oracle.vectors(stock, ids)).min() >= 0.999999
    for side in ("left", "right"):
        padded = oracle.padded_vectors(stock, ids, side=side)
        assert oracle.cosines(ours, padded).min() >= 0.999999
        torch.testing.assert_close(normalize(ours), padded, rtol=0, atol=1e-6)


@every_shape
def test_bfloat16_vectors_point_where_those_of_stock_llama_point(shape: str) -> None:
    config = tiny.SHAPES[shape]
    ids = tiny.random_ids(LENGTHS, seed=2)
    ours = tiny.trunk(config, torch.bfloat16).embed(tiny.packed(ids))
    assert ours.dtype == torch.float32
    for dtype in (torch.bfloat16, torch.float32):
        stock = oracle.stock_model(config, tiny.weights(config), dtype=dtype)
        assert oracle.cosines(ours, oracle.vectors(stock, ids)).min() >= 0.9995


@every_shape
def test_both_attention_paths_give_the_same_states(
    shape: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, batch = tiny.trunk(tiny.SHAPES[shape]), tiny.packed(tiny.random_ids(LENGTHS, seed=3))
    monkeypatch.setattr(attention, "LONGEST_FOR_PRODUCTS", 10_000)
    products = model(batch)
    monkeypatch.setattr(attention, "LONGEST_FOR_PRODUCTS", 0)
    fused = model(batch)
    assert not torch.equal(products, fused), "one path was taken twice"
    torch.testing.assert_close(products, fused, rtol=0, atol=2e-5)


def test_bfloat16_holds_at_far_positions_where_a_rounded_rotary_table_would_not() -> None:
    config = tiny.SHAPES["1b"]
    ids = tiny.random_ids([3000], seed=6)
    exact = tiny.trunk(config).embed(tiny.packed(ids))
    rounded = tiny.trunk(config, torch.bfloat16).embed(tiny.packed(ids))
    assert oracle.cosines(rounded, exact).min() >= 0.9995


def test_the_recipe_would_show_a_forgotten_rope_factor() -> None:
    config = tiny.SHAPES["1b"]
    ids = tiny.random_ids([20] * 4, seed=4)
    plain = tiny.trunk(replace(config, rope_scaling=None)).embed(tiny.packed(ids))
    stock = oracle.stock_model(config, tiny.weights(config))
    assert oracle.cosines(plain, oracle.vectors(stock, ids)).min() < 0.999


def test_the_recipe_would_show_a_causal_mask() -> None:
    config = tiny.SHAPES["1b"]
    ids = tiny.random_ids([20] * 4, seed=5)
    stock = oracle.stock_model(config, tiny.weights(config))
    stock.config.is_causal = True
    causal = oracle.vectors(stock, ids)
    assert oracle.cosines(tiny.trunk(config).embed(tiny.packed(ids)), causal).max() < 0.99
