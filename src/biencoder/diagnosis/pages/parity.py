"""A page's states beside those of a composition of stock transformers parts, on the same weights.

transformers has the tower and the language model, each reading its part of config.json by itself; what
stands between them is written out here from the published description. Weights are shared.

Shapes: I tiles, G patches of a tile, W width of the tower, T tokens, D hidden size.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from biencoder.diagnosis.findings import Finding
from biencoder.diagnosis.pages.probes import picture, prepared
from biencoder.diagnosis.parity import LEAST_COSINE, plain, stock_trunk, usable_version
from biencoder.diagnosis.probes import OURS, cosine, rows_of_equal_length
from biencoder.embedder.pages.page import Page
from biencoder.embedder.pages.side import PageSide
from biencoder.models.page_model import PageModel
from biencoder.models.siglip import SiglipTower

NAME = "page, transformers"


def page_parity(side: PageSide, raw: Mapping[str, Any], dtype: torch.dtype) -> Finding:
    """The cosine between our mean state and the composition's, for an image of two tiles with a text.

    ``raw`` is config.json as it stands on the disk.
    """
    installed = usable_version(NAME)
    if isinstance(installed, Finding):
        return installed
    tower = stock_tower(side.model.vision_model, raw["vision_config"])
    trunk = stock_trunk(side.model.language_model, raw["llm_config"])
    for part in (tower, trunk):
        if isinstance(part, str):
            return Finding(NAME, "failed", "reads another model from config.json", part)
    return _compare(side, tower, trunk, installed, dtype)


@torch.inference_mode()
def _compare(side: PageSide, tower: Any, trunk: Any, installed: str, dtype: torch.dtype) -> Finding:
    model = side.model
    page = prepared(side, Page(picture(side, 2, (2, 1)), OURS), max_tiles=2)
    assert page.tiles is not None
    pixels_ISSC = torch.from_numpy(page.tiles.pixels_ISSC)
    device = model.language_model.embed_tokens.weight.device
    packed = rows_of_equal_length([page.tokens.ids], device)
    places = (packed.tokens_T == side.config.image_context_token_id).nonzero().flatten()
    ours_VD = model.see(pixels_ISSC).flatten(0, 1)
    ours_TD = plain(model.hidden(packed, ours_VD, places))
    theirs_VD = rows_of_tiles(tower, model, pixels_ISSC, side.config.downsample_ratio).flatten(0, 1)
    embedded = trunk.embed_tokens(packed.tokens_T)
    embedded[packed.tokens_T == side.config.image_context_token_id] = theirs_VD
    theirs_TD = plain(trunk(inputs_embeds=embedded[None]).last_hidden_state[0])
    pooled = cosine(ours_TD.mean(axis=0), theirs_TD.mean(axis=0))
    row = min(cosine(mine, its) for mine, its in zip(plain(ours_VD), plain(theirs_VD), strict=True))
    least = LEAST_COSINE[dtype]
    return Finding(
        NAME,
        "ok" if pooled >= least else "failed",
        f"mean state has cosine {pooled:.7f} with a composition of {installed}'s parts",
        f"at least {least} asked for; worst single row of the image {row:.6f}",
        {"cosine": pooled, "worst_row": row, "version": installed},
    )


def stock_tower(tower: SiglipTower, raw: Mapping[str, Any]) -> Any:
    """Stock SigLIP around our tensors; a message where the tensors do not fit its reading."""
    from transformers import SiglipVisionConfig, SiglipVisionModel

    foreign = ("model_type", "architectures", "auto_map", "torch_dtype", "dtype")
    config = SiglipVisionConfig(**{key: value for key, value in raw.items() if key not in foreign})
    config.vision_use_head = False
    config._attn_implementation = "sdpa"
    with torch.device("meta"):
        model = SiglipVisionModel(config)
    # Up to 5.5 there is one more model around the tower.
    inner = getattr(model, "vision_model", model)
    try:
        inner.load_state_dict(tower.state_dict(), assign=True)
    except RuntimeError as error:
        return str(error)
    # Its only buffer is still on the meta device, where it has no values.
    embeddings = inner.embeddings
    places = torch.arange(embeddings.num_positions, device=tower.post_layernorm.weight.device)
    embeddings.position_ids = places.expand((1, -1))
    return model.eval()


def rows_of_tiles(tower: Any, model: PageModel, pixels_ISSC: Tensor, ratio: float) -> Tensor:
    """Rows of the tiles, shape (I, tokens, D), by the reference's own steps: all tiles at once."""
    projector = dict(model.mlp1.named_parameters())
    weight = projector["1.weight"]
    scaled = (pixels_ISSC.to(weight.device).permute(0, 3, 1, 2).float() / 255 - 0.5) / 0.5
    states = tower(pixel_values=scaled.to(torch.bfloat16).to(weight.dtype)).last_hidden_state
    side = round(states.shape[1] ** 0.5)
    x = _shuffled(states.unflatten(1, (side, side)), ratio).flatten(1, 2)
    x = F.layer_norm(x, x.shape[-1:], projector["0.weight"], projector["0.bias"])
    x = F.gelu(F.linear(x, weight, projector["1.bias"]))
    return F.linear(x, projector["3.weight"], projector["3.bias"])


def _shuffled(x: Tensor, ratio: float) -> Tensor:
    """The published two steps, one axis after the other; ours takes both in one."""
    tiles, rows, columns, width = x.shape
    x = x.reshape(tiles, rows, int(columns * ratio), int(width / ratio)).permute(0, 2, 1, 3)
    narrow = int(rows * ratio), int(width / ratio**2)
    x = x.reshape(tiles, int(columns * ratio), *narrow)
    return x.permute(0, 2, 1, 3)
