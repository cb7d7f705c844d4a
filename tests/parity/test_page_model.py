"""Our page model against stock parts of transformers, from pixels to vectors."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from tests import oracle, oracle_pages, tiny, tiny_pages
from torch import Tensor, nn

from biencoder.config.page_model import PageConfig
from biencoder.models import siglip
from biencoder.models.page_model import PageModel
from biencoder.models.siglip import normalise_pixels
from biencoder.types import IntArray

Document = tuple[IntArray, Tensor | None]

CONFIG = tiny_pages.CONFIG
# Heads of 24, 64 patches and 16 tokens a tile.
WIDE = replace(
    CONFIG,
    vision=replace(
        CONFIG.vision,
        hidden_size=72,
        intermediate_size=100,
        num_hidden_layers=3,
        num_attention_heads=3,
        patch_size=8,
    ),
)
configs = pytest.mark.parametrize("config", [CONFIG, WIDE], ids=["plain", "wide"])


def document(tiles: int, text: list[int], *, seed: int, config: PageConfig = CONFIG) -> Document:
    places = [tiny_pages.CONTEXT] * (tiles * config.tokens_per_tile)
    head = [tiny.BOS, 20, 21]
    image = [tiny_pages.IMG, *places, tiny_pages.END_IMG, 22] if tiles else []
    ids = np.array([*head, *image, *text], dtype=np.int64)
    return ids, tiny_pages.tiles(tiles, seed=seed) if tiles else None


def every_kind(config: PageConfig = CONFIG) -> list[Document]:
    """1, 2 + thumbnail, 6 + thumbnail; image alone, with text, text alone; some of equal length."""
    words = [int(i) for i in tiny.random_ids([40], seed=3)[0][1:]]
    kinds = [(1, 0), (7, 0), (0, 30), (3, 0), (1, 9), (7, 35), (0, 4), (3, 12), (1, 0), (0, 1)]
    return [
        document(tiles, words[:length], seed=seed, config=config)
        for seed, (tiles, length) in enumerate(kinds)
    ]


@torch.inference_mode()
def ours(model: PageModel, documents: list[Document]) -> Tensor:
    """All documents in one batch, one run of tokens."""
    packed = tiny.packed([ids for ids, _ in documents])
    tiles = [tiles for _, tiles in documents if tiles is not None]
    if not tiles:
        return model.embed(packed)
    rows_VD = model.see(torch.cat(tiles)).flatten(0, 1)
    places_V = (packed.tokens_T == tiny_pages.CONTEXT).nonzero().squeeze(1)
    return model.embed(packed, rows_VD, places_V)


@configs
@pytest.mark.parametrize("reference", ["eager", "sdpa"])
def test_the_towers_states_equal_those_of_transformers(config: PageConfig, reference: str) -> None:
    tiles = tiny_pages.tiles(3, seed=1)
    model = tiny_pages.model(config)
    tensors = {
        name.removeprefix("vision_model."): tensor
        for name, tensor in tiny_pages.weights(config).items()
        if name.startswith("vision_model.")
    }
    stock = oracle_pages.stock_tower(config.vision, tensors, attention=reference)
    states = model.vision_model(normalise_pixels(tiles, torch.float32))
    expected = stock(
        pixel_values=torch.stack([oracle_pages.pixels(tile) for tile in tiles])
    ).last_hidden_state
    torch.testing.assert_close(states, expected, rtol=0, atol=2e-5)
    assert oracle.cosines(states.flatten(0, 1), expected.flatten(0, 1)).min() >= 0.999999


@configs
def test_the_rows_of_a_tile_equal_those_of_a_plain_projector_over_the_stock_tower(
    config: PageConfig,
) -> None:
    tiles = tiny_pages.tiles(7, seed=2)
    rows = tiny_pages.model(config).see(tiles)
    expected = oracle_pages.Composition(config, tiny_pages.weights(config)).see(tiles)
    assert rows.shape == (7, config.tokens_per_tile, 64)
    torch.testing.assert_close(rows, expected, rtol=0, atol=2e-5)


@configs
def test_every_kind_of_document_in_one_batch_equals_the_composition(config: PageConfig) -> None:
    documents = every_kind(config)
    expected = oracle_pages.Composition(config, tiny_pages.weights(config)).vectors(documents)
    vectors = ours(tiny_pages.model(config), documents)
    assert vectors.dtype == torch.float32
    assert oracle.cosines(vectors, expected).min() >= 0.999999
    torch.testing.assert_close(vectors, expected, rtol=0, atol=1e-5)


def test_a_mixed_batch_gives_what_each_document_gives_alone() -> None:
    documents, model = every_kind(), tiny_pages.model()
    together = ours(model, documents)
    alone = torch.cat([ours(model, [each]) for each in documents])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=2e-6)
    backwards = ours(model, documents[::-1]).flip(0)
    torch.testing.assert_close(backwards, alone, rtol=1e-5, atol=2e-6)


def test_bfloat16_vectors_point_where_the_compositions_point() -> None:
    documents = every_kind()
    vectors = ours(tiny_pages.model(dtype=torch.bfloat16), documents)
    assert vectors.dtype == torch.float32
    for dtype in (torch.bfloat16, torch.float32):
        stock = oracle_pages.Composition(CONFIG, tiny_pages.weights(), dtype=dtype)
        assert oracle.cosines(vectors, stock.vectors(documents)).min() >= 0.9995


def test_texts_of_a_page_model_are_those_of_its_language_model() -> None:
    ids = tiny.random_ids([30, 30, 7, 1], seed=4)
    model = tiny_pages.model()
    texts: list[Document] = [(tokens, None) for tokens in ids]
    torch.testing.assert_close(
        ours(model, texts), model.language_model.embed(tiny.packed(ids)), rtol=0, atol=0
    )


def differs_from_the_composition(model: PageModel) -> bool:
    """Whether the gates above would fail with this model."""
    tiles = tiny_pages.tiles(3, seed=5)
    expected = oracle_pages.Composition(CONFIG, tiny_pages.weights()).see(tiles)
    return bool((model.see(tiles) - expected).abs().max() > 2e-5)


def _exact(self: siglip.FeedForward, x_IGW: Tensor) -> Tensor:
    out: Tensor = self.fc2(nn.functional.gelu(self.fc1(x_IGW)))
    return out


def test_the_recipe_would_show_each_mistake_of_the_tower_and_the_projector(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert not differs_from_the_composition(tiny_pages.model())

    model = tiny_pages.model()
    model.mlp1[2] = nn.GELU(approximate="tanh")
    assert differs_from_the_composition(model), "the tanh form in the projector"

    model = tiny_pages.model()
    monkeypatch.setattr(siglip.FeedForward, "forward", _exact)
    assert differs_from_the_composition(model), "the exact form in the tower"

    monkeypatch.undo()

    model = tiny_pages.model()
    monkeypatch.setattr(model.vision_model.post_layernorm, "forward", lambda x: x)
    assert differs_from_the_composition(model), "states before the final norm"

    biases = [name for name, _ in tiny_pages.model().named_parameters() if name.endswith("bias")]
    # A key's bias moves every score of a query alike, which softmax does not see.
    for name in (name for name in biases if "k_proj" not in name):
        model = tiny_pages.model()
        model.get_parameter(name).zero_()
        assert differs_from_the_composition(model), name
