"""Each way of computing attention against the formula written out, text by text."""

from __future__ import annotations

import math

import pytest
import torch
from tests import tiny
from torch import Tensor

from biencoder.models import attention
from biencoder.models.packed import Group


def by_hand(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax attention of one text in float64, shape (L, N, H); loops over heads."""
    out = torch.empty_like(q, dtype=torch.float64)
    per_key = q.shape[1] // k.shape[1]
    for head in range(q.shape[1]):
        keys, values = k[:, head // per_key].double(), v[:, head // per_key].double()
        scores = q[:, head].double() @ keys.T / math.sqrt(q.shape[2])
        weights = scores.exp() / scores.exp().sum(dim=1, keepdim=True)
        out[:, head] = weights @ values
    return out


@pytest.mark.parametrize(
    ("short", "rows"),
    [(0, 128), (10_000, 128), (10_000, 4)],
    ids=["fused kernel", "two products", "two products, four queries at a time"],
)
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (4, 1), (6, 3)])
def test_attention_is_softmax_over_the_own_text_only(
    heads: int, kv_heads: int, short: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "LONGEST_FOR_PRODUCTS", short)
    monkeypatch.setattr(attention, "QUERY_ROWS", rows)
    lengths = [9, 9, 9, 4, 1, 1]
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(33, heads, 8, generator=generator)
    k, v = (torch.randn(33, kv_heads, 8, generator=generator) for _ in "kv")
    out = attention.attend(q, k, v, tiny.packed(tiny.random_ids(lengths)))
    expected = torch.cat(
        [by_hand(*parts) for parts in zip(*(x.split(lengths) for x in (q, k, v)), strict=True)]
    )
    torch.testing.assert_close(out.double(), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("short", "rows"),
    [(0, 128), (10_000, 128), (10_000, 4)],
    ids=["fused kernel", "two products", "two products, four queries at a time"],
)
def test_gradients_of_both_ways_equal_those_of_the_formula(
    short: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attention, "LONGEST_FOR_PRODUCTS", short)
    monkeypatch.setattr(attention, "QUERY_ROWS", rows)
    generator = torch.Generator().manual_seed(1)
    leaves = [torch.randn(7, n, 8, generator=generator).requires_grad_() for n in (4, 2, 2)]
    weight = torch.randn(7, 4, 8, generator=generator)
    (by_hand(*leaves) * weight).sum().backward()
    expected = [leaf.grad.clone() for leaf in leaves if leaf.grad is not None]
    for leaf in leaves:
        leaf.grad = None
    q, k, v = leaves
    out = attention.attend(q, k, v, tiny.packed(tiny.random_ids([7])))
    (out * weight).sum().backward()
    for leaf, gradient in zip(leaves, expected, strict=True):
        torch.testing.assert_close(leaf.grad, gradient, rtol=0, atol=1e-5)


def test_large_scores_do_not_overflow() -> None:
    batch = tiny.packed(tiny.random_ids([3]))
    q = torch.full((3, 1, 8), 60.0)
    k = torch.stack([torch.full((1, 8), value) for value in (60.0, -60.0, 0.0)])
    v = torch.eye(3, 8)[:, None]
    out = attention.attend(q, k, v, batch)
    torch.testing.assert_close(out, v[:1].expand(3, 1, 8))


def test_neighbours_of_equal_length_are_one_group() -> None:
    batch = tiny.packed(tiny.random_ids([5, 5, 2, 5]))
    assert batch.groups == (Group(2, 5), Group(1, 2), Group(1, 5))
    assert batch.longest == 5
    assert batch.cumulative_S1 is None


def test_variable_length_attention_is_not_used_on_a_cpu() -> None:
    assert not attention.has_varlen(torch.device("cpu"), torch.bfloat16)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_the_variable_length_kernel_equals_the_formula() -> None:
    from biencoder.batching.pack import build_batch
    from biencoder.models.packed import Packed

    lengths, device = [600, 64, 64, 3, 1], torch.device("cuda")
    ids = tiny.random_ids(lengths)
    batch = Packed.from_batch(build_batch(ids, torch.arange(5).numpy()), device)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(732, n, 64, generator=generator).bfloat16() for n in (8, 2, 2))
    out = attention.attend(q.to(device), k.to(device), v.to(device), batch).cpu()
    expected = torch.cat(
        [by_hand(*parts) for parts in zip(*(x.split(lengths) for x in (q, k, v)), strict=True)]
    )
    torch.testing.assert_close(out.double(), expected, rtol=2e-2, atol=2e-2)
