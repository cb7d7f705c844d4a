"""Between tower and language model: which patches become one token, and the two products."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from tests import oracle_pages, tiny_pages

from biencoder.models.projector import make_projector, shuffle_pixels


def test_a_token_is_a_square_of_patches_and_tokens_go_row_by_row() -> None:
    numbers = torch.arange(32 * 32, dtype=torch.float32)
    states = numbers[None, :, None].expand(1, -1, 5)
    tokens = shuffle_pixels(states, 2)
    assert tokens.shape == (1, 256, 20)
    by_patch = tokens[0].unflatten(-1, (4, 5))
    assert torch.equal(by_patch, by_patch[..., :1].expand_as(by_patch))
    assert by_patch[0, :, 0].tolist() == [0, 1, 32, 33]
    assert by_patch[1, :, 0].tolist() == [2, 3, 34, 35]
    assert by_patch[16, :, 0].tolist() == [64, 65, 96, 97]
    assert by_patch[255, :, 0].tolist() == [990, 991, 1022, 1023]


def test_tiles_keep_their_order_and_their_channels() -> None:
    states = torch.randn(3, 16, 6, generator=torch.Generator().manual_seed(0))
    expected = torch.stack([oracle_pages.shuffle(tile) for tile in states])
    assert torch.equal(shuffle_pixels(states, 2), expected)


@pytest.mark.parametrize(("factor", "first"), [(1, [0]), (4, list(range(16)))])
def test_other_ratios_put_other_squares_together(factor: int, first: list[int]) -> None:
    states = torch.arange(16.0)[None, :, None]
    tokens = shuffle_pixels(states, factor)
    assert tokens.shape == (1, 16 // factor**2, factor**2)
    assert tokens[0, 0].tolist() == first


@pytest.mark.parametrize("scale", [1.0, 3e-3])
def test_the_projector_is_the_written_formula_and_its_eps_is_that_of_torch(scale: float) -> None:
    # At 3e-3 the variance is near 1e-5: an eps of 1e-6 would give half as much again.
    projector = make_projector(tiny_pages.CONFIG).requires_grad_(False)
    weights = {
        name.removeprefix("mlp1."): tensor
        for name, tensor in tiny_pages.weights().items()
        if name.startswith("mlp1.")
    }
    projector.load_state_dict(weights)
    x = scale * torch.randn(9, 128, generator=torch.Generator().manual_seed(1))
    expected = oracle_pages.project(x, weights)
    torch.testing.assert_close(projector(x), expected, rtol=0, atol=1e-5)
    setattr(projector[0], "eps", 1e-6)  # noqa: B010 - mypy takes a module's item for any module
    assert ((projector(x) - expected).abs().max() > 1e-2) == (scale < 1)


def test_the_projectors_sizes_follow_the_ratio() -> None:
    config = replace(tiny_pages.CONFIG, downsample_ratio=0.25)
    assert make_projector(config)[1].weight.shape == (64, 32 * 16)
