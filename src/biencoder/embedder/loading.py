"""A located checkpoint to trunk, tokenizer and profile; adapters are merged into their base."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from biencoder.config.adapter import parse_adapter
from biencoder.config.dialects import parse_config, read_json
from biencoder.config.family import Member
from biencoder.config.model import LlamaConfig
from biencoder.config.sentence_files import read_sentence_files
from biencoder.embedder.device import Placement
from biencoder.embedder.hub import Source, locate
from biencoder.embedder.notices import PromptWarning, say_once, tell_licence
from biencoder.embedder.profile import Profile, read_profile
from biencoder.errors import ConfigError
from biencoder.models.checkpoint import load_trunk
from biencoder.models.llama import LlamaEncoder
from biencoder.models.lora import merge_adapter
from biencoder.text.tokenizer import TextTokenizer

ADAPTER_FILE = "adapter_config.json"


def load_parts(
    source: Source, name: str, placement: Placement
) -> tuple[LlamaEncoder, TextTokenizer, Profile]:
    """Everything an Embedder is made of. The licence of a non-commercial model is said once."""
    base, adapter_folder = source, None
    if is_adapter(source.folder):
        adapter_folder = source.folder
        base = locate(parse_adapter(read_json(adapter_folder / ADAPTER_FILE)).base_model)
        if is_adapter(base.folder):
            raise ConfigError(f"the base of the adapter {adapter_folder} is itself an adapter")
    config = read_config(base.folder)
    trunk = load_trunk(base.folder, config, dtype=placement.dtype, device=placement.device)
    if adapter_folder is not None:
        merge_adapter(
            trunk, adapter_folder, parse_adapter(read_json(adapter_folder / ADAPTER_FILE))
        )
    texts_from = _folder_with("tokenizer.json", adapter_folder, base.folder)
    tokenizer = TextTokenizer.from_folder(texts_from, vocab_size=config.vocab_size)
    profile = _profile(base, adapter_folder, config, name, base.member)
    _notify(profile)
    return trunk, tokenizer, profile


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds a LoRA and not whole weights."""
    return (folder / ADAPTER_FILE).exists() and not (folder / "config.json").exists()


def read_config(folder: Path) -> LlamaConfig:
    """config.json with the pooling of the sentence-transformers files, which wins."""
    config = parse_config(read_json(folder / "config.json"))
    pooling = read_sentence_files(folder).pooling
    return config if pooling is None else replace(config, pooling=pooling)


def _profile(
    base: Source,
    adapter_folder: Path | None,
    config: LlamaConfig,
    name: str,
    member: Member | None,
) -> Profile:
    folder = _folder_with("config_sentence_transformers.json", adapter_folder, base.folder)
    return read_profile(folder, config, name=Path(name).name, member=member)


def _folder_with(file: str, preferred: Path | None, otherwise: Path) -> Path:
    return preferred if preferred is not None and (preferred / file).exists() else otherwise


def _notify(profile: Profile) -> None:
    tell_licence(profile)
    if profile.member is None and profile.prompts_from.startswith("nowhere"):
        say_once(
            f"no prompts are known for {profile.name}: queries and documents are encoded as they are",
            PromptWarning,
        )
