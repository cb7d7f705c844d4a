"""The two places where a rounding order decides: the norm and the rotary table."""

from __future__ import annotations

import math

import pytest
import torch
from tests import oracle, tiny
from transformers.models.llama.modeling_llama import (
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
    apply_rotary_pos_emb,
)

from biencoder.config.family import FAMILY
from biencoder.models.llama import RMSNorm
from biencoder.models.rope import RotaryTable, inverse_frequencies

MEMBERS = [member for member in FAMILY if member.config is not None]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 50.0])
def test_the_norm_rounds_before_it_multiplies_as_transformers_does(
    dtype: torch.dtype, scale: float
) -> None:
    generator = torch.Generator().manual_seed(0)
    x = (scale * torch.randn(500, 64, generator=generator)).to(dtype)
    weight = (1 + 0.1 * torch.randn(64, generator=generator)).to(dtype)
    ours, reference = RMSNorm(64, 1e-5).to(dtype), LlamaRMSNorm(64, 1e-5).to(dtype)
    ours.load_state_dict({"weight": weight})
    reference.load_state_dict({"weight": weight})
    if dtype is torch.float32:
        torch.testing.assert_close(ours(x), reference(x), rtol=1e-6, atol=1e-6)
    else:
        assert torch.equal(ours(x), reference(x))


@pytest.mark.parametrize("shape", tiny.SHAPES)
def test_frequencies_equal_those_of_transformers(shape: str) -> None:
    config = tiny.SHAPES[shape]
    expected = LlamaRotaryEmbedding(oracle.stock_config(config)).inv_freq
    torch.testing.assert_close(inverse_frequencies(config), expected, rtol=1e-7, atol=0)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: str(member.name))
def test_frequencies_of_the_real_sizes_equal_those_of_transformers(member: object) -> None:
    config = member.config  # type: ignore[attr-defined]
    expected = LlamaRotaryEmbedding(oracle.stock_config(config)).inv_freq
    torch.testing.assert_close(inverse_frequencies(config), expected, rtol=1e-7, atol=0)


def test_the_three_bands_follow_the_written_rule() -> None:
    config = tiny.SHAPES["1b"]
    expected = []
    for i in range(8):
        frequency = 500000.0 ** (-2 * i / 16)
        wavelength = 2 * math.pi / frequency
        if wavelength < 64 / 4:
            expected.append(frequency)
        elif wavelength > 64 / 1:
            expected.append(frequency / 32)
        else:
            smooth = (64 / wavelength - 1) / (4 - 1)
            expected.append((1 - smooth) * frequency / 32 + smooth * frequency)
    kept_blended_divided = [wave * 32 for wave in expected[2:]]
    assert kept_blended_divided == pytest.approx([500000.0 ** (-i / 8) for i in range(2, 8)])
    torch.testing.assert_close(
        inverse_frequencies(config), torch.tensor(expected), rtol=1e-6, atol=0
    )


def test_real_heads_have_the_bands_that_were_counted_by_hand() -> None:
    counted = {64: (15, 3, 14), 128: (29, 6, 29)}
    for member in MEMBERS:
        config = member.config
        assert config is not None
        assert config.rope_scaling is not None
        plain = config.rope_theta ** (
            -torch.arange(0, config.head_dim, 2).double() / config.head_dim
        )
        ratio = inverse_frequencies(config).double() / plain
        kept = int((ratio > 1 - 1e-6).sum())
        divided = int((ratio < 1 / config.rope_scaling.factor + 1e-6).sum())
        assert (kept, config.head_dim // 2 - kept - divided, divided) == counted[config.head_dim]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_a_cast_of_the_model_does_not_reach_the_rotary_table(dtype: torch.dtype) -> None:
    config = tiny.SHAPES["1b"]
    model = tiny.trunk(config, dtype)
    positions = torch.tensor([0, 1, 63, 511, 2047, 4095])
    rotation = model.rotary.at(positions, 4096, dtype)
    angles = positions[:, None].double() * inverse_frequencies(config).double()
    for ours, exact in ((rotation.cosines, angles.cos()), (rotation.sines, angles.sin())):
        # One rounding of the right number: half a unit in the last place, and fp32's own error.
        torch.testing.assert_close(
            ours[:, 0].double(), exact, rtol=torch.finfo(dtype).eps / 2, atol=3e-4
        )
    reference = LlamaRotaryEmbedding(oracle.stock_config(config))
    cosines, sines = reference(torch.zeros(1, dtype=dtype), positions[None])
    assert torch.equal(rotation.cosines[:, 0], cosines[0, :, :8])
    assert torch.equal(rotation.sines[:, 0], sines[0, :, :8])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_rotation_is_split_half_and_equals_transformers_bit_for_bit(dtype: torch.dtype) -> None:
    config = tiny.SHAPES["1b"]
    positions = torch.arange(40)
    x = torch.randn(40, 4, 16, generator=torch.Generator().manual_seed(0)).to(dtype)
    reference = LlamaRotaryEmbedding(oracle.stock_config(config))
    cosines, sines = reference(x, positions[None])
    expected, _ = apply_rotary_pos_emb(
        x.transpose(0, 1)[None], x.transpose(0, 1)[None], cosines, sines
    )
    ours = RotaryTable(config).at(positions, 40, dtype).rotate(x)
    torch.testing.assert_close(ours, expected[0].transpose(0, 1), rtol=0, atol=1e-6)


def test_a_longer_text_extends_the_table_and_changes_nothing_before_it() -> None:
    table = RotaryTable(tiny.SHAPES["1b"])
    positions = torch.arange(500)
    short = table.at(positions, 500, torch.float32)
    table.at(torch.arange(3000), 3000, torch.float32)
    again = table.at(positions, 500, torch.float32)
    assert torch.equal(short.cosines, again.cosines)
    assert torch.equal(short.sines, again.sines)
