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

# Up to this length two plain products beat the fused kernel on a CPU, if they take so many queries
# at a time that the scores stay in the cache (benchmarks/attention.py).
LONGEST_FOR_PRODUCTS = 4096
QUERY_ROWS = 256


def attend(q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, packed: Packed) -> Tensor:
    """Softmax attention with scale H^-0.5, shape (T, N, H); K may divide N."""
    bounds = packed.cumulative_S1
    if bounds is not None and has_varlen(q_TNH.device, q_TNH.dtype):
        return _attend_varlen(q_TNH, k_TKH, v_TKH, bounds, packed.longest)
    return _attend_by_group(q_TNH, k_TKH, v_TKH, packed)


def has_varlen(device: torch.device, dtype: torch.dtype) -> bool:
    """Whether torch's variable-length attention runs on this device in this format."""
    if device.type != "cuda" or dtype not in (torch.bfloat16, torch.float16):
        return False
    return torch.cuda.get_device_capability(device) >= (8, 0)


def _attend_varlen(
    q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, bounds: Tensor, longest: int
) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    # Not every release of the kernel takes fewer key heads than query heads.
    repeats = q_TNH.shape[1] // k_TKH.shape[1]
    k_TNH, v_TNH = (x.repeat_interleave(repeats, dim=1) for x in (k_TKH, v_TKH))
    out = varlen_attn(q_TNH, k_TNH, v_TNH, bounds, bounds, longest, longest)
    assert isinstance(out, Tensor)
    return out


def _attend_by_group(q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, packed: Packed) -> Tensor:
    groups = zip(*map(packed.split, (q_TNH, k_TKH, v_TKH)), strict=True)
    parts = [attend_equal(q, k, v).flatten(0, 1) for q, k, v in groups]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def attend_equal(q_SLNH: Tensor, k_SLKH: Tensor, v_SLKH: Tensor) -> Tensor:
    """As `attend` for S sequences that all have L tokens, shape (S, L, N, H)."""
    short = q_SLNH.shape[1] <= LONGEST_FOR_PRODUCTS and q_SLNH.device.type == "cpu"
    return (_products if short else _fused)(q_SLNH, k_SLKH, v_SLKH)


def _fused(q_SLNH: Tensor, k_SLKH: Tensor, v_SLKH: Tensor) -> Tensor:
    q, k, v = (x.transpose(1, 2) for x in (q_SLNH, k_SLKH, v_SLKH))
    grouped = q.shape[1] != k.shape[1]
    out = F.scaled_dot_product_attention(q, k, v, is_causal=False, enable_gqa=grouped)
    return out.transpose(1, 2)


def _products(q_SLNH: Tensor, k_SLKH: Tensor, v_SLKH: Tensor) -> Tensor:
    """Two batched products with a softmax between, for some queries and all keys at a time."""
    _, length, _, size = q_SLNH.shape
    keys = k_SLKH.permute(0, 2, 3, 1).reshape(-1, size, length)
    values = v_SLKH.permute(0, 2, 1, 3).reshape(-1, length, size)
    parts = [_some_queries(q, keys, values) for q in q_SLNH.split(QUERY_ROWS, dim=1)]
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)


def _some_queries(q_SRNH: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """R queries of each text. keys: (S * K, H, L), values: (S * K, L, H).

    All query heads of a key head stand in one product.
    """
    texts, rows, heads, size = q_SRNH.shape
    kv_heads = len(keys) // texts
    q = q_SRNH.unflatten(2, (kv_heads, -1)).permute(0, 2, 3, 1, 4).flatten(0, 1).flatten(1, 2)
    scores = torch.baddbmm(q.new_zeros(()), q, keys, beta=0.0, alpha=size**-0.5)
    # Softmax works in float32 inside and rounds its result, as the reference does.
    out = torch.bmm(scores.softmax(dim=-1), values)
    return (
        out.view(texts, kv_heads, -1, rows, size)
        .permute(0, 3, 1, 2, 4)
        .reshape(texts, rows, heads, size)
    )
