"""Which model made a vector: one hash over everything that decides it.

Two vectors may be compared only where their fingerprints are equal: other weights, another prompt
or another length limit give other numbers, and nothing in the numbers would show it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biencoder.errors import CheckpointError

if TYPE_CHECKING:
    from biencoder.embedder.embedder import Embedder

_BLOCK = 1 << 22


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
    """Hashes of weights, tokenizer and configuration; prompts, pooling, length limit.

    Not the name (a copy of a folder is the same model), nor device and number format (they move a
    vector by rounding only).
    """
    folder = embedder.source.folder
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise CheckpointError(f"{folder} holds no .safetensors file any more")
    prompts = embedder.profile.prompts
    return {
        "weights": [hash_file(path) for path in weights],
        "tokenizer": hashlib.sha256(embedder.tokenizer.to_json().encode()).hexdigest(),
        "config": repr(embedder.config),
        "prompts": [prompts.query, prompts.document, prompts.instruction_template],
        "max_tokens": embedder.max_tokens,
    }


def hash_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex, read in pieces."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            whole.update(block)
    return whole.hexdigest()
