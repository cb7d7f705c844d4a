"""Which model made a vector: one hash over everything that decides it.

Two vectors may be compared only where their fingerprints are equal: other weights, another prompt
or another length limit give other numbers, and nothing in the numbers would show it.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biencoder.config.model import LlamaConfig
from biencoder.embedder.pages.settings import page_identity
from biencoder.embedder.places import places, read_adapter
from biencoder.errors import CheckpointError

if TYPE_CHECKING:
    from biencoder.embedder.embedder import Embedder

_BLOCK = 1 << 22
_NOT_DECIDING = ("bos_token_id", "eos_token_id", "pad_token_id", "dtype", "max_position_embeddings")


def fingerprint(embedder: Embedder) -> str:
    """The first 16 hex digits of SHA-256 over `identity`.

    Reads the weight files once: seconds for each few gigabytes.
    """
    return digest(identity(embedder))


def digest(facts: dict[str, Any]) -> str:
    """The first 16 hex digits of SHA-256 over the facts as JSON, keys sorted."""
    text = json.dumps(facts, sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def identity(embedder: Embedder) -> dict[str, Any]:
    """Hashes of weights and tokenizer as they lie on the disk; sizes, prompts, length limit.

    Of a page model also its tower's sizes, the tiles and thumbnail in force, and its limits.

    Files' bytes and plain values only: what a library writes of them may change with its release, or
    from one load to the next. Not the name (a copy of a folder is the same model), nor device and
    number format (they move a vector by rounding only).
    """
    there = places(embedder.source)
    prompts = embedder.profile.prompts
    facts: dict[str, Any] = {
        "weights": _weights(embedder.source.folder),
        "adapter_of": None if there.adapter is None else _base(there.base.folder, there.adapter),
        "tokenizer": hash_file(there.holding("tokenizer.json") / "tokenizer.json"),
        "config": deciding(embedder.config),
        "prompts": [prompts.query, prompts.document, prompts.instruction_template],
        "max_tokens": embedder.max_tokens,
    }
    if embedder.pages is not None:
        facts["pages"] = page_identity(embedder.pages.config, embedder.pages.limits)
    return facts


def deciding(config: LlamaConfig) -> dict[str, Any]:
    """What of a configuration the vectors depend on, as plain values.

    Without what is no part of the arithmetic: special tokens (the tokenizer adds them), the number
    format, the greatest length (the limit in force is told beside it).
    """
    plain = asdict(config)
    return {name: value for name, value in plain.items() if name not in _NOT_DECIDING}


def _base(folder: Path, adapter: Path) -> dict[str, Any]:
    """What a LoRA's own weights do not tell: those beneath, and how strongly it is added."""
    return {"weights": _weights(folder), "scale": read_adapter(adapter).scale}


def _weights(folder: Path) -> list[str]:
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise CheckpointError(f"{folder} holds no .safetensors file any more")
    return [hash_file(path) for path in files]


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex, read in pieces."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            whole.update(block)
    return whole.hexdigest()
