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
    """Multiply for about ``seconds`` (one whole pass at least), ``tokens`` rows at a time."""
    shapes = list((config or layer_config()).matmul_weights().values())
    weights = [torch.randn(shape, dtype=dtype, device=device) * 0.02 for shape in shapes]
    inputs = {
        width: torch.randn(tokens, width, dtype=dtype, device=device)
        for width in {weight.shape[1] for weight in weights}
    }
    operations = 2 * tokens * sum(out * into for out, into in shapes)
    # Wakes threads and picks kernels; a few rows suffice, so a slow format costs no second pass.
    _products(weights, {width: rows[:32] for width, rows in inputs.items()}, device)
    best, passes = float("inf"), 0
    start = time.perf_counter()
    while passes == 0 or time.perf_counter() - start < seconds:
        begin = time.perf_counter()
        _products(weights, inputs, device)
        best = min(best, time.perf_counter() - begin)
        passes += 1
    return Ceiling(str(dtype).removeprefix("torch."), operations / best / 1e9, passes, tokens)


def _products(weights: list[Tensor], inputs: dict[int, Tensor], device: torch.device) -> None:
    for weight in weights:
        F.linear(inputs[weight.shape[1]], weight)
    if device.type == "cuda":
        torch.cuda.synchronize(device)
