"""Tiles: each holds its part of the page, the whole page comes last, values are the references'."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image, ImageDraw

from biencoder.embedder.pages.cutting import cut_tiles
from biencoder.errors import ImageError
from biencoder.pages.tiles import Grid

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def _in_parts(width: int, height: int, colours: list[list[tuple[int, int, int]]]) -> Image.Image:
    """A page whose parts, row by row, have one colour each."""
    image = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(image)
    rows, columns = len(colours), len(colours[0])
    for row, line in enumerate(colours):
        for column, colour in enumerate(line):
            left, top = column * width // columns, row * height // rows
            draw.rectangle((left, top, left + width // columns, top + height // rows), colour)
    return image


def _text_page(width: int, height: int) -> Image.Image:
    """Black lines of text and a grey ramp, as pages have them."""
    ramp = Image.linear_gradient("L").resize((width, height))
    image = Image.merge("RGB", (ramp, Image.new("L", ramp.size, 255), ramp.rotate(180)))
    draw = ImageDraw.Draw(image)
    for line in range(0, height, 40):
        draw.text((line % 50, line), "The quick brown fox jumps over the lazy dog. " * 4, "black")
    return image


def test_tiles_go_row_by_row_from_the_left() -> None:
    page = _in_parts(1024, 1024, [[RED, GREEN], [BLUE, WHITE]])
    tiles = cut_tiles(page, max_tiles=6, thumbnail=False)
    assert tiles.grid == Grid(2, 2)
    means = tiles.pixels_ISSC.mean(axis=(1, 2)).round().astype(int).tolist()
    assert means == [[*RED], [*GREEN], [*BLUE], [*WHITE]]


def test_a_wide_page_is_cut_into_columns() -> None:
    page = _in_parts(1280, 680, [[RED, BLUE]])
    tiles = cut_tiles(page, max_tiles=6, thumbnail=True)
    assert (tiles.grid, tiles.thumbnail) == (Grid(2, 1), True)
    centres = tiles.pixels_ISSC[:, 256, [100, 400]].tolist()
    assert centres == [[[*RED]] * 2, [[*BLUE]] * 2, [[*RED], [*BLUE]]]


def _resized(page: Image.Image, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    """Width and height as torchvision resizes 8-bit images: the newer of the reference's ways."""
    pixels_1CHW = torch.from_numpy(np.array(page)).permute(2, 0, 1)[None].contiguous()
    resized = torch.nn.functional.interpolate(
        pixels_1CHW, size=size[::-1], mode="bicubic", antialias=True
    )
    pixels: npt.NDArray[np.uint8] = resized[0].permute(1, 2, 0).contiguous().numpy()
    return pixels


def test_the_thumbnail_is_the_page_itself_resized_and_comes_last() -> None:
    page = _text_page(612, 792)
    tiles = cut_tiles(page, max_tiles=6, thumbnail=True)
    assert tiles.pixels_ISSC.shape == (7, 512, 512, 3)
    np.testing.assert_array_equal(tiles.pixels_ISSC[-1], _resized(page, (512, 512)))


def test_one_tile_has_no_thumbnail() -> None:
    tiles = cut_tiles(_text_page(300, 300), max_tiles=6, thumbnail=True)
    assert (tiles.pixels_ISSC.shape, tiles.thumbnail) == ((1, 512, 512, 3), False)


def test_tiles_are_parts_of_the_whole_page_resized() -> None:
    page = _text_page(1275, 1650)
    tiles = cut_tiles(page, max_tiles=6, thumbnail=True)
    whole = _resized(page, (1024, 1536))
    for tile, (left, top, right, bottom) in zip(
        tiles.pixels_ISSC, tiles.grid.boxes(), strict=False
    ):
        rows = slice(round(top * 1536), round(bottom * 1536))
        columns = slice(round(left * 1024), round(right * 1024))
        np.testing.assert_array_equal(tile, whole[rows, columns])


def test_a_page_of_the_grid_s_own_size_keeps_every_pixel() -> None:
    page = _text_page(128, 192)
    tiles = cut_tiles(page, max_tiles=6, thumbnail=False, tile_size=64)
    pixels = np.asarray(page)
    assert tiles.grid == Grid(2, 3)
    for number, tile in enumerate(tiles.pixels_ISSC):
        row, column = divmod(number, 2)
        part = pixels[row * 64 : row * 64 + 64, column * 64 : column * 64 + 64]
        np.testing.assert_array_equal(tile, part)


@pytest.mark.parametrize("size", [(1275, 1650), (300, 200)], ids=["smaller", "enlarged"])
def test_values_are_within_two_levels_of_pillow(size: tuple[int, int]) -> None:
    page = _text_page(*size)
    ours = cut_tiles(page, max_tiles=1, thumbnail=False).pixels_ISSC[0]
    theirs = np.asarray(page.resize((512, 512), Image.Resampling.BICUBIC))
    differences = np.abs(ours.astype(int) - theirs.astype(int))
    assert differences.max() <= 2
    assert (differences > 0).mean() < 0.01


def test_a_strip_is_cut_along_its_length() -> None:
    assert cut_tiles(Image.new("RGB", (20_000, 50)), max_tiles=6, thumbnail=True).grid == Grid(6, 1)


def test_a_single_pixel_fills_a_tile() -> None:
    tiles = cut_tiles(Image.new("RGB", (1, 1), RED), max_tiles=6, thumbnail=True)
    assert np.unique(tiles.pixels_ISSC.reshape(-1, 3), axis=0).tolist() == [[*RED]]


def test_a_page_that_was_not_opened_as_rgb_is_refused() -> None:
    with pytest.raises(ImageError, match="mode CMYK"):
        cut_tiles(Image.new("CMYK", (10, 10)), max_tiles=6, thumbnail=True)
