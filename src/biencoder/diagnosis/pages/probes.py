"""Does a loaded page model behave? Small runs whose outcome is known beforehand.

Shapes: I tiles, S pixels along a tile, C colours, G patches of a tile, W width of the tower.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from biencoder.config.page_model import PageLimits
from biencoder.diagnosis.findings import Finding
from biencoder.diagnosis.probes import COMPANY, LEAST_MOVE, OURS, cosine
from biencoder.embedder.pages.compute import compute_pages
from biencoder.embedder.pages.page import Page, PageFailure
from biencoder.embedder.pages.prepare import PreparedPage, prepare_page
from biencoder.embedder.pages.side import PageSide
from biencoder.models.page_model import PageModel
from biencoder.models.siglip import normalise_pixels
from biencoder.text.page_tokens import IMAGE_TOKENS
from biencoder.types import FloatArray

# What one product may differ from another whose neighbours have changed: nothing but rounding.
_MOST_MOVE = 1e-6
_NO_LIMIT = 1 << 20


def image_tokens(side: PageSide) -> Finding:
    """A text that spells an image token must stay text, and an image has its tokens and no more."""
    context = side.config.image_context_token_id
    text = f"{' '.join(IMAGE_TOKENS)} {IMAGE_TOKENS[0]}{IMAGE_TOKENS[1] * 3}{IMAGE_TOKENS[2]}"
    read = side.tokenizer.text.pieces(text).tolist()
    whole = side.tokenizer.image_text(2, text, limit=_NO_LIMIT, truncate="NONE")
    places = int((whole.ids == context).sum())
    expected = 2 * side.config.tokens_per_tile
    fine = context not in read and places == whole.image_tokens == expected
    return Finding(
        "image tokens",
        "ok" if fine else "failed",
        f"two tiles have {places} places",
        f"{expected} expected; a text that spells them out adds {read.count(context)}",
        {"places": places, "expected": expected, "from_text": read.count(context)},
    )


@torch.inference_mode()
def tiles_apart(side: PageSide) -> Finding:
    """Change the lower half of a tile: its upper half must move, and its neighbour must not.

    One layer suffices: all of them call the same attention.
    """
    model = side.model
    pixels_ISSC = noise(side, 2)
    changed = pixels_ISSC.clone()
    half = side.config.tile_size // 2
    changed[1, half:] = 255 - changed[1, half:]
    before, after = (_first_layer(model, pixels).double() for pixels in (pixels_ISSC, changed))
    neighbour = _moved(before[0], after[0])
    own = _moved(before[1, :1], after[1, :1])
    apart, whole = neighbour <= _MOST_MOVE, own > LEAST_MOVE
    reason = "tiles do not see each other, patches of one tile do"
    if not apart:
        reason = "a tile sees its neighbours in the batch"
    elif not whole:
        reason = "the patches of a tile do not see each other"
    return Finding(
        "tiles alone",
        "ok" if apart and whole else "failed",
        f"the neighbour moves by {neighbour:.1e}, the first patch by {own:.1e}",
        f"changing the lower half of one tile; {reason}",
        {"neighbour": neighbour, "own": own},
    )


def company(side: PageSide, dtype: torch.dtype, token_budget: int) -> Finding:
    """A page's vector must be the same alone and in one batch with another page and a text."""
    ours, stranger = (picture(side, seed) for seed in (0, 1))
    page, words = Page(ours, OURS), Page(None, OURS)
    alone = _vectors(side, [page], token_budget)[0]
    together = _vectors(side, [Page(stranger, OURS), words, page], 1 << 30)
    distance = 1.0 - cosine(alone, together[2])
    apart = 1.0 - cosine(together[0], together[2])
    allowed = COMPANY[dtype]
    fine = distance <= allowed
    reason = "rounding only" if fine else "pages of one batch get each other's rows"
    return Finding(
        "page in company",
        "ok" if fine else "failed",
        f"1 - cosine is {distance:.1e}",
        f"{reason} (allowed: {allowed:.0e}); another image beside the same text is {apart:.1e} away",
        {"distance": distance, "allowed": allowed, "other_image": apart},
    )


def picture(side: PageSide, seed: int, tiles: tuple[int, int] = (1, 1)) -> Image.Image:
    """Noise in coarse blocks, as large as ``tiles`` (columns, rows), drawn by a seed."""
    size = side.config.tile_size
    blocks = np.random.default_rng(seed).integers(
        0, 256, (8 * tiles[1], 8 * tiles[0], 3), dtype=np.uint8
    )
    return Image.fromarray(blocks).resize(
        (tiles[0] * size, tiles[1] * size), Image.Resampling.NEAREST
    )


def prepared(side: PageSide, page: Page, *, max_tiles: int = 1) -> PreparedPage:
    """A page as the model takes it, cut into at most ``max_tiles`` tiles without thumbnail."""
    config = replace(side.config, max_tiles=max_tiles, thumbnail=False)
    unlimited = PageLimits(image=_NO_LIMIT, image_text=_NO_LIMIT, text=_NO_LIMIT)
    ready = prepare_page(0, page, replace(side, config=config, limits=unlimited), "NONE")
    if isinstance(ready, PageFailure):
        raise ready.error
    return ready


def noise(side: PageSide, tiles: int) -> Tensor:
    """Tiles of random colours, uint8, shape (I, S, S, C)."""
    size = side.config.tile_size
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (tiles, size, size, 3), dtype=torch.uint8, generator=generator)


def _vectors(side: PageSide, pages: list[Page], token_budget: int) -> FloatArray:
    ready = [prepared(side, page) for page in pages]
    return compute_pages(
        ready,
        model=side.model,
        dimensions=side.config.text.hidden_size,
        token_budget=token_budget,
    ).vectors


def _first_layer(model: PageModel, pixels_ISSC: Tensor) -> Tensor:
    """States after the first layer of the tower, all tiles in one batch, shape (I, G, W)."""
    tower = model.vision_model
    weight = tower.post_layernorm.weight
    pixels = normalise_pixels(pixels_ISSC.to(weight.device), weight.dtype)
    states: Tensor = tower.encoder.layers[0](tower.embeddings(pixels))
    return states


def _moved(before: Tensor, after: Tensor) -> float:
    return float(((before - after).norm() / before.norm()).item())
