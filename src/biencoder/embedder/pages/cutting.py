"""A page's pixels as the model takes them: tiles of 8-bit RGB, cut from the page resized.

Resizing is bicubic with antialiasing on 8-bit values. Of the reference's two ways to do that, torch's
and Pillow's, this is torch's: five times as fast, and one value in 500 is another, by at most 2 levels.
In float, where nothing is clipped between the two passes, values would differ by up to 28.

Shapes: I tiles, S side of a tile, H height and W width of a page, C = 3 colours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from biencoder.errors import ImageError
from biencoder.pages.tiles import TILE_SIZE, Grid, choose_grid

if TYPE_CHECKING:
    from PIL.Image import Image

PixelArray: TypeAlias = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Tiles:
    """A page cut for the model: the grid's tiles row by row, the whole page last where it follows.

    pixels_ISSC: uint8, shape (tiles, side, side, 3). thumbnail: whether the last is the whole page.
    """

    pixels_ISSC: PixelArray
    grid: Grid
    thumbnail: bool


def cut_tiles(
    image: Image, *, max_tiles: int, thumbnail: bool, tile_size: int = TILE_SIZE
) -> Tiles:
    """Resize the whole page to its grid, shape not kept and nothing padded, and cut it.

    image: mode RGB, as ``open_picture`` gives it. The thumbnail is made from the page itself, not
    from the resized one.
    """
    if image.mode != "RGB":
        raise ImageError(
            f"a page of mode {image.mode} cannot be cut", hint="use open_picture first"
        )
    grid = choose_grid(image.width, image.height, max_tiles=max_tiles, tile_size=tile_size)
    with_thumbnail = grid.has_thumbnail(thumbnail=thumbnail)
    pixels_ISSC = np.empty((grid.count(thumbnail=thumbnail), tile_size, tile_size, 3), np.uint8)
    page_HWC = torch.from_numpy(np.array(image))
    whole = _resized(page_HWC, grid.columns * tile_size, grid.rows * tile_size)
    in_grid = whole.reshape(grid.rows, tile_size, grid.columns, tile_size, 3)
    pixels_ISSC[: grid.tiles].reshape(grid.rows, grid.columns, tile_size, tile_size, 3)[...] = (
        in_grid.transpose(0, 2, 1, 3, 4)
    )
    if with_thumbnail:
        pixels_ISSC[-1] = _resized(page_HWC, tile_size, tile_size)
    return Tiles(pixels_ISSC, grid, with_thumbnail)


def _resized(page_HWC: Tensor, width: int, height: int) -> PixelArray:
    resized_1CHW = torch.nn.functional.interpolate(
        page_HWC.permute(2, 0, 1).unsqueeze(0), size=(height, width), mode="bicubic", antialias=True
    )
    pixels: PixelArray = resized_1CHW[0].permute(1, 2, 0).numpy()
    return pixels
