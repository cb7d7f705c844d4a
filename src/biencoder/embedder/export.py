"""Save a model as a folder that three libraries read alike, its licence beside it.

The folder appears when it is whole: no half-written model.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biencoder.config.dialects import write_d4
from biencoder.config.sentence_files import write_sentence_files
from biencoder.drafts import new_folder, write_json
from biencoder.embedder.profile import OWN_FILE, Profile
from biencoder.models.checkpoint import save_trunk

if TYPE_CHECKING:
    from biencoder.embedder.embedder import Embedder

_LICENCE_PATTERNS = ("LICENSE*", "LICENCE*", "NOTICE*", "USE_POLICY*", "README.md")


def export(embedder: Embedder, folder: Path) -> None:
    """Write config (dialect D4), weights, tokenizer, sentence-transformers files and licence."""
    config = embedder.config
    with new_folder(folder) as draft:
        save_trunk(
            embedder.trunk,
            draft,
            dtype=embedder.placement.dtype,
            metadata={"license": embedder.profile.license},
        )
        dtype = str(embedder.placement.dtype).removeprefix("torch.")
        write_json(draft / "config.json", write_d4(config) | {"dtype": dtype})
        (draft / "tokenizer.json").write_text(embedder.tokenizer.to_json(), encoding="utf-8")
        write_json(draft / "tokenizer_config.json", tokenizer_config(embedder))
        prompts = embedder.profile.prompts
        for path, value in write_sentence_files(
            config,
            query_prompt=prompts.query,
            document_prompt=prompts.document,
            max_tokens=embedder.max_tokens,
        ).items():
            write_json(draft / path, value)
        write_json(draft / OWN_FILE, own_facts(embedder.profile))
        copy_licence(embedder.source.folder, draft, embedder.profile)


def tokenizer_config(embedder: Embedder) -> dict[str, Any]:
    """What transformers needs to wrap ``tokenizer.json``: its class, length and special tokens."""
    config, tokenizer = embedder.config, embedder.tokenizer
    named = {
        "bos_token": config.bos_token_id,
        "eos_token": config.eos_token_id,
        # Any valid piece serves as padding under a correct mask.
        "pad_token": config.eos_token_id if config.pad_token_id is None else config.pad_token_id,
    }
    pieces = {key: tokenizer.token(index) for key, index in named.items() if index is not None}
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": embedder.max_tokens,
        "clean_up_tokenization_spaces": False,
        **{key: piece for key, piece in pieces.items() if piece is not None},
    }


def own_facts(profile: Profile) -> dict[str, Any]:
    """``biencoder.json``: what no other file has a place for."""
    return {
        "name": profile.name,
        "model": profile.member.id if profile.member else None,
        "dimensions": list(profile.dimensions),
        "license": profile.license,
        "commercial_use": profile.commercial_use,
    }


def copy_licence(source: Path, target: Path, profile: Profile) -> None:
    """Licence, notice and model card of the source; a stated licence where it has no file."""
    for pattern in _LICENCE_PATTERNS:
        for path in sorted(source.glob(pattern)):
            shutil.copyfile(path, target / path.name)
    if not any(target.glob("LICEN[SC]E*")):
        built = "\nBuilt with Llama.\n" if "Llama" in profile.license else "\n"
        text = f"{profile.name}\nLicence: {profile.license}\n{built}"
        (target / "LICENSE").write_text(text, encoding="utf-8")
