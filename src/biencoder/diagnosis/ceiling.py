"""The fastest this machine multiplies matrices of the 1b's shapes: no model can be faster."""

from __future__ import annotations

import time
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from biencoder.config.family import NEMOTRON_1B
from biencoder.config.model import LlamaConfig
from biencoder.diagnosis.cost import DOCUMENT_TOKENS

_SECONDS = 1.0
_TRIED = 32
_FEWEST = 128


@dataclass(frozen=True, slots=True)
class Ceiling:
    """The best of ``passes`` runs through one layer's seven products, in 10^9 operations a second."""

    dtype: str
    gigaflops: float
    passes: int
    tokens: int

    def documents_per_second(self, config: LlamaConfig) -> float:
        """Documents of 130 tokens that a model of these sizes cannot exceed here."""
        return self.gigaflops * 1e9 / (config.flops_per_token() * DOCUMENT_TOKENS)


def layer_config() -> LlamaConfig:
    """The 1b's sizes: the layer that is measured."""
    config = NEMOTRON_1B.config
    assert config is not None
    return config


@torch.inference_mode()
def measure_ceiling(
    device: torch.device,
    dtype: torch.dtype,
    *,
    tokens: int,
    config: LlamaConfig | None = None,
    seconds: float = _SECONDS,
) -> Ceiling:
    """Multiply for about ``seconds`` (one whole pass at least), at most ``tokens`` rows at a time.

    Of a format that is too slow for that in the time, fewer rows are taken; `Ceiling.tokens` says how many.
    """
    shapes = list((config or layer_config()).matmul_weights().values())
    weights = [torch.randn(shape, dtype=dtype, device=device) * 0.02 for shape in shapes]
    inputs = {
        width: torch.randn(tokens, width, dtype=dtype, device=device)
        for width in {weight.shape[1] for weight in weights}
    }
    tokens = _fitting(weights, inputs, device, tokens, seconds)
    inputs = {width: rows[:tokens] for width, rows in inputs.items()}
    operations = 2 * tokens * sum(out * into for out, into in shapes)
    best, passes = float("inf"), 0
    start = time.perf_counter()
    while passes == 0 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        _products(weights, inputs, device)
        best = min(best, time.perf_counter() - begin)
        passes += 1
    return Ceiling(str(dtype).removeprefix("torch."), operations / best / 1e9, passes, tokens)


def _fitting(
    weights: list[Tensor],
    inputs: dict[int, Tensor],
    device: torch.device,
    tokens: int,
    seconds: float,
) -> int:
    """How many rows one pass takes in the time, by a pass of few rows; at least ``_FEWEST``."""
    few = {width: rows[:_TRIED] for width, rows in inputs.items()}
    # The first wakes threads and picks kernels.
    _products(weights, few, device)
    begin = time.perf_counter()
    _products(weights, few, device)
    taken = time.perf_counter() - begin
    while tokens > _FEWEST and taken * tokens / _TRIED > seconds:
        tokens //= 2
    return tokens


def _products(weights: list[Tensor], inputs: dict[int, Tensor], device: torch.device) -> None:
    for weight in weights:
        F.linear(inputs[weight.shape[1]], weight)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
