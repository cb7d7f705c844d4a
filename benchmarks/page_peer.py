"""The peer of `pages.py`: the same weights in a composition of stock transformers parts.

transformers has no class for the page model, so this is what a user would write after the published
description: the tower over all tiles of a batch, the projector, the rows set into the embeddings of a
padded batch, the language model, a mean without the padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from biencoder.config.dialects import read_json
from biencoder.diagnosis.pages.parity import rows_of_tiles, stock_tower
from biencoder.diagnosis.parity import stock_trunk
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.pages.prepare import PreparedPage
from biencoder.types import FloatArray


class Composition:
    """Stock parts around an embedder's tensors."""

    def __init__(self, embedder: Embedder) -> None:
        assert embedder.pages is not None
        raw = read_json(embedder.source.folder / "config.json")
        self.model = embedder.pages.model
        self.config = embedder.pages.config
        self.tower: Any = stock_tower(self.model.vision_model, raw["vision_config"])
        self.trunk: Any = stock_trunk(self.model.language_model, raw["llm_config"])
        for part in (self.tower, self.trunk):
            if isinstance(part, str):
                raise SystemExit(f"transformers reads another model: {part}")

    @torch.inference_mode()
    def encode(self, pages: Sequence[PreparedPage], batch_size: int) -> FloatArray:
        """Unit vectors in order. Sorted by length first, as sentence-transformers does."""
        order = np.argsort([-len(page.tokens.ids) for page in pages], kind="stable")
        vectors = np.empty((len(pages), self.config.text.hidden_size), dtype=np.float32)
        for start in range(0, len(order), batch_size):
            rows = order[start : start + batch_size]
            vectors[rows] = self._batch([pages[row] for row in rows]).cpu().numpy()
        return vectors

    def _batch(self, pages: list[PreparedPage]) -> Tensor:
        device = self.trunk.embed_tokens.weight.device
        lengths = [len(page.tokens.ids) for page in pages]
        ids = torch.zeros((len(pages), max(lengths)), dtype=torch.int64)
        mask = torch.zeros_like(ids)
        for row, page in enumerate(pages):
            ids[row, : lengths[row]] = torch.from_numpy(page.tokens.ids)
            mask[row, : lengths[row]] = 1
        ids, mask = ids.to(device), mask.to(device)
        embedded = self.trunk.embed_tokens(ids)
        pixels = [page.tiles.pixels_ISSC for page in pages if page.tiles is not None]
        if pixels:
            whole = torch.from_numpy(np.concatenate(pixels))
            seen = rows_of_tiles(self.tower, self.model, whole, self.config.downsample_ratio)
            embedded[ids == self.config.image_context_token_id] = seen.flatten(0, 1)
        # Without padding it is spared the mask, and may take its fastest attention.
        padded = min(lengths) < max(lengths)
        states = self.trunk(
            inputs_embeds=embedded, attention_mask=mask if padded else None, use_cache=False
        ).last_hidden_state
        weights = mask[..., None].float()
        return F.normalize((states.float() * weights).sum(dim=1) / weights.sum(dim=1), dim=-1)
