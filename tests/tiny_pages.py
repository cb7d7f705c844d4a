"""Tiny random page checkpoints, after the recipe in the project's notes; as `tests/tiny.py` for texts.

Tiles of 64 pixels, 16 patches and 4 tokens a tile; the tiny 1b as language model, with the three image
tokens and the seven fillers behind its vocabulary. Norms N(1, 0.1), biases N(0, 0.1): a missing bias
would show.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor

from biencoder.config.page_dialect import write_page_config, write_processor_config
from biencoder.config.page_model import PageConfig, VisionConfig
from biencoder.models.page_model import PageModel
from biencoder.types import IntArray
from tests import tiny

IMG, END_IMG, CONTEXT = 300, 301, 302
IMAGE_TOKENS = ("<img>", "</img>", "<IMG_CONTEXT>")
FILLERS = tuple(f"<|reserved_image_token_{number}|>" for number in range(7))
ID = "nvidia/llama-nemotron-embed-vl-1b-v2"

CONFIG = PageConfig(
    text=replace(tiny.SHAPES["1b"], vocab_size=310),
    vision=VisionConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=64,
        patch_size=16,
    ),
    image_context_token_id=CONTEXT,
)


def weights(config: PageConfig = CONFIG, seed: int = 0) -> dict[str, Tensor]:
    """Float32 tensors under their canonical names."""
    return _random(config.tensor_shapes(), seed)


def head_weights(config: PageConfig = CONFIG, seed: int = 1) -> dict[str, Tensor]:
    """The pooling head, which no vector passes."""
    return _random(config.head_shapes(), seed)


def nested(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The published layout of the same tensors."""
    old, new = "vision_model.", "vision_model.vision_model."
    return {
        new + name.removeprefix(old) if name.startswith(old) else name: tensor
        for name, tensor in tensors.items()
    }


@cache
def tokenizer_json() -> str:
    """The tiny tokenizer with the image tokens and the fillers behind it."""
    tokenizer = Tokenizer.from_str(tiny.tokenizer_json())
    tokenizer.add_special_tokens([*IMAGE_TOKENS, *FILLERS])
    assert [tokenizer.token_to_id(name) for name in IMAGE_TOKENS] == [IMG, END_IMG, CONTEXT]
    return str(tokenizer.to_str())


def write_checkpoint(
    folder: Path,
    *,
    config: PageConfig = CONFIG,
    raw: dict[str, Any] | None = None,
    processor: dict[str, Any] | None = None,
    tensors: dict[str, Tensor] | None = None,
) -> Path:
    """A page checkpoint as published: nested layout, head stored, two tiles in config.json and the
    true number in processor_config.json (``{}`` for a folder without that file)."""
    folder.mkdir(parents=True)
    published = write_page_config(config, head=True) | {"max_input_tiles": 2}
    tiny.write_json(folder / "config.json", published if raw is None else raw)
    if processor != {}:
        processor = write_processor_config(config) if processor is None else processor
        tiny.write_json(folder / "processor_config.json", processor)
    stored = nested(weights(config) | head_weights(config)) if tensors is None else tensors
    save_file(stored, folder / "model.safetensors")
    (folder / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    tiny.write_json(folder / "biencoder.json", {"model": ID, "dimensions": [64]})
    return folder


def model(
    config: PageConfig = CONFIG, dtype: torch.dtype = torch.float32, *, seed: int = 0
) -> PageModel:
    """The page model with the tiny weights, without a folder."""
    made = PageModel(config)
    made.load_state_dict(weights(config, seed))
    return made.to(dtype).requires_grad_(False).eval()


def tiles(count: int, *, seed: int = 0, side: int = CONFIG.tile_size) -> Tensor:
    """Noise as ``count`` tiles, uint8, shape (I, S, S, 3)."""
    generator = torch.Generator().manual_seed(seed)
    shape = (count, side, side, 3)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def picture(width: int, height: int, *, seed: int = 0) -> Image.Image:
    """Noise in blocks of eight pixels, so that it survives being resized."""
    generator = np.random.default_rng(seed)
    shape = (-(-height // 8), -(-width // 8), 3)
    small = generator.integers(0, 256, size=shape, dtype=np.uint8)
    return Image.fromarray(small).resize((width, height), Image.Resampling.NEAREST)


def image_ids(
    tiles: int, text: Sequence[int] = (), *, head: Sequence[int] = (20, 21), tail: int = 22
) -> IntArray:
    """Tokens of one document with an image: BOS, a prompt, the image block, a space, a text."""
    block = [IMG, *[CONTEXT] * (tiles * CONFIG.tokens_per_tile), END_IMG]
    return np.array([tiny.BOS, *head, *block, tail, *text], dtype=np.int64)


def _random(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in shapes.items():
        noise = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            tensors[name] = 0.12 * noise
        else:
            tensors[name] = 0.1 * noise + (0.0 if name.endswith("bias") else 1.0)
    return tensors
