"""The reference: stock `transformers.LlamaModel` with ``config.is_causal = False``.

The forward pass is transformers' own; pooling and length are written out here by hand.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LlamaConfig as StockConfig
from transformers import LlamaModel

from biencoder.config.model import LlamaConfig
from biencoder.types import IntArray


def stock_config(config: LlamaConfig) -> Any:
    """The sizes as transformers spells them."""
    scaling = config.rope_scaling
    assert scaling is not None
    stock = StockConfig(
        vocab_size=config.vocab_size,
        hidden_size=config.hidden_size,
        intermediate_size=config.intermediate_size,
        num_hidden_layers=config.num_hidden_layers,
        num_attention_heads=config.num_attention_heads,
        num_key_value_heads=config.num_key_value_heads,
        head_dim=config.head_dim,
        rms_norm_eps=config.rms_norm_eps,
        max_position_embeddings=config.max_position_embeddings,
        rope_parameters={
            "rope_type": "llama3",
            "rope_theta": config.rope_theta,
            "factor": scaling.factor,
            "low_freq_factor": scaling.low_freq_factor,
            "high_freq_factor": scaling.high_freq_factor,
            "original_max_position_embeddings": scaling.original_max_position_embeddings,
        },
        pad_token_id=None,
        use_cache=False,
    )
    stock.is_causal = False
    return stock


def stock_model(
    config: LlamaConfig,
    tensors: dict[str, Tensor],
    *,
    dtype: torch.dtype = torch.float32,
    attention: str = "eager",
) -> Any:
    """Stock Llama over these weights. Only weights are cast: a cast of the module would round its
    rotary frequencies too, which ``from_pretrained(dtype=...)`` does not do."""
    stock = stock_config(config)
    stock._attn_implementation = attention
    model = LlamaModel(stock)
    model.load_state_dict(tensors)
    for parameter in model.parameters():
        parameter.data = parameter.data.to(dtype)
    return model.requires_grad_(False).eval()


def hidden_states(model: Any, ids: IntArray) -> Tensor:
    """Final states of one text alone, shape (tokens, hidden)."""
    states: Tensor = model(input_ids=torch.from_numpy(ids)[None]).last_hidden_state[0]
    return states


def padded_vectors(model: Any, ids: Sequence[IntArray], *, side: str = "right") -> Tensor:
    """Unit vectors of a padded, masked batch: mean over real tokens, in float32."""
    longest = max(map(len, ids))
    tokens = torch.full((len(ids), longest), 7)
    mask = torch.zeros((len(ids), longest), dtype=torch.int64)
    for row, text in enumerate(ids):
        place = slice(0, len(text)) if side == "right" else slice(longest - len(text), longest)
        tokens[row, place] = torch.from_numpy(text)
        mask[row, place] = 1
    states = model(input_ids=tokens, attention_mask=mask).last_hidden_state.float()
    weights = mask[:, :, None].float()
    return _unit((states * weights).sum(dim=1) / weights.sum(dim=1))


def vectors(model: Any, ids: Sequence[IntArray]) -> Tensor:
    """Unit vectors of texts that each ran alone, without padding."""
    return _unit(torch.stack([hidden_states(model, text).float().mean(dim=0) for text in ids]))


def cosines(left: Tensor, right: Tensor) -> Tensor:
    """Cosine row by row, in float64, so that the gate is not a rounding error itself."""
    a, b = left.double(), right.double()
    return (_unit(a) * _unit(b)).sum(dim=1)


def _unit(vectors: Tensor) -> Tensor:
    unit: Tensor = vectors / vectors.square().sum(dim=1, keepdim=True).sqrt()
    return unit
