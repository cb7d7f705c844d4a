"""What a page checkpoint is: spelling, tensors, sizes, tiles, limits. Nothing is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from biencoder.config.dialects import detect_dialect, read_json
from biencoder.config.page_model import PageConfig, PageLimits
from biencoder.diagnosis.findings import Finding, State
from biencoder.embedder.pages.loading import PROCESSOR_FILE, read_page_config, read_page_limits
from biencoder.embedder.pages.side import PageSide
from biencoder.embedder.profile import Profile
from biencoder.models.layouts import canonical_page_name
from biencoder.models.page_checkpoint import count_page_parameters
from biencoder.models.shards import read_tensors, weight_files

_NESTED = "vision_model.vision_model."


def dialect(folder: Path) -> Finding:
    """How the two configurations are spelt; one that must not be loaded is an error."""
    raw = read_json(folder / "config.json")
    config = read_page_config(folder)
    assert config is not None, "a text model"
    inner = detect_dialect(raw["llm_config"])
    vision = config.vision
    return Finding(
        "dialect",
        "ok",
        f"page model over {inner}",
        f"{raw['model_type']}: {vision.num_hidden_layers} tower layers of {vision.hidden_size}, "
        f"{config.text.num_hidden_layers} language layers of {config.text.hidden_size}; code that it "
        "names is never run",
        {"dialect": inner, "model_type": str(raw["model_type"])},
    )


def tensors(folder: Path, config: PageConfig) -> Finding:
    """How many tensors the files hold for each part, in which layout and number format."""
    expected, head = config.tensor_shapes(), config.head_shapes()
    parts: Counter[str] = Counter()
    formats: set[str] = set()
    nested = False
    for stored, tensor in read_tensors(weight_files(folder)):
        nested = nested or _NESTED in stored
        name = canonical_page_name(stored)
        part = "others" if name is None else "head" if name in head else name.partition(".")[0]
        parts[part] += 1
        if part not in ("others", "head"):
            formats.add(str(tensor.dtype).removeprefix("torch."))
    used = parts.total() - parts["head"] - parts["others"]
    reason = (
        f"language model {parts['language_model']}, tower {parts['vision_model']}, "
        f"projector {parts['mlp1']}; {_about_head(parts['head'], len(head))}; "
        f"{'nested, as published' if nested else 'flat'} layout"
    )
    if parts["others"]:
        reason += f"; {parts['others']} more are not needed and were left"
    return Finding(
        "tensors",
        "ok" if used == len(expected) else "failed",
        f"{used} in {', '.join(sorted(formats))}",
        reason,
        {"tensors": used, "expected": len(expected), "head": parts["head"], "nested": nested},
    )


def _about_head(found: int, whole: int) -> str:
    if not found:
        return "the pooling head is not stored, and not needed"
    part = f"all {found}" if found == whole else f"{found} of {whole}"
    return f"{part} of the pooling head are stored, and not needed"


def parameters(profile: Profile, config: PageConfig) -> Finding:
    """Numbers in a published checkpoint of these sizes, and in the model that runs."""
    counted = count_page_parameters(config)
    state: State = "ok"
    known = None if profile.member is None else profile.member.pages
    if profile.member is None or known is None:
        reason = "the family's table has no such model to compare with"
    elif counted == (listed := count_page_parameters(known)):
        reason = f"the same as the family's table has for {profile.member.name}"
    else:
        state = "warning"
        reason = (
            f"the family's table has {listed.stored:,} and {listed.run:,} for {profile.member.name}"
        )
    return Finding(
        "parameters",
        state,
        f"{counted.stored:,} with the pooling head, {counted.run:,} run",
        reason,
        {"stored": counted.stored, "run": counted.run},
    )


def tiles(folder: Path, config: PageConfig) -> Finding:
    """Into how many tiles an image is cut at most, and which file says so; ``config`` is in force."""
    raw = read_json(folder / "config.json")
    processor = read_json(folder / PROCESSOR_FILE) if (folder / PROCESSOR_FILE).exists() else {}
    loaded = read_page_config(folder)
    assert loaded is not None, "a text model"
    origin = _origin("max_input_tiles", raw, processor)
    if config.max_tiles != loaded.max_tiles or config.thumbnail != loaded.thumbnail:
        origin = f"as asked; the checkpoint has {_tiles(loaded)}"
    most = config.max_tiles + (config.thumbnail and config.max_tiles > 1)
    return Finding(
        "tiles",
        "ok",
        f"at most {_tiles(config)}",
        f"{origin}; a tile is {config.tile_size} pixels wide and {config.tokens_per_tile} tokens, so an "
        f"image is at most {most * config.tokens_per_tile:,}",
        {"max_tiles": config.max_tiles, "thumbnail": config.thumbnail, "from": origin},
    )


def _tiles(config: PageConfig) -> str:
    with_it = "with" if config.thumbnail else "without"
    return f"{config.max_tiles} {with_it} thumbnail"


def _origin(name: str, raw: Mapping[str, Any], processor: Mapping[str, Any]) -> str:
    """Which file decides; the reference reads the processor's, whatever the other says."""
    if name in processor:
        other = raw.get(name, processor[name])
        against = f" (config.json: {other}, which nobody reads)" if other != processor[name] else ""
        return f"from {PROCESSOR_FILE}{against}"
    return "from config.json" if name in raw else "the card's value; neither file states it"


def limits(side: PageSide, folder: Path) -> Finding:
    """The longest document of each kind, prompt, image and special tokens included."""
    in_force, stored = side.limits, read_page_limits(folder)
    named = asdict(in_force) | {"query": side.config.query_tokens}
    value = ", ".join(f"{name} {tokens:,}" for name, tokens in named.items())
    if in_force != stored:
        positions = side.config.text.max_position_embeddings
        reason = f"as asked; none is above the trunk's {positions:,} positions"
    else:
        reason = "the card's" if stored == PageLimits() else "stored with the checkpoint"
    most = side.config.max_tiles + (side.config.thumbnail and side.config.max_tiles > 1)
    image = len(side.tokenizer.image(most, limit=1 << 20).ids)
    if image > in_force.image:
        lost = f"an image of all {most} tiles has {image:,} tokens, and is refused"
        return Finding("maximum tokens", "warning", value, f"{reason}; {lost}", named)
    return Finding("maximum tokens", "ok", value, reason, named)
