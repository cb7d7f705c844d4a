"""A page's pixels as the model takes them: tiles of 8-bit RGB, cut and resized by Pillow.

Resizing is bicubic with antialiasing on 8-bit values, as in the reference: in float, where nothing
is clipped between the two passes, values would differ by up to 28 levels.

Shapes: I tiles, S side of a tile, C = 3 colours.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

from biencoder.errors import ImageError, InputError
from biencoder.pages.tiles import TILE_SIZE, Grid, choose_grid

if TYPE_CHECKING:
    from PIL.Image import Image

PixelArray: TypeAlias = npt.NDArray[np.uint8]

SMALL_SIDE = 512
_WEBP_QUALITY = 80


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
    whole = _resized(image, grid.columns * tile_size, grid.rows * tile_size)
    in_grid = whole.reshape(grid.rows, tile_size, grid.columns, tile_size, 3)
    pixels_ISSC[: grid.tiles].reshape(grid.rows, grid.columns, tile_size, tile_size, 3)[...] = (
        in_grid.transpose(0, 2, 1, 3, 4)
    )
    if with_thumbnail:
        pixels_ISSC[-1] = _resized(image, tile_size, tile_size)
    return Tiles(pixels_ISSC, grid, with_thumbnail)


def small_picture(image: Image, *, longest: int = SMALL_SIDE) -> bytes:
    """The whole page for people's eyes as a WebP file, its longer side at most ``longest`` pixels.

    A page that is smaller is not enlarged.
    """
    from PIL.Image import Resampling

    if longest < 1:
        raise InputError(f"longest={longest}: a picture has at least 1 pixel a side")
    scale = min(1.0, longest / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    file = io.BytesIO()
    # The quickest filter of this sharpness, and WebP's quicker method: half the time, like looks.
    image.resize(size, Resampling.HAMMING).save(file, "WEBP", quality=_WEBP_QUALITY, method=2)
    return file.getvalue()


def _resized(image: Image, width: int, height: int) -> PixelArray:
    from PIL.Image import Resampling

    return np.asarray(image.resize((width, height), Resampling.BICUBIC))
