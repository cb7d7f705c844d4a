"""Tiny random checkpoints of the four text shapes, after the recipe in the project's notes.

Hidden 64, vocabulary 300, matrices N(0, 0.12), norms N(1, 0.1). With an original length of 64 the
eight rotary frequencies of a head fall into all three llama3 bands (1 kept, 1 blended, 6 divided),
so a mistake in any band moves the vectors; with the real 8192 it would hide below every gate.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.processors import TemplateProcessing
from tokenizers.trainers import BpeTrainer
from torch import Tensor

from biencoder.batching.pack import build_batch
from biencoder.config.dialects import write_d1
from biencoder.config.model import LlamaConfig, RopeScaling
from biencoder.models.llama import LlamaEncoder
from biencoder.models.packed import Packed
from biencoder.types import IntArray

BOS, EOS = 298, 299
QUERY, PASSAGE = "query: ", "passage: "

_1B = LlamaConfig(
    vocab_size=300,
    hidden_size=64,
    intermediate_size=128,
    num_hidden_layers=3,
    num_attention_heads=4,
    num_key_value_heads=2,
    head_dim=16,
    rms_norm_eps=1e-5,
    rope_theta=500000.0,
    rope_scaling=RopeScaling(
        factor=32.0,
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_position_embeddings=64,
    ),
    max_position_embeddings=4096,
    bos_token_id=BOS,
    eos_token_id=EOS,
    dtype="float32",
)
_8B_ROPE = RopeScaling(
    factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64
)

# 3b: heads that are wider together than the hidden size. 300m: fewer layers, thinner, one key head.
SHAPES: dict[str, LlamaConfig] = {
    "1b": _1B,
    "300m": replace(_1B, intermediate_size=120, num_hidden_layers=2, num_key_value_heads=1),
    "3b": replace(_1B, head_dim=32),
    "8b": replace(_1B, rope_scaling=_8B_ROPE),
}
IDS = {
    "1b": "nvidia/llama-nemotron-embed-1b-v2",
    "300m": "nvidia/llama-3.2-nemoretriever-300m-embed-v2",
    "3b": "nvidia/llama-nv-embed-reasoning-3b",
    "8b": "nvidia/llama-embed-nemotron-8b",
}

TEXTS = [
    "Oxbow lakes are cut-off river bends.",
    "Where do oxbow lakes come from?",
    "the",
    "A meander grows until the river takes the short way; what is left behind is a lake.",
    "Ein Satz auf Deutsch: Flüsse mäandern.",
    "川の曲がりくねり",
]


def weights(config: LlamaConfig, seed: int = 0) -> dict[str, Tensor]:
    """Float32 tensors under their canonical names."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for name, shape in config.tensor_shapes().items():
        noise = torch.randn(shape, generator=generator)
        tensors[name] = 1.0 + 0.1 * noise if len(shape) == 1 else 0.12 * noise
    return tensors


@cache
def tokenizer_json() -> str:
    """Byte-level BPE with 42 merges and, as in Llama 3, BOS in front and nothing behind."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=298, initial_alphabet=sorted(ByteLevel.alphabet()), show_progress=False
    )
    tokenizer.train_from_iterator([*TEXTS, "the river and the lakes and the bends"] * 3, trainer)
    assert tokenizer.get_vocab_size() == 298
    tokenizer.add_special_tokens(["<|begin_of_text|>", "<|end_of_text|>"])
    assert tokenizer.token_to_id("<|begin_of_text|>") == BOS
    tokenizer.post_processor = TemplateProcessing(
        single="<|begin_of_text|> $A", special_tokens=[("<|begin_of_text|>", BOS)]
    )
    return str(tokenizer.to_str())


def tokenizer() -> Tokenizer:
    """The library's own tokenizer, as the reference for ids."""
    return Tokenizer.from_str(tokenizer_json())


def write_json(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def edit_json(path: Path, **changes: Any) -> None:
    """Change keys of a JSON object; None removes one."""
    value = json.loads(path.read_text(encoding="utf-8")) | changes
    write_json(path, {key: item for key, item in value.items() if item is not None})


def write_checkpoint(
    folder: Path,
    shape: str = "1b",
    *,
    raw: dict[str, Any] | None = None,
    tensors: dict[str, Tensor] | None = None,
    prompts: bool = True,
) -> Path:
    """A checkpoint as published: D1 config, bare tensor names, tokenizer, prompts."""
    folder.mkdir(parents=True)
    config = SHAPES[shape]
    write_json(folder / "config.json", write_d1(config) if raw is None else raw)
    save_file(weights(config) if tensors is None else tensors, folder / "model.safetensors")
    (folder / "tokenizer.json").write_text(tokenizer_json(), encoding="utf-8")
    if prompts:
        write_json(
            folder / "config_sentence_transformers.json",
            {"prompts": {"query": QUERY, "document": PASSAGE}},
        )
    return folder


def name_member(folder: Path, member: str, **more: Any) -> Path:
    """Say in biencoder.json which member a tiny folder stands for; its own prompts go away."""
    (folder / "config_sentence_transformers.json").unlink(missing_ok=True)
    write_json(folder / "biencoder.json", {"model": IDS[member], "dimensions": [64], **more})
    return folder


def trunk(
    config: LlamaConfig, dtype: torch.dtype = torch.float32, *, seed: int = 0
) -> LlamaEncoder:
    """Our encoder with the tiny weights, without a folder."""
    model = LlamaEncoder(config)
    model.load_state_dict(weights(config, seed))
    return model.to(dtype).requires_grad_(False).eval()


def random_ids(lengths: list[int], seed: int = 0) -> list[IntArray]:
    """Token lists of the given lengths, BOS first."""
    generator = np.random.default_rng(seed)
    rows = [generator.integers(0, 298, size=length, dtype=np.int64) for length in lengths]
    for row in rows:
        row[0] = BOS
    return rows


def packed(ids: list[IntArray]) -> Packed:
    """One batch of all the rows, in their order, on the CPU."""
    return Packed.from_batch(build_batch(ids, np.arange(len(ids))), torch.device("cpu"))
