"""A full-size checkpoint with random weights, in the dialect of the published one.

It proves loading, memory and speed where the real weights cannot be had. Its vectors mean nothing,
and `biencoder check` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from biencoder.config.dialects import write_d1
from biencoder.config.family import Member
from biencoder.config.model import LlamaConfig
from biencoder.config.sentence_files import write_sentence_files
from biencoder.drafts import new_folder, write_json
from biencoder.embedder.profile import OWN_FILE
from biencoder.errors import InputError
from biencoder.models.shards import write_shards
from biencoder.text.byte_level import byte_level_tokenizer

STANDARD_DEVIATION = 0.02
SHARD_BYTES = 2 * 10**9


def write_random_checkpoint(
    member: Member, folder: Path, *, seed: int, config: LlamaConfig | None = None
) -> int:
    """Write the folder, one shard in memory at a time; returns the bytes of the weights.

    ``config`` replaces the member's sizes (for cut-down benchmarks).
    """
    config = config or member.config
    if config is None or config.bos_token_id is None or config.eos_token_id is None:
        raise InputError(f"{member.name} cannot be made yet: its page tower is not built")
    shapes = config.tensor_shapes()
    total = sum(torch.Size(shape).numel() for shape in shapes.values()) * 2
    with new_folder(folder) as draft:
        write_shards(
            draft,
            _random_tensors(shapes, seed),
            total_bytes=total,
            metadata={"biencoder_random_seed": str(seed)},
            max_shard_bytes=SHARD_BYTES,
        )
        write_json(draft / "config.json", write_d1(config))
        tokenizer = byte_level_tokenizer(bos=config.bos_token_id, eos=config.eos_token_id)
        (draft / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
        for path, value in write_sentence_files(
            config,
            query_prompt=member.prompts.query,
            document_prompt=member.prompts.document,
            max_tokens=member.max_tokens,
        ).items():
            write_json(draft / path, value)
        write_json(draft / OWN_FILE, _facts(member, config, seed))
        (draft / "LICENSE").write_text(
            "Random numbers: no licence is needed for these weights. They are not the weights of\n"
            f"{member.id}, whose licence is: {member.license}.\n",
            encoding="utf-8",
        )
    return total


def _facts(member: Member, config: LlamaConfig, seed: int) -> dict[str, object]:
    size = config.hidden_size
    return {
        "name": f"{member.name} (random weights)",
        "model": member.id,
        "dimensions": [*(d for d in member.dimensions if d < size), size],
        "license": "none needed: random weights",
        "commercial_use": True,
        "random_seed": seed,
        "tokenizer": "a stand-in, one token per byte",
    }


def _random_tensors(shapes: dict[str, tuple[int, ...]], seed: int) -> Iterator[tuple[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    for name, shape in shapes.items():
        if len(shape) == 1:
            yield name, torch.ones(shape, dtype=torch.bfloat16)
        else:
            tensor = torch.empty(shape, dtype=torch.bfloat16)
            yield name, tensor.normal_(0.0, STANDARD_DEVIATION, generator=generator)
