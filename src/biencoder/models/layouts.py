"""State-dict layouts in use, mapped to the canonical tensor names of `LlamaConfig.tensor_shapes`."""

from __future__ import annotations

import re

from biencoder.errors import CheckpointError

_PREFIXES = ("language_model.", "model.")
_DROPPED = re.compile(r"^(lm_head\.weight|.*rotary_emb\.inv_freq|.*position_ids)$")
_QUANTISED = re.compile(r"(weight_scale|input_scale|_scale|_scale_2|qweight|qzeros|scale_inv)$")


def canonical_name(name: str) -> str | None:
    """The canonical name of a stored tensor; None for one that is recomputed or not needed.

    Raises CheckpointError for a reranker's head and for quantisation scales.

    >>> canonical_name("language_model.model.layers.3.mlp.up_proj.weight")
    'layers.3.mlp.up_proj.weight'
    """
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
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
