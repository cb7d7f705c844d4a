"""From patches to tokens: neighbours side by side, then two products into the language model's size.

Shapes: I tiles, G patches of a tile, W width of the tower, D hidden size of the language model.
"""

from __future__ import annotations

from torch import Tensor, nn

from biencoder.config.page_model import PageConfig

# torch's default, and not the tower's 1e-6.
_EPS = 1e-5


def shuffle_pixels(x_IGW: Tensor, factor: int) -> Tensor:
    """Each square of ``factor`` by ``factor`` patches as one row, shape (I, G / factor², W · factor²).

    Rows go row by row over the tile, and patches row by row within their square (version 2 of the
    rule; version 1 leaves the squares transposed).
    """
    side = round(x_IGW.shape[1] ** 0.5)
    squares = x_IGW.unflatten(1, (side // factor, factor, side // factor, factor))
    # I, row, y, column, x, W -> I, row, column, y, x, W
    rows: Tensor = squares.transpose(2, 3).flatten(3).flatten(1, 2)
    return rows


def make_projector(config: PageConfig) -> nn.Sequential:
    """``mlp1`` of the checkpoint; its GELU is the exact one."""
    hidden = config.text.hidden_size
    return nn.Sequential(
        nn.LayerNorm(config.shuffled_size, eps=_EPS),
        nn.Linear(config.shuffled_size, hidden),
        nn.GELU(),
        nn.Linear(hidden, hidden),
    )
