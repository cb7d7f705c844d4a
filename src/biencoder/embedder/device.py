"""Which device, which number format, how many tokens at once: the machine decides, and says why.

bfloat16 where the processor multiplies it fast, float32 elsewhere, float16 never on a CPU (it is
emulated there, and its range is too small for these models).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from biencoder.errors import DeviceError

# Measured (benchmarks/results/encode.json): a CPU is fastest when a batch's activations fit its
# caches; a GPU wants enough tokens to fill its multiprocessors.
CPU_TOKEN_BUDGET = 1024
GPU_TOKEN_BUDGET = 16384

# oneDNN keeps a compiled product for each shape that it meets, 1,024 of them unless told: in a long
# stream of `mini`, where hardly two batches are alike, 400 MB. One batch needs up to 95 of them.
_CPU_COMPILED_PRODUCTS = "128"

_DTYPES = {
    "bfloat16": torch.bfloat16,
    "bf16": torch.bfloat16,
    "float32": torch.float32,
    "fp32": torch.float32,
    "float16": torch.float16,
    "fp16": torch.float16,
}


@dataclass(frozen=True, slots=True)
class Placement:
    """Where and in what format a model computes; ``reason`` is a sentence for people."""

    device: torch.device
    dtype: torch.dtype
    token_budget: int
    reason: str


def place(dtype: str = "auto", device: str | None = None) -> Placement:
    """Choose device and format; names are those of torch (``cpu``, ``cuda:1``, ``bfloat16``).

    Raises DeviceError for a device that is not there, an unknown name, or float16 on a CPU.
    """
    where = _device(device)
    if where.type == "cpu":
        # Read once, at the process's first product; a value that the user has set stays.
        os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", _CPU_COMPILED_PRODUCTS)
    budget = CPU_TOKEN_BUDGET if where.type == "cpu" else GPU_TOKEN_BUDGET
    if dtype == "auto":
        chosen, reason = _fast_dtype(where)
        return Placement(where, chosen, budget, reason)
    if dtype not in _DTYPES:
        raise DeviceError(
            f"dtype {dtype!r} is unknown", hint="use auto, bfloat16, float32 or float16 (GPU only)"
        )
    chosen = _DTYPES[dtype]
    if chosen is torch.float16 and where.type == "cpu":
        raise DeviceError(
            "float16 on a CPU is emulated and too small for these models",
            hint='use dtype="auto": bfloat16 where the processor has it, else float32',
        )
    return Placement(where, chosen, budget, "as asked")


def _device(name: str | None) -> torch.device:
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"device {name!r} is unknown", hint="use cpu, cuda or cuda:N") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise DeviceError("this machine has no CUDA device that torch can use", hint="use cpu")
    return device


def _fast_dtype(device: torch.device) -> tuple[torch.dtype, str]:
    if device.type == "cuda":
        major, minor = torch.cuda.get_device_capability(device)
        if major >= 8:
            return torch.bfloat16, f"compute capability {major}.{minor} has bfloat16"
        return torch.float32, f"compute capability {major}.{minor} has no bfloat16: float32, slower"
    if device.type == "cpu" and cpu_has_fast_bfloat16():
        return torch.bfloat16, "the processor multiplies bfloat16 natively"
    return torch.float32, f"{device.type} has no fast bfloat16: float32, slower"


def cpu_has_fast_bfloat16() -> bool:
    """Whether the processor has bfloat16 products (AVX-512 BF16, AMX, or ARM's BF16)."""
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(capabilities.get(name) for name in ("avx512_bf16", "amx_bf16", "arm_bf16", "bf16"))
