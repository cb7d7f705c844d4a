"""Prepared pages to unit vectors: tiles through the tower, then all documents as one packed run.

Shapes: I tiles, S pixels along a tile (else: documents), C colours, T packed tokens, V of them from
tiles, D hidden size.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from biencoder.batching.pack import pack
from biencoder.embedder.pages.prepare import PreparedPage
from biencoder.embedder.stream import demand_finite
from biencoder.models.packed import Packed
from biencoder.models.page_model import PageModel
from biencoder.models.pooling import normalize, pool
from biencoder.types import Batch, FloatArray

_NORM_EPS = 1e-12


@dataclass(frozen=True, slots=True)
class Computed:
    """Vectors in the order of the pages, and their additive parts where they were asked for."""

    vectors: FloatArray
    parts: list[FloatArray | None]


@torch.inference_mode()
def compute_pages(
    pages: Sequence[PreparedPage],
    *,
    model: PageModel,
    dimensions: int,
    token_budget: int,
    parts: bool = False,
) -> Computed:
    """Unit vectors of prepared pages, float32, shape (n, dimensions); documents are mixed freely."""
    vectors = np.empty((len(pages), dimensions), dtype=np.float32)
    found: list[FloatArray | None] = [None] * len(pages)
    waiting: list[tuple[Batch, Tensor]] = []
    for batch in pack([page.tokens.ids for page in pages], budget=token_budget):
        chosen = [pages[row] for row in batch.rows_S]
        pooled_SD, hidden_TD = _pooled(batch, chosen, model)
        cut_SD = pooled_SD[:, :dimensions]
        if parts:
            shares = _shares(hidden_TD[:, :dimensions], cut_SD, batch, chosen, model)
            for row, share in zip(batch.rows_S, shares, strict=True):
                found[row] = share.cpu().numpy()
        waiting.append((batch, normalize(cut_SD)))
    for batch, part in waiting:
        vectors[batch.rows_S] = part.cpu().numpy()
    demand_finite(vectors, [page.row for page in pages], "page")
    return Computed(vectors, found)


def _pooled(batch: Batch, pages: Sequence[PreparedPage], model: PageModel) -> tuple[Tensor, Tensor]:
    """The mean of each document, float32, shape (S, D), and all hidden states, shape (T, D)."""
    device = model.language_model.embed_tokens.weight.device
    packed = Packed.from_batch(batch, device)
    pixels = [page.tiles.pixels_ISSC for page in pages if page.tiles is not None]
    if not pixels:
        hidden_TD = model.hidden(packed)
    else:
        rows_VD = model.see(torch.from_numpy(np.concatenate(pixels))).flatten(0, 1)
        places_V = torch.from_numpy(_places(batch, pages, model)).to(device, non_blocking=True)
        hidden_TD = model.hidden(packed, rows_VD, places_V)
    return pool(hidden_TD, packed, model.config.text.pooling), hidden_TD


def _places(
    batch: Batch, pages: Sequence[PreparedPage], model: PageModel
) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Where in the run the tiles' rows go, shape (V,).

    Each document's places are held against its own tiles: a sum over the batch would let one page's
    rows slip into the next.
    """
    config = model.config
    found = []
    for start, stop, page in zip(batch.bounds, batch.bounds[1:], pages, strict=False):
        tokens = page.tokens
        tiles = 0 if page.tiles is None else len(page.tiles.pixels_ISSC)
        places = np.flatnonzero(batch.tokens_T[start:stop] == config.image_context_token_id)
        expected = tokens.image_start + np.arange(tiles * config.tokens_per_tile)
        assert np.array_equal(places, expected), (
            f"page {page.row}: {len(places)} places, {tiles} tiles"
        )
        found.append(start + places)
    return np.concatenate(found)


def _shares(
    hidden_TD: Tensor,
    pooled_SD: Tensor,
    batch: Batch,
    pages: Sequence[PreparedPage],
    model: PageModel,
) -> list[Tensor]:
    """For each document what its tiles and, last, its other tokens add to its unit vector.

    A vector is the mean of its tokens' states over that mean's length, so it is a sum over tokens.
    """
    per_tile = model.config.tokens_per_tile
    shares = []
    for (start, stop), page, mean_D in zip(
        pairwise(batch.bounds.tolist()), pages, pooled_SD.float(), strict=True
    ):
        first, places = start + page.tokens.image_start, page.tokens.image_tokens
        tiles_ID = (
            hidden_TD[first : first + places]
            .unflatten(0, (places // per_tile, per_tile))
            .sum(dim=1, dtype=torch.float32)
        )
        scale = 1 / (mean_D.norm().clamp_min(_NORM_EPS) * (stop - start))
        tiles_ID = tiles_ID * scale
        whole_D = normalize(mean_D)
        # What is left, so that the parts add up to the very vector that is given.
        shares.append(torch.cat((tiles_ID, (whole_D - tiles_ID.sum(dim=0)).unsqueeze(0))))
    return shares
