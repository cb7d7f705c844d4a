"""A located checkpoint to trunk, tokenizer and profile; adapters are merged into their base."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from biencoder.config.dialects import parse_config, read_json
from biencoder.config.model import LlamaConfig
from biencoder.config.sentence_files import read_sentence_files
from biencoder.embedder.device import Placement
from biencoder.embedder.hub import Source
from biencoder.embedder.notices import PromptWarning, say_once, tell_licence
from biencoder.embedder.places import places, read_adapter
from biencoder.embedder.profile import Profile, read_profile
from biencoder.models.checkpoint import load_trunk
from biencoder.models.llama import LlamaEncoder
from biencoder.models.lora import merge_adapter
from biencoder.text.tokenizer import TextTokenizer


def load_parts(
    source: Source, name: str, placement: Placement
) -> tuple[LlamaEncoder, TextTokenizer, Profile]:
    """Everything an Embedder is made of. The licence of a non-commercial model is said once."""
    there = places(source)
    base = there.base
    config = read_config(base.folder)
    trunk = load_trunk(base.folder, config, dtype=placement.dtype, device=placement.device)
    if there.adapter is not None:
        merge_adapter(trunk, there.adapter, read_adapter(there.adapter))
    texts_from = there.holding("tokenizer.json")
    tokenizer = TextTokenizer.from_folder(texts_from, vocab_size=config.vocab_size)
    described_in = there.holding("config_sentence_transformers.json")
    profile = read_profile(described_in, config, name=Path(name).name, member=base.member)
    _notify(profile)
    return trunk, tokenizer, profile


def read_config(folder: Path) -> LlamaConfig:
    """config.json with the pooling of the sentence-transformers files, which wins."""
    config = parse_config(read_json(folder / "config.json"))
    pooling = read_sentence_files(folder).pooling
    return config if pooling is None else replace(config, pooling=pooling)


def _notify(profile: Profile) -> None:
    tell_licence(profile)
    if profile.member is None and profile.prompts_from.startswith("nowhere"):
        say_once(
            f"no prompts are known for {profile.name}: queries and documents are encoded as they are",
            PromptWarning,
        )
