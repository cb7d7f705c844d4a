"""A located checkpoint to trunk, tokenizer and profile; adapters are merged into their base."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from biencoder.config.dialects import parse_config, read_json
from biencoder.config.model import LlamaConfig
from biencoder.config.page_model import PageConfig
from biencoder.config.sentence_files import read_sentence_files
from biencoder.embedder.device import Placement
from biencoder.embedder.hub import Source
from biencoder.embedder.notices import PromptWarning, say_once, tell_licence
from biencoder.embedder.pages.loading import load_page_side, read_page_config
from biencoder.embedder.pages.settings import PageSettings
from biencoder.embedder.pages.side import PageSide
from biencoder.embedder.places import Places, places, read_adapter
from biencoder.embedder.profile import Profile, read_page_profile, read_profile
from biencoder.errors import ConfigError, InputError
from biencoder.models.checkpoint import load_trunk
from biencoder.models.llama import LlamaEncoder
from biencoder.models.lora import merge_adapter
from biencoder.text.tokenizer import TextTokenizer


@dataclass(frozen=True, slots=True)
class Parts:
    """Everything an Embedder is made of. pages: None for a text model."""

    trunk: LlamaEncoder
    tokenizer: TextTokenizer
    profile: Profile
    pages: PageSide | None


def load_parts(source: Source, name: str, placement: Placement, settings: PageSettings) -> Parts:
    """Load a text model or a page model. The licence of a non-commercial model is said once."""
    there = places(source)
    config = read_page_config(there.base.folder)
    if config is None:
        parts = _load_text(there, name, placement, settings)
    else:
        parts = _load_pages(there, config, name, placement, settings)
    _notify(parts.profile)
    return parts


def read_config(folder: Path) -> LlamaConfig:
    """config.json with the pooling of the sentence-transformers files, which wins."""
    config = parse_config(read_json(folder / "config.json"))
    pooling = read_sentence_files(folder).pooling
    return config if pooling is None else replace(config, pooling=pooling)


def _load_text(there: Places, name: str, placement: Placement, settings: PageSettings) -> Parts:
    if settings.given:
        raise InputError(
            f"{name} reads text only: {', '.join(settings.given)} belong to a page model",
            hint="leave them out, or load llama-nemotron-embed-vl-1b-v2",
        )
    base = there.base
    config = read_config(base.folder)
    trunk = load_trunk(base.folder, config, dtype=placement.dtype, device=placement.device)
    if there.adapter is not None:
        merge_adapter(trunk, there.adapter, read_adapter(there.adapter))
    texts_from = there.holding("tokenizer.json")
    tokenizer = TextTokenizer.from_folder(texts_from, vocab_size=config.vocab_size)
    described_in = there.holding("config_sentence_transformers.json")
    profile = read_profile(described_in, config, name=Path(name).name, member=base.member)
    return Parts(trunk, tokenizer, profile, None)


def _load_pages(
    there: Places, config: PageConfig, name: str, placement: Placement, settings: PageSettings
) -> Parts:
    if there.adapter is not None:
        raise ConfigError(
            f"{there.adapter} is an adapter over a page model, which is not supported",
            hint="merge it with the library it was trained with",
        )
    folder = there.base.folder
    side = load_page_side(folder, config, settings, placement)
    profile = read_page_profile(
        folder,
        side.config,
        name=Path(name).name,
        member=there.base.member,
        max_tokens=side.limits.text,
    )
    return Parts(side.model.language_model, side.tokenizer.text, profile, side)


def _notify(profile: Profile) -> None:
    tell_licence(profile)
    if profile.member is None and profile.prompts_from.startswith("nowhere"):
        say_once(
            f"no prompts are known for {profile.name}: queries and documents are encoded as they are",
            PromptWarning,
        )
