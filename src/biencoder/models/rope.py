"""Rotary positions, split-half as in Hugging Face's checkpoints, with the llama3 stretching rule.

Source of the rule: transformers, modeling_rope_utils, rope_type "llama3". Frequencies stay in
float32 on the host whatever the model's dtype: rounded to bfloat16 they would shift the phase at
position 8192 by several radians.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from biencoder.config.model import LlamaConfig, RopeScaling


def inverse_frequencies(config: LlamaConfig) -> Tensor:
    """Radians per position of each channel pair, float32, shape (H / 2,)."""
    # On the host even when the model itself is built on the meta device.
    pairs = torch.arange(0, config.head_dim, 2, dtype=torch.int64, device="cpu")
    exponents = pairs.float() / config.head_dim
    plain = 1.0 / (config.rope_theta**exponents)
    return plain if config.rope_scaling is None else _stretch(plain, config.rope_scaling)


def _stretch(plain: Tensor, rule: RopeScaling) -> Tensor:
    """Fast channels stay, slow ones are divided by the factor, those between are blended."""
    original = rule.original_max_position_embeddings
    wavelengths = 2 * math.pi / plain
    divided = plain / rule.factor
    blend = (original / wavelengths - rule.low_freq_factor) / (
        rule.high_freq_factor - rule.low_freq_factor
    )
    blended = (1 - blend) * divided + blend * plain
    fast = wavelengths < original / rule.high_freq_factor
    slow = wavelengths > original / rule.low_freq_factor
    return torch.where(fast, plain, torch.where(slow, divided, blended))


class RotaryTable:
    """Cosines and sines by position, made once and extended when a longer text comes.

    Not a module and not a buffer: a dtype cast of the model must not reach the frequencies.
    """

    def __init__(self, config: LlamaConfig) -> None:
        self.frequencies = inverse_frequencies(config)
        self._tables: dict[tuple[torch.device, torch.dtype], tuple[Tensor, Tensor]] = {}

    def at(self, positions_T: Tensor, longest: int, dtype: torch.dtype) -> Rotary:
        """The rotation for these positions, all below ``longest``."""
        key = (positions_T.device, dtype)
        tables = self._tables.get(key)
        if tables is None or tables[0].shape[0] < longest:
            tables = self._make(max(longest, 512), positions_T.device, dtype)
            self._tables[key] = tables
        cosines, sines = tables
        return Rotary(cosines[positions_T].unsqueeze(1), sines[positions_T].unsqueeze(1))

    def _make(self, length: int, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        angles = (
            torch.arange(length, dtype=torch.float32, device="cpu")[:, None]
            * self.frequencies[None, :]
        )
        return angles.cos().to(device, dtype), angles.sin().to(device, dtype)


class Rotary:
    """One batch's rotation: cosines and sines of shape (T, 1, H / 2)."""

    def __init__(self, cosines: Tensor, sines: Tensor) -> None:
        self.cosines, self.sines = cosines, sines

    def rotate(self, x_TNH: Tensor) -> Tensor:
        """Turn each channel pair (i, i + H/2) by its angle."""
        a, b = x_TNH.chunk(2, dim=-1)
        # Products are rounded before they are added, as the reference does.
        return torch.cat(
            (a * self.cosines - b * self.sines, b * self.cosines + a * self.sines), dim=-1
        )
