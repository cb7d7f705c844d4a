"""Weights from a folder and back: complete or an error, one tensor in flight at a time.

`fill` serves every network; here it fills a trunk, in `page_checkpoint.py` a page model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor, nn

from biencoder.config.model import LlamaConfig
from biencoder.errors import CheckpointError
from biencoder.models.layouts import canonical_name
from biencoder.models.llama import LlamaEncoder
from biencoder.models.shards import read_tensors, weight_files, write_shards

Block: TypeAlias = tuple[str, str, int]

_FLOATING = (torch.float32, torch.float16, torch.bfloat16)


def count_parameters(config: LlamaConfig) -> int:
    """Numbers in the stored tensors, counted on the meta device: nothing is allocated."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in LlamaEncoder(config).parameters())


def load_trunk(
    folder: Path, config: LlamaConfig, *, dtype: torch.dtype, device: torch.device
) -> LlamaEncoder:
    """Read a checkpoint's weights.

    The peak is the weights in ``dtype`` plus one tensor. Raises CheckpointError where a tensor is
    missing, unexpected, doubled, misshapen, quantised or not finite.
    """
    with torch.device("meta"):
        model = LlamaEncoder(config)
    blocks = {"layers.": ("layers", "num_hidden_layers", config.num_hidden_layers)}
    shapes = config.tensor_shapes()
    fill(model, folder, shapes, canonical_name, blocks=blocks, dtype=dtype, device=device)
    return model.requires_grad_(False).eval()


def fill(
    model: nn.Module,
    folder: Path,
    shapes: Mapping[str, tuple[int, ...]],
    rename: Callable[[str], str | None],
    *,
    blocks: Mapping[str, Block],
    dtype: torch.dtype,
    device: torch.device,
) -> None:
    """Give a model on the meta device the tensors of a folder, all of ``shapes`` or none.

    rename: a stored name to its canonical one, None for a tensor that is not needed.
    blocks: for messages, by the prefix of their tensors: what numbered layers are called, and how
    many of them config.json asks for under which name.
    """
    files = weight_files(folder)
    loaded: set[str] = set()
    for stored, tensor in read_tensors(files):
        name = rename(stored)
        if name is None:
            continue
        _check(name, stored, tensor, shapes, loaded)
        _assign(model, name, tensor.to(device=device, dtype=dtype, copy=True))
        loaded.add(name)
    _demand_all(shapes, loaded, files, blocks)


def save_trunk(
    model: LlamaEncoder, folder: Path, *, dtype: torch.dtype, metadata: dict[str, str]
) -> None:
    """Write the weights under their canonical names, sharded where they are large."""
    save(model, model.config.tensor_shapes(), folder, dtype=dtype, metadata=metadata)


def save(
    model: nn.Module,
    names: Iterable[str],
    folder: Path,
    *,
    dtype: torch.dtype,
    metadata: dict[str, str],
) -> None:
    """Write these tensors of a model, in this order."""
    state = model.state_dict()
    total = sum(tensor.numel() for tensor in state.values()) * dtype.itemsize
    tensors = ((name, state[name].to(dtype)) for name in names)
    write_shards(folder, tensors, total_bytes=total, metadata=metadata)


def _check(
    name: str,
    stored: str,
    tensor: Tensor,
    shapes: Mapping[str, tuple[int, ...]],
    loaded: set[str],
) -> None:
    if name not in shapes:
        raise CheckpointError(
            f"the checkpoint holds {stored!r}, which this model does not have",
            hint="config.json and the weights do not belong together, or the model is of another kind",
        )
    if name in loaded:
        raise CheckpointError(f"the checkpoint holds {name!r} twice, the second time as {stored!r}")
    if tensor.dtype not in _FLOATING:
        raise CheckpointError(
            f"{stored!r} is stored as {str(tensor.dtype).removeprefix('torch.')}: the checkpoint is quantised",
            hint="use the unquantised repository of the same model",
        )
    if tuple(tensor.shape) != shapes[name]:
        raise CheckpointError(
            f"{stored!r} has shape {tuple(tensor.shape)}; config.json asks for {shapes[name]}"
        )
    # A sum is not finite as soon as one number is not, and needs no second copy of the tensor.
    if not math.isfinite(tensor.sum(dtype=torch.float32).item()):
        raise CheckpointError(
            f"{stored!r} holds NaN or infinity", hint="the file is damaged or its training diverged"
        )


def _assign(model: nn.Module, name: str, tensor: Tensor) -> None:
    module_name, _, parameter = name.rpartition(".")
    module = model.get_submodule(module_name)
    setattr(module, parameter, nn.Parameter(tensor, requires_grad=False))


def _demand_all(
    shapes: Mapping[str, tuple[int, ...]],
    loaded: set[str],
    files: list[Path],
    blocks: Mapping[str, Block],
) -> None:
    missing = [name for name in shapes if name not in loaded]
    if not missing:
        return
    told = "; ".join(_held(loaded, prefix, block) for prefix, block in blocks.items())
    where = files[0].name if len(files) == 1 else f"the {len(files)} shards together"
    raise CheckpointError(
        f"{where} lacks {len(missing)} of {len(shapes)} tensors, first {missing[0]!r}\n"
        f"The weights hold {told}.",
        hint="fetch the checkpoint again; a pruned model needs a config.json of its own",
    )


def _held(loaded: set[str], prefix: str, block: Block) -> str:
    called, setting, count = block
    rest = (name.removeprefix(prefix) for name in loaded if name.startswith(prefix))
    layers = {int(name.split(".")[0]) for name in rest}
    held = f"{called} {min(layers)}-{max(layers)}" if layers else f"no {called}"
    return f"{held}; config.json says {setting}={count}"
