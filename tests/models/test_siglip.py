"""The tower: what goes in, and that no tile sees another."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests import tiny_pages
from torch import Tensor
from torch.nn import functional as F

from biencoder.models.siglip import SiglipTower, normalise_pixels

VISION = tiny_pages.CONFIG.vision


def tower(eps: float = VISION.layer_norm_eps) -> SiglipTower:
    vision = replace(VISION, layer_norm_eps=eps)
    made = SiglipTower(vision)
    config = replace(tiny_pages.CONFIG, vision=vision)
    made.load_state_dict(
        {
            name.removeprefix("vision_model."): tensor
            for name, tensor in tiny_pages.weights(config).items()
            if name.startswith("vision_model.")
        }
    )
    return made.requires_grad_(False)


def pixels(count: int, seed: int = 0) -> Tensor:
    return normalise_pixels(tiny_pages.tiles(count, seed=seed), torch.float32)


def test_colours_become_numbers_from_minus_one_to_one_channels_first() -> None:
    tile = torch.zeros(1, 2, 2, 3, dtype=torch.uint8)
    tile[0, 0, 1] = torch.tensor([255, 128, 0])
    numbers = normalise_pixels(tile, torch.float32)
    assert numbers.shape == (1, 3, 2, 2)
    # 0.5 / 127.5 is 1 / 255; with the eight significant bits of bfloat16 it is 129 / 2^15.
    assert numbers[0, :, 0, 1].tolist() == [1.0, 129 / 2**15, -1.0]
    assert numbers[0, :, 1, 0].tolist() == [-1.0, -1.0, -1.0]


def test_pixels_have_the_accuracy_of_bfloat16_in_every_format_and_256_levels_stay() -> None:
    levels = torch.arange(256, dtype=torch.uint8).repeat_interleave(3).view(1, 16, 16, 3)
    wide = normalise_pixels(levels, torch.float32)
    assert torch.equal(wide, wide.to(torch.bfloat16).float())
    assert torch.equal(wide, normalise_pixels(levels, torch.bfloat16).float())
    assert len(wide.unique()) == 256
    exact = (levels.permute(0, 3, 1, 2).double() - 127.5) / 127.5
    assert 1e-4 < (wide - exact).abs().max() <= 0.002


def test_normalising_leaves_the_callers_tiles_as_they_are() -> None:
    tiles = tiny_pages.tiles(1)
    kept = tiles.clone()
    normalise_pixels(tiles, torch.float32)
    assert torch.equal(tiles, kept)


def test_patches_are_those_of_a_convolution_row_by_row() -> None:
    embedding = tower().embeddings.patch_embedding
    x = pixels(2)
    convolved = F.conv2d(x, embedding.weight, embedding.bias, stride=VISION.patch_size)
    expected = convolved.flatten(2).transpose(1, 2)
    torch.testing.assert_close(embedding(x), expected, rtol=0, atol=1e-5)


def test_no_gradient_no_copies_and_the_same_numbers() -> None:
    made, x = tower(), pixels(2)
    with torch.enable_grad():
        kept = made(x)
    with torch.inference_mode():
        again = made(x)
    assert torch.equal(kept, again)
    assert torch.equal(x, pixels(2))


def test_a_tile_alone_has_the_states_that_it_has_among_seven() -> None:
    made, x = tower(), pixels(7)
    together = made(x)
    for place in range(7):
        torch.testing.assert_close(
            made(x[place : place + 1])[0], together[place], rtol=0, atol=2e-6
        )


def test_no_tile_sees_another() -> None:
    made, x = tower(), pixels(3)
    before = made(x)
    x[1] = pixels(1, seed=9)[0]
    after = made(x)
    assert torch.equal(before[[0, 2]], after[[0, 2]])
    assert not torch.equal(before[1], after[1])


def test_every_patch_of_a_tile_sees_every_other() -> None:
    made, x = tower(), pixels(1)
    before = made(x)
    x[0, :, -16:, -16:] = 0.5
    assert (before != made(x)).any(dim=-1).all()


def test_a_patch_is_known_by_its_place() -> None:
    grey = torch.zeros(1, 3, 64, 64)
    states = tower()(grey)[0]
    assert len(states.unique(dim=0)) == VISION.patches


def test_the_states_have_passed_the_final_norm() -> None:
    made, x = tower(), pixels(1)
    before = made(x) - made.post_layernorm.bias
    made.post_layernorm.weight.mul_(3.0)
    torch.testing.assert_close(made(x) - made.post_layernorm.bias, 3.0 * before)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_norms_take_the_eps_of_the_config(dtype: torch.dtype) -> None:
    x = pixels(1).to(dtype)
    near, far = tower().to(dtype), tower(eps=0.5).to(dtype)
    assert not torch.allclose(near(x), far(x), atol=1e-2)
