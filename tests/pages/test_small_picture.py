"""The picture of a page for people's eyes."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from biencoder.errors import InputError
from biencoder.pages.small_picture import small_picture

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def _quarters(width: int, height: int) -> Image.Image:
    """Red and green above, blue and white below."""
    image = Image.new("RGB", (2, 2))
    image.putdata([RED, GREEN, BLUE, WHITE])
    return image.resize((width, height), Image.Resampling.NEAREST)


def test_the_small_picture_is_a_webp_of_the_whole_page() -> None:
    page = _quarters(1275, 1650)
    with Image.open(io.BytesIO(small_picture(page, longest=256))) as small:
        assert (small.format, small.size) == ("WEBP", (198, 256))
        corners = [small.convert("RGB").getpixel(place) for place in ((40, 40), (160, 210))]
    for found, expected in zip(corners, (RED, WHITE), strict=True):
        assert isinstance(found, tuple)
        np.testing.assert_allclose(found, expected, atol=8)


def test_the_small_picture_is_never_enlarged_and_a_strip_keeps_a_row() -> None:
    for size, expected in (((30, 20), (30, 20)), ((20_000, 5), (512, 1))):
        with Image.open(io.BytesIO(small_picture(Image.new("RGB", size)))) as small:
            assert small.size == expected
    with pytest.raises(InputError, match="longest=0"):
        small_picture(Image.new("RGB", (9, 9)), longest=0)
