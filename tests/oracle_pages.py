"""The reference for the page model: stock parts of transformers, put together by hand.

The tower is `SiglipVisionModel`, the trunk `LlamaModel` with ``config.is_causal = False``. What stands
between them (pixels, shuffle, projector, insertion, mean) is written out plainly, one document at a time.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import SiglipVisionConfig, SiglipVisionModel

from biencoder.config.page_model import PageConfig, VisionConfig
from biencoder.types import IntArray
from tests import oracle


class Composition:
    """One page model made of other people's parts, over our canonical tensors."""

    def __init__(
        self,
        config: PageConfig,
        tensors: dict[str, Tensor],
        *,
        dtype: torch.dtype = torch.float32,
        attention: str = "eager",
    ) -> None:
        self.config, self.dtype = config, dtype
        self.tower = stock_tower(
            config.vision, _part(tensors, "vision_model."), dtype=dtype, attention=attention
        )
        text = _part(tensors, "language_model.")
        self.trunk = oracle.stock_model(config.text, text, dtype=dtype, attention=attention)
        self.mlp1 = {name: x.to(dtype) for name, x in _part(tensors, "mlp1.").items()}

    def see(self, tiles: Tensor) -> Tensor:
        """Rows of the tiles (uint8, shape (I, S, S, 3)), each tile alone, shape (I, tokens, D)."""
        return torch.stack([self._see_one(tile) for tile in tiles])

    def states(self, ids: IntArray, tiles: Tensor | None = None) -> Tensor:
        """Final states of one document."""
        tokens = torch.from_numpy(ids)
        rows = self.trunk.embed_tokens(tokens)
        if tiles is not None:
            seen = self.see(tiles).flatten(0, 1)
            places = [at for at, i in enumerate(ids) if i == self.config.image_context_token_id]
            assert len(places) == len(seen)
            for place, row in zip(places, seen, strict=True):
                rows[place] = row
        states: Tensor = self.trunk(inputs_embeds=rows[None]).last_hidden_state[0]
        return states

    def vectors(self, documents: Sequence[tuple[IntArray, Tensor | None]]) -> Tensor:
        """Means over all tokens, float32, not normalised."""
        return torch.stack([self.states(*each).float().mean(dim=0) for each in documents])

    def _see_one(self, tile: Tensor) -> Tensor:
        states = self.tower(pixel_values=pixels(tile).to(self.dtype)[None]).last_hidden_state[0]
        return project(shuffle(states), self.mlp1)


def stock_tower(
    vision: VisionConfig,
    tensors: dict[str, Tensor],
    *,
    dtype: torch.dtype = torch.float32,
    attention: str = "eager",
) -> Any:
    """transformers' tower over our tensors, without the pooling head."""
    stock = SiglipVisionConfig(
        hidden_size=vision.hidden_size,
        intermediate_size=vision.intermediate_size,
        num_hidden_layers=vision.num_hidden_layers,
        num_attention_heads=vision.num_attention_heads,
        image_size=vision.image_size,
        patch_size=vision.patch_size,
        layer_norm_eps=vision.layer_norm_eps,
        vision_use_head=False,
    )
    stock._attn_implementation = attention
    tower = SiglipVisionModel(stock)
    tower.load_state_dict(tensors)
    return tower.to(dtype).requires_grad_(False).eval()


def pixels(tile: Tensor) -> Tensor:
    """Colours from -1 to 1, channels first, with the accuracy of bfloat16, in float32."""
    scaled = torch.tensor([(colour - 127.5) / 127.5 for colour in range(256)])
    return scaled.to(torch.bfloat16).float()[tile.long()].permute(2, 0, 1)


def shuffle(states: Tensor) -> Tensor:
    """Each token is patches (2r, 2c), (2r, 2c + 1), (2r + 1, 2c), (2r + 1, 2c + 1), tokens by rows."""
    side = math.isqrt(len(states))
    tokens = [
        torch.cat([states[(2 * r + y) * side + 2 * c + x] for y in (0, 1) for x in (0, 1)])
        for r in range(side // 2)
        for c in range(side // 2)
    ]
    return torch.stack(tokens)


def project(x: Tensor, mlp1: dict[str, Tensor]) -> Tensor:
    """LayerNorm with eps 1e-5, a product, GELU with the error function, a product."""
    wide = x.float()
    wide = wide - wide.mean(dim=-1, keepdim=True)
    wide = wide / (wide.square().mean(dim=-1, keepdim=True) + 1e-5).sqrt()
    x = (wide * mlp1["0.weight"].float() + mlp1["0.bias"].float()).to(x.dtype)
    x = x @ mlp1["1.weight"].T + mlp1["1.bias"]
    x = (x.float() * 0.5 * (1 + torch.erf(x.float() / math.sqrt(2)))).to(x.dtype)
    return x @ mlp1["3.weight"].T + mlp1["3.bias"]


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {n.removeprefix(prefix): x for n, x in tensors.items() if n.startswith(prefix)}
