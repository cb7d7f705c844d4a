"""Learning in float32 while computing in bfloat16."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch

from biencoder.models.llama import LlamaEncoder
from biencoder.train.master import MasterWeights, cosine_schedule
from tests import tiny

NAME = "layers.1.mlp.up_proj.weight"


def fresh(
    *, decay: float = 0.0, clip: float = 1e9, rate: float = 1e-6, start: float | None = None
) -> MasterWeights:
    model = LlamaEncoder(tiny.SHAPES["1b"])
    model.load_state_dict(tiny.weights(tiny.SHAPES["1b"]))
    if start is not None:
        dict(model.named_parameters())[NAME].data.fill_(start)
    return MasterWeights(model, learning_rate=rate, weight_decay=decay, clip=clip)


def give_gradients(weights: MasterWeights, value: float) -> None:
    for parameter in weights.model.parameters():
        parameter.grad = torch.full_like(parameter, value)


def test_updates_smaller_than_bfloat16_can_add_are_not_lost() -> None:
    # Below 0.5 bfloat16 goes in steps of 2^-9: a weight of 0.5 moves once half a step, 0.00098,
    # has come together. AdamW under a constant gradient moves by the learning rate, here 0.00001.
    weights = fresh(rate=1e-5, start=0.5)
    computing = dict(weights.model.named_parameters())[NAME]
    for steps, moved, seen in ((20, 0.0002, 0.5), (60, 0.0008, 0.5), (40, 0.0012, 0.5 - 2**-9)):
        for _ in range(steps):
            give_gradients(weights, 1.0)
            weights.step(1.0)
        master = weights.masters[NAME].detach()
        torch.testing.assert_close(master, torch.full_like(master, 0.5 - moved), rtol=0, atol=3e-6)
        assert torch.equal(computing, torch.full_like(computing, seen))


def test_the_model_computes_with_rounded_masters_and_keeps_its_token_table_in_float32() -> None:
    weights = fresh(rate=1e-3)
    give_gradients(weights, -1.0)
    weights.step(1.0)
    for name, parameter in weights.model.named_parameters():
        table = name == "embed_tokens.weight"
        assert parameter.dtype == (torch.float32 if table else torch.bfloat16)
        assert torch.equal(parameter, weights.masters[name].to(parameter.dtype))


def test_the_norm_before_clipping_is_returned_and_the_clip_scales_the_step() -> None:
    weights = fresh(clip=1.0)
    give_gradients(weights, 1.0)
    numbers = sum(parameter.numel() for parameter in weights.model.parameters())
    assert weights.step(1.0) == pytest.approx(math.sqrt(numbers), rel=1e-4)


def test_only_matrices_outside_the_token_table_decay() -> None:
    weights = fresh(decay=0.5, rate=0.1)
    before = {name: master.detach().clone() for name, master in weights.masters.items()}
    give_gradients(weights, 0.0)
    weights.step(1.0)
    for name, master in weights.masters.items():
        decayed = master.dim() == 2 and name != "embed_tokens.weight"
        expected = before[name] * (1 - 0.1 * 0.5) if decayed else before[name]
        torch.testing.assert_close(master.detach(), expected)


def test_a_parameter_without_gradient_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError, match="got no gradient"):
        fresh().step(1.0)


def test_a_state_put_back_goes_on_bit_for_bit() -> None:
    straight, resumed = fresh(rate=1e-3), fresh(rate=1e-3)
    for step in range(6):
        if step == 3:
            resumed.load_state({name: t.clone() for name, t in straight.state().items()})
        for weights in (straight,) if step < 3 else (straight, resumed):
            give_gradients(weights, 0.1 * (step + 1))
            weights.step(0.5)
    for name, tensor in straight.state().items():
        assert torch.equal(tensor, resumed.state()[name]), name


def test_the_schedule_rises_linearly_and_falls_as_a_cosine_to_its_floor() -> None:
    shares = [cosine_schedule(step, total=100, warmup=10) for step in range(100)]
    assert shares[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert shares[10] == 1.0
    assert shares[99] == pytest.approx(0.02)
    half = cosine_schedule(55, total=101, warmup=10)
    assert half == pytest.approx(0.02 + 0.98 * 0.5)
    assert all(left >= right for left, right in pairwise(shares[10:]))
