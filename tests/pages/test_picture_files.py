"""A picture as a file: its own bytes, or a PNG with the very pixels."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests import tiny_pages

from biencoder.errors import ImageError
from biencoder.pages.picture_files import picture_file
from biencoder.pages.pictures import PictureLimits, open_picture

PAGE = tiny_pages.picture(60, 40, seed=1)


def _file(form: str, **options: object) -> bytes:
    file = io.BytesIO()
    PAGE.save(file, form, **options)
    return file.getvalue()


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_file_stays_as_it_came_and_is_named_by_its_bytes(form: str, tmp_path: Path) -> None:
    data, path = _file(form), tmp_path / "page.dat"
    path.write_bytes(data)
    for picture in (data, path, str(path)):
        found = picture_file(picture)
        assert (found.data, found.width, found.height) == (data, 60, 40)
        assert found.data_url.startswith(f"data:image/{form.lower()};base64,")
    assert picture_file(found.data_url) == found


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA", "P", "CMYK", "I;16"])
def test_an_image_becomes_a_png_with_the_pixels_that_are_seen_here(mode: str) -> None:
    image = Image.new(mode, (5, 7), 40_000) if mode == "I;16" else PAGE.convert(mode)
    seen = open_picture(picture_file(image).data)
    np.testing.assert_array_equal(np.asarray(seen), np.asarray(open_picture(image)))


def test_a_turned_photo_has_its_size_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    found = picture_file(_file("JPEG", exif=exif))
    assert (found.width, found.height) == (40, 60)


def test_what_is_too_large_or_damaged_is_no_file_to_send(tmp_path: Path) -> None:
    few = PictureLimits(max_bytes=100)
    with pytest.raises(ImageError, match="as a PNG; at most 100 are taken"):
        picture_file(PAGE, few)
    with pytest.raises(ImageError, match="larger than the 100 bytes"):
        picture_file(_file("PNG"), few)
    path = tmp_path / "half.png"
    path.write_bytes(_file("PNG")[:200])
    with pytest.raises(ImageError, match=r"half\.png is a damaged"):
        picture_file(path)
