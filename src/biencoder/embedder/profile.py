"""What an embedder must know besides its weights: prompts, sizes, limits, licence.

Precedence: the checkpoint's own files, then ``biencoder.json`` (written by this library), then the
family's table. Each fact remembers where it came from, so that `biencoder check` can say so.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from biencoder.config.dialects import read_json
from biencoder.config.family import FAMILY, Member, find_member
from biencoder.config.model import LlamaConfig
from biencoder.config.page_model import PageConfig
from biencoder.config.prompts import Prompts
from biencoder.config.sentence_files import SentenceFiles, read_sentence_files

OWN_FILE = "biencoder.json"


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """One loaded model as its users see it. ``dimensions`` ascends to the full size."""

    name: str
    member: Member | None
    recognised_by: str
    prompts: Prompts
    prompts_from: str
    dimensions: tuple[int, ...]
    max_tokens: int
    license: str
    commercial_use: bool | None
    random_weights: bool
    normalizes: bool | None


def read_profile(folder: Path, config: LlamaConfig, *, name: str, member: Member | None) -> Profile:
    """Collect the facts about a checkpoint folder. ``member`` is given when it was asked by name."""
    own = read_json(folder / OWN_FILE) if (folder / OWN_FILE).exists() else {}
    recognised_by = "its name"
    if member is None:
        member, recognised_by = _recognise(own, config)
    files = read_sentence_files(folder)
    prompts, prompts_from = _prompts(files, member)
    return Profile(
        name=str(own.get("name") or (member.name if member else name)),
        member=member,
        recognised_by=recognised_by,
        prompts=prompts,
        prompts_from=prompts_from,
        dimensions=_dimensions(own, member, config),
        max_tokens=_max_tokens(files, member, config),
        license=str(own.get("license") or (member.license if member else "not stated")),
        commercial_use=own.get("commercial_use", member.commercial_use if member else None),
        random_weights="random_seed" in own,
        normalizes=files.normalizes,
    )


def read_page_profile(
    folder: Path, config: PageConfig, *, name: str, member: Member | None, max_tokens: int
) -> Profile:
    """As `read_profile`, of a page model: its own prefixes and limits, no sentence-transformers files.

    Those files, where somebody added them, know one length and one prompt for all kinds of documents.
    """
    own = read_json(folder / OWN_FILE) if (folder / OWN_FILE).exists() else {}
    recognised_by = "its name"
    if member is None:
        member, recognised_by = _recognise_pages(own, config)
    text = config.text
    return Profile(
        name=str(own.get("name") or (member.name if member else name)),
        member=member,
        recognised_by=recognised_by,
        prompts=page_prompts(config),
        prompts_from="the prefixes of its configuration",
        dimensions=_dimensions(own, member, text),
        max_tokens=max_tokens,
        license=str(own.get("license") or (member.license if member else "not stated")),
        commercial_use=own.get("commercial_use", member.commercial_use if member else None),
        random_weights="random_seed" in own,
        normalizes=None,
    )


def page_prompts(config: PageConfig) -> Prompts:
    """The prompts of a page model: its own prefixes, and the space that its code puts behind them."""
    return Prompts(query=f"{config.query_prefix} ", document=f"{config.passage_prefix} ")


def _recognise(own: dict[str, Any], config: LlamaConfig) -> tuple[Member | None, str]:
    """A folder's member: by what we wrote into it, else by its sizes, which are unique."""
    named = find_member(str(own.get("model", "")))
    if named is not None:
        return named, OWN_FILE
    for member in FAMILY:
        # A page model's trunk alone, in a folder of its own, is no page model.
        if (
            member.config is not None
            and member.pages is None
            and _sizes(member.config) == _sizes(config)
        ):
            return member, "its sizes"
    return None, "nothing: its sizes are none of the family's"


def _recognise_pages(own: dict[str, Any], config: PageConfig) -> tuple[Member | None, str]:
    named = find_member(str(own.get("model", "")))
    if named is not None and named.pages is not None:
        return named, OWN_FILE
    for member in FAMILY:
        known = member.pages
        if known is not None and known.tensor_shapes() == config.tensor_shapes():
            return member, "its sizes"
    return None, "nothing: its sizes are none of the family's"


def _sizes(config: LlamaConfig) -> tuple[int, ...]:
    return (
        config.vocab_size,
        config.hidden_size,
        config.intermediate_size,
        config.num_hidden_layers,
        config.num_attention_heads,
        config.num_key_value_heads,
        config.head_dim,
    )


def _prompts(files: SentenceFiles, member: Member | None) -> tuple[Prompts, str]:
    table = member.prompts if member else Prompts(query="", document="")
    if files.query_prompt is None and files.document_prompt is None:
        return table, "the family's table" if member else "nowhere: none are known"
    chosen = replace(
        table,
        query=table.query if files.query_prompt is None else files.query_prompt,
        document=table.document if files.document_prompt is None else files.document_prompt,
    )
    return chosen, "the checkpoint's sentence-transformers files"


def _dimensions(own: dict[str, Any], member: Member | None, config: LlamaConfig) -> tuple[int, ...]:
    offered = own.get("dimensions") or (member.dimensions if member else (config.hidden_size,))
    return tuple(sorted(int(size) for size in offered))


def _max_tokens(files: SentenceFiles, member: Member | None, config: LlamaConfig) -> int:
    limit = files.max_tokens or (member.max_tokens if member else config.max_position_embeddings)
    if files.tokenizer_max_tokens is not None:
        limit = min(limit, files.tokenizer_max_tokens)
    return min(limit, config.max_position_embeddings)
