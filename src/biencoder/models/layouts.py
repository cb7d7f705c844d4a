"""State-dict layouts in use, mapped to the canonical names of `LlamaConfig` and `PageConfig`."""

from __future__ import annotations

import re

from biencoder.errors import CheckpointError

_PREFIXES = ("language_model.", "model.")
_DOUBLED = {
    "vision_model.vision_model.": "vision_model.",
    "language_model.model.": "language_model.",
}
_DROPPED = re.compile(r"^((.*\.)?lm_head\.weight|.*rotary_emb\.inv_freq|.*position_ids)$")
_QUANTISED = re.compile(r"(_scale|_scale_2|qweight|qzeros|scale_inv|_quantizer\._\w+)$")


def canonical_name(name: str) -> str | None:
    """The canonical name of a stored tensor; None for one that is recomputed or not needed.

    Raises CheckpointError for a reranker's head and for quantisation scales.

    >>> canonical_name("language_model.model.layers.3.mlp.up_proj.weight")
    'layers.3.mlp.up_proj.weight'
    """
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return _needed(name)


def canonical_page_name(name: str) -> str | None:
    """As `canonical_name`, for a page model: the flat layout, which transformers writes from 5.6 on.

    The published layout says ``vision_model`` twice; others wrap the language model once more, or
    all of it.

    >>> canonical_page_name("vision_model.vision_model.post_layernorm.bias")
    'vision_model.post_layernorm.bias'
    >>> canonical_page_name("model.language_model.model.norm.weight")
    'language_model.norm.weight'
    """
    name = name.removeprefix("model.")
    for doubled, flat in _DOUBLED.items():
        if name.startswith(doubled):
            name = flat + name.removeprefix(doubled)
    return _needed(name)


def published_page_name(name: str) -> str:
    """A canonical name as the published checkpoint spells it; the way back of `canonical_page_name`."""
    flat = "vision_model."
    return name if not name.startswith(flat) else flat + name


def _needed(name: str) -> str | None:
    if name == "score.weight":
        raise CheckpointError(
            "the checkpoint holds 'score.weight': it is a reranker and has no vectors",
            hint="use the embedding model of the family, for example llama-nemotron-embed-1b-v2",
        )
    if _QUANTISED.search(name):
        raise CheckpointError(
            f"the checkpoint holds {name!r}: it is quantised, and its codes are not weights",
            hint="use the unquantised repository of the same model",
        )
    return None if _DROPPED.match(name) else name
