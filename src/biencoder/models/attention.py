"""Attention inside each text of a packed batch, and never between texts. Nothing here is causal.

On CUDA (compute capability 8 or newer, half precision): torch's variable-length kernel, one call.
Elsewhere: one call of scaled_dot_product_attention for each group of equal length, which needs no
mask and no padding.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from biencoder.models.packed import Packed


def attend(q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, packed: Packed) -> Tensor:
    """Softmax attention with scale H^-0.5, shape (T, N, H); K may divide N."""
    if packed.cumulative_S1 is not None and has_varlen(q_TNH.device, q_TNH.dtype):
        return _attend_varlen(q_TNH, k_TKH, v_TKH, packed)
    return _attend_by_group(q_TNH, k_TKH, v_TKH, packed)


def has_varlen(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether torch's variable-length attention runs on this device in this format."""
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _attend_varlen(q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, packed: Packed) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    repeats = q_TNH.shape[1] // k_TKH.shape[1]
    bounds, longest = packed.cumulative_S1, packed.longest
    out: Tensor = varlen_attn(
        q_TNH,
        k_TKH.repeat_interleave(repeats, dim=1),
        v_TKH.repeat_interleave(repeats, dim=1),
        bounds,
        bounds,
        longest,
        longest,
    )
    return out


def _attend_by_group(q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, packed: Packed) -> Tensor:
    grouped = q_TNH.shape[1] != k_TKH.shape[1]
    parts = []
    for group in packed.groups:
        q, k, v = (
            x[group.start : group.stop]
            .unflatten(0, (group.texts, group.length))
            .transpose(1, 2)
            for x in (q_TNH, k_TKH, v_TKH)
        )
        out = F.scaled_dot_product_attention(q, k, v, is_causal=False, enable_gqa=grouped)
        parts.append(out.transpose(1, 2).flatten(0, 1))
    return parts[0] if len(parts) == 1 else torch.cat(parts)
