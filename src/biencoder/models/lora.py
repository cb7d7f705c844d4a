"""Adapter folders: a LoRA merged into its base, ``W += scale · B·A``, in float32."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor

from biencoder.config.adapter import AdapterConfig
from biencoder.errors import CheckpointError
from biencoder.models.layouts import canonical_name
from biencoder.models.llama import LlamaEncoder
from biencoder.models.shards import ADAPTER, read_tensors

_LORA = re.compile(r"^base_model\.model\.(?P<module>.+)\.lora_(?P<half>[AB])(\.default)?\.weight$")


def merge_adapter(model: LlamaEncoder, folder: Path, adapter: AdapterConfig) -> None:
    """Add the adapter of a folder to the model's weights, in place."""
    parameters = dict(model.named_parameters())
    for module, (a, b) in _pairs(folder).items():
        name = f"{module}.weight"
        if name not in parameters:
            raise CheckpointError(f"the adapter changes {module!r}, which the base does not have")
        weight = parameters[name]
        if a.shape != (adapter.r, weight.shape[1]) or b.shape != (weight.shape[0], adapter.r):
            raise CheckpointError(
                f"the adapter of {module!r} has shapes {tuple(a.shape)} and {tuple(b.shape)}; "
                f"rank {adapter.r} over {tuple(weight.shape)} needs "
                f"{(adapter.r, weight.shape[1])} and {(weight.shape[0], adapter.r)}"
            )
        with torch.no_grad():
            change = adapter.scale * (b.float() @ a.float())
            weight.copy_((weight.float() + change.to(weight.device)).to(weight.dtype))


def _pairs(folder: Path) -> dict[str, tuple[Tensor, Tensor]]:
    halves: dict[str, dict[str, Tensor]] = {}
    if not (folder / ADAPTER).exists():
        raise CheckpointError(f"{folder} holds adapter_config.json but no {ADAPTER}")
    for name, tensor in read_tensors([folder / ADAPTER]):
        match = _LORA.match(name)
        if match is None:
            raise CheckpointError(f"{ADAPTER} holds {name!r}, which is no plain LoRA tensor")
        # One or two "model." may follow the wrapper, depending on the class that was adapted.
        module = canonical_name(match["module"].removeprefix("model.") + ".weight")
        halves.setdefault(str(module).removesuffix(".weight"), {})[match["half"]] = tensor
    incomplete = [module for module, found in halves.items() if set(found) != {"A", "B"}]
    if incomplete or not halves:
        what = f"only one half of {incomplete[0]!r}" if incomplete else "no tensors"
        raise CheckpointError(f"{ADAPTER} holds {what}")
    return {module: (found["A"], found["B"]) for module, found in halves.items()}
