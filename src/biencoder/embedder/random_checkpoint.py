"""A full-size checkpoint with random weights, in the dialect of the published one.

It proves loading, memory and speed where the real weights cannot be had. Its vectors mean nothing,
and `biencoder check` says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from biencoder.config.dialects import write_d1
from biencoder.config.family import Member
from biencoder.config.model import LlamaConfig
from biencoder.config.page_dialect import write_page_config, write_processor_config
from biencoder.config.page_model import PageConfig
from biencoder.config.sentence_files import write_sentence_files
from biencoder.drafts import new_folder, write_json
from biencoder.embedder.profile import OWN_FILE
from biencoder.errors import InputError
from biencoder.models.layouts import published_page_name
from biencoder.models.shards import write_shards
from biencoder.text.byte_level import byte_level_tokenizer
from biencoder.text.page_tokens import BEGIN, CONTEXT, END

STANDARD_DEVIATION = 0.02
SHARD_BYTES = 2 * 10**9
# What config.json of the published page model says of tiles, and processor_config.json overrules.
_TILES_IN_CONFIG = 2


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a folder is made of: its tensors by stored name, its JSON files, its special tokens."""

    shapes: Mapping[str, tuple[int, ...]]
    files: Mapping[str, Any]
    text: LlamaConfig
    special: Mapping[str, int]


def write_random_checkpoint(
    member: Member, folder: Path, *, seed: int, config: LlamaConfig | PageConfig | None = None
) -> int:
    """Write the folder, one shard in memory at a time; returns the bytes of the weights.

    ``config`` replaces the member's sizes (for cut-down benchmarks).
    """
    recipe = _recipe(member, config)
    bos, eos = recipe.text.bos_token_id, recipe.text.eos_token_id
    if bos is None or eos is None:
        raise InputError("a random checkpoint needs bos_token_id and eos_token_id in its config")
    total = _bytes(recipe)
    with new_folder(folder) as draft:
        write_shards(
            draft,
            _random_tensors(recipe.shapes, seed),
            total_bytes=total,
            metadata={"biencoder_random_seed": str(seed)},
            max_shard_bytes=SHARD_BYTES,
        )
        tokenizer = byte_level_tokenizer(bos=bos, eos=eos, more=recipe.special)
        (draft / "tokenizer.json").write_text(tokenizer, encoding="utf-8")
        for path, value in recipe.files.items():
            write_json(draft / path, value)
        write_json(draft / OWN_FILE, _facts(member, recipe.text, seed))
        (draft / "LICENSE").write_text(
            "Random numbers: no licence is needed for these weights. They are not the weights of\n"
            f"{member.id}, whose licence is: {member.license}.\n",
            encoding="utf-8",
        )
    return total


def random_checkpoint_bytes(member: Member) -> int:
    """What the weights of a member at full size take on disk."""
    return _bytes(_recipe(member, None))


def _recipe(member: Member, config: LlamaConfig | PageConfig | None) -> _Recipe:
    config = config or member.pages or member.config
    if config is None:
        raise InputError(f"{member.name} cannot be made: its sizes are not known")
    return _pages(config) if isinstance(config, PageConfig) else _texts(member, config)


def _texts(member: Member, config: LlamaConfig) -> _Recipe:
    files = {"config.json": write_d1(config)} | write_sentence_files(
        config,
        query_prompt=member.prompts.query,
        document_prompt=member.prompts.document,
        max_tokens=member.max_tokens,
    )
    return _Recipe(config.tensor_shapes(), files, config, {})


def _pages(config: PageConfig) -> _Recipe:
    """As published: the pooling head lies among the tensors, and the two files differ on tiles."""
    shapes = config.tensor_shapes() | config.head_shapes()
    files = {
        "config.json": write_page_config(config, head=True) | {"max_input_tiles": _TILES_IN_CONFIG},
        "processor_config.json": write_processor_config(config),
    }
    context = config.image_context_token_id
    special = {BEGIN: context - 2, END: context - 1, CONTEXT: context}
    for number, index in enumerate(range(context + 1, config.text.vocab_size)):
        special[f"<|image_filler_{number}|>"] = index
    stored = {published_page_name(name): shape for name, shape in shapes.items()}
    return _Recipe(stored, files, config.text, special)


def _bytes(recipe: _Recipe) -> int:
    return 2 * sum(map(prod, recipe.shapes.values()))


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


def _random_tensors(
    shapes: Mapping[str, tuple[int, ...]], seed: int
) -> Iterator[tuple[str, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    for name, shape in shapes.items():
        if name.endswith("bias"):
            yield name, torch.zeros(shape, dtype=torch.bfloat16)
        elif len(shape) == 1:
            yield name, torch.ones(shape, dtype=torch.bfloat16)
        else:
            tensor = torch.empty(shape, dtype=torch.bfloat16)
            yield name, tensor.normal_(0.0, STANDARD_DEVIATION, generator=generator)
