"""The page model: tiles become tokens, and one bidirectional Llama reads them among the words.

Shapes: I tiles, S pixels along a tile (in ``embed``: documents), C colours, T packed tokens, V of them
from tiles, D hidden size.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from biencoder.config.page_model import PageConfig
from biencoder.models.llama import LlamaEncoder
from biencoder.models.packed import Packed
from biencoder.models.pooling import pool
from biencoder.models.projector import make_projector, shuffle_pixels
from biencoder.models.siglip import SiglipTower, normalise_pixels

# Tiles that pass the tower together: one fills a CPU, a GPU wants more to do. Each of them takes some
# 25 MB while it passes a layer of the published size in bfloat16.
CPU_TILES = 1
GPU_TILES = 32


class PageModel(nn.Module):
    """Tower, projector and language model under the names of the published checkpoint."""

    def __init__(self, config: PageConfig) -> None:
        super().__init__()
        self.config = config
        self.language_model = LlamaEncoder(config.text)
        self.vision_model = SiglipTower(config.vision)
        self.mlp1 = make_projector(config)

    def see(self, pixels_ISSC: Tensor) -> Tensor:
        """Tiles (uint8, RGB) as rows for the language model, shape (I, tokens_per_tile, D).

        Some tiles at a time, so that memory is bounded; moved to the model's device here.
        """
        at_once = CPU_TILES if self._weight.device.type == "cpu" else GPU_TILES
        parts = [self._see_some(tiles) for tiles in pixels_ISSC.split(at_once)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def hidden(
        self, packed: Packed, rows_VD: Tensor | None = None, places_V: Tensor | None = None
    ) -> Tensor:
        """Hidden states after the final norm, shape (T, D).

        rows_VD: what `see` gave, flattened. places_V: int64, the tokens of the run that they replace,
        on the same device.
        """
        x_TD = self.language_model.look_up(packed)
        if rows_VD is not None or places_V is not None:
            assert rows_VD is not None, "places without rows"
            assert places_V is not None, "rows without places"
            assert len(rows_VD) == len(places_V), f"{len(rows_VD)} rows, {len(places_V)} places"
            x_TD = x_TD.index_copy_(0, places_V, rows_VD.to(x_TD.dtype))
        return self.language_model.read(x_TD, packed)

    def embed(
        self, packed: Packed, rows_VD: Tensor | None = None, places_V: Tensor | None = None
    ) -> Tensor:
        """One vector per document, the mean over all its tokens, float32, not normalised."""
        return pool(self.hidden(packed, rows_VD, places_V), packed, self.config.text.pooling)

    @property
    def _weight(self) -> Tensor:
        return self.vision_model.post_layernorm.weight

    def _see_some(self, pixels_ISSC: Tensor) -> Tensor:
        weight = self._weight
        pixels = pixels_ISSC.to(weight.device, non_blocking=True)
        states_IGW = self.vision_model(normalise_pixels(pixels, weight.dtype))
        out: Tensor = self.mlp1(shuffle_pixels(states_IGW, self.config.shuffle))
        return out
