"""A page model from a folder and back, in every layout that is in use."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch

from biencoder.config.page_model import PageConfig
from biencoder.models.checkpoint import fill, save
from biencoder.models.layouts import canonical_page_name
from biencoder.models.page_model import PageModel


@dataclass(frozen=True, slots=True)
class Counted:
    """Numbers in a published checkpoint, and how many of them the model runs with."""

    stored: int
    run: int


def count_page_parameters(config: PageConfig) -> Counted:
    """Counted on the meta device: nothing is allocated. The pooling head is stored and never run."""
    with torch.device("meta"):
        run = sum(parameter.numel() for parameter in PageModel(config).parameters())
    return Counted(stored=run + sum(map(prod, config.head_shapes().values())), run=run)


def load_page_model(
    folder: Path, config: PageConfig, *, dtype: torch.dtype, device: torch.device
) -> PageModel:
    """Read a checkpoint's weights; the tower's pooling head is left where it lies, or may be missing.

    The peak is the weights in ``dtype`` plus one tensor. Raises CheckpointError where a tensor is
    missing, unexpected, doubled, misshapen, quantised or not finite.
    """
    with torch.device("meta"):
        model = PageModel(config)
    unused = config.head_shapes()

    def rename(stored: str) -> str | None:
        name = canonical_page_name(stored)
        return None if name in unused else name

    text, vision = config.text.num_hidden_layers, config.vision.num_hidden_layers
    blocks = {
        "language_model.layers.": ("language layers", "llm_config.num_hidden_layers", text),
        "vision_model.encoder.layers.": (
            "tower layers",
            "vision_config.num_hidden_layers",
            vision,
        ),
    }
    shapes = config.tensor_shapes()
    fill(model, folder, shapes, rename, blocks=blocks, dtype=dtype, device=device)
    return model.requires_grad_(False).eval()


def save_page_model(
    model: PageModel, folder: Path, *, dtype: torch.dtype, metadata: dict[str, str]
) -> None:
    """Write the weights in the flat layout, sharded where they are large.

    The pooling head is not among them, which `config.page_dialect.write_page_config` declares.
    """
    save(model, model.config.tensor_shapes(), folder, dtype=dtype, metadata=metadata)
