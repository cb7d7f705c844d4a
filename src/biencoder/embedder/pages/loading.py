"""A page model from a checkpoint folder: both configurations, the weights, the tokenizer for pages."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from biencoder.config.dialects import read_json
from biencoder.config.page_dialect import is_page_model, parse_page_config
from biencoder.config.page_model import PageConfig, PageLimits
from biencoder.embedder.device import Placement
from biencoder.embedder.pages.settings import PageSettings
from biencoder.embedder.pages.side import PageSide
from biencoder.embedder.profile import OWN_FILE, page_prompts
from biencoder.errors import ConfigError
from biencoder.models.page_checkpoint import load_page_model
from biencoder.text.page_tokens import PageTokenizer

PROCESSOR_FILE = "processor_config.json"
LIMITS_KEY = "page_limits"


def read_page_config(folder: Path) -> PageConfig | None:
    """The configuration of a page model; None where the folder holds a text model."""
    raw = read_json(folder / "config.json")
    if not is_page_model(raw):
        return None
    processor = folder / PROCESSOR_FILE
    return parse_page_config(raw, read_json(processor) if processor.exists() else None)


def read_page_limits(folder: Path) -> PageLimits:
    """The limits that this library saved with a checkpoint, else the model card's."""
    own = read_json(folder / OWN_FILE) if (folder / OWN_FILE).exists() else {}
    stated = own.get(LIMITS_KEY, {})
    known = asdict(PageLimits())
    if not isinstance(stated, dict) or not stated.keys() <= known.keys():
        raise ConfigError(
            f"{LIMITS_KEY} in {OWN_FILE} is {stated!r}; it may hold {', '.join(known)}"
        )
    return PageLimits(**stated)


def load_page_side(
    folder: Path, config: PageConfig, settings: PageSettings, placement: Placement
) -> PageSide:
    """Everything that reads pages, with the settings in force. Raises CheckpointError, InputError."""
    in_force = settings.applied(config)
    tokenizer = PageTokenizer.from_folder(
        folder,
        vocab_size=config.text.vocab_size,
        context_id=config.image_context_token_id,
        prefix=page_prompts(config).document,
        tokens_per_tile=config.tokens_per_tile,
    )
    model = load_page_model(folder, config, dtype=placement.dtype, device=placement.device)
    limits = _bounded(settings.limits or read_page_limits(folder), config)
    return PageSide(model=model, tokenizer=tokenizer, config=in_force, limits=limits)


def _bounded(limits: PageLimits, config: PageConfig) -> PageLimits:
    """No document may be longer than the positions that the trunk was made for."""
    most = config.text.max_position_embeddings
    return PageLimits(**{name: min(value, most) for name, value in asdict(limits).items()})


def own_page_facts(limits: PageLimits) -> dict[str, Any]:
    """What ``biencoder.json`` says of a page model beyond a text model's facts."""
    return {LIMITS_KEY: asdict(limits)}
