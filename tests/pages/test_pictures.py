"""Pictures: every kind looks as a person sees it, and hostile files are one clear sentence."""

from __future__ import annotations

import base64
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from biencoder.errors import ImageError
from biencoder.pages.pictures import FORMATS, PictureLimits, open_picture

RED, GREEN, BLUE, GREY = (255, 0, 0), (0, 255, 0), (0, 0, 255), (128, 128, 128)


def _file(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def _png(width: int, height: int, *, data: bytes = b"", colour_type: int = 0) -> bytes:
    """A PNG file by hand: its header says what it likes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body)
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)

    header = struct.pack(">IIBBBBB", width, height, 8, colour_type, 0, 0, 0)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def _colour(image: Image.Image, x: int = 0, y: int = 0) -> tuple[int, ...]:
    found = image.getpixel((x, y))
    assert isinstance(found, tuple)
    return tuple(int(value) for value in found)


def _grey_alpha() -> Image.Image:
    return Image.new("LA", (4, 4), (128, 0))


def _palette() -> Image.Image:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([*GREEN, *RED, *BLUE])
    return image


@pytest.mark.parametrize(
    ("make", "options", "expected"),
    [
        (lambda: Image.new("RGB", (4, 4), RED), {}, RED),
        (lambda: Image.new("L", (4, 4), 128), {}, GREY),
        (lambda: Image.new("1", (4, 4), 1), {}, (255, 255, 255)),
        (_grey_alpha, {}, GREY),
        (lambda: Image.new("RGBA", (4, 4), (*RED, 0)), {}, RED),
        (_palette, {}, RED),
        (_palette, {"transparency": bytes([9, 0, 9])}, RED),
        (_palette, {"transparency": 1}, RED),
        (lambda: Image.new("RGB", (4, 4), RED), {"transparency": RED}, RED),
        (lambda: Image.new("I;16", (4, 4), 0x8000), {}, GREY),
    ],
    ids=["rgb", "grey", "bilevel", "grey-alpha", "rgba", *("palette",) * 3, "rgb-key", "16-bit"],
)
def test_a_png_of_every_mode_looks_as_it_should(
    make: Callable[[], Image.Image], options: dict[str, Any], expected: tuple[int, ...]
) -> None:
    opened = open_picture(_file(make(), **options))
    assert (opened.mode, opened.size) == ("RGB", (4, 4))
    assert _colour(opened) == expected


def test_16_bit_grey_is_scaled_and_not_clipped() -> None:
    values = np.array([[0, 255, 256, 0x1234, 0x8000, 65535]], dtype=np.uint16)
    opened = open_picture(_file(Image.fromarray(values)))
    assert np.asarray(opened)[0, :, 0].tolist() == [0, 0, 1, 0x12, 0x80, 255]


def test_16_bit_colour_keeps_its_upper_byte() -> None:
    data = b"\0" + struct.pack(">HHH", 0xFF00, 0x80FF, 0x0100)
    file = _png(1, 1, data=data, colour_type=2).replace(
        struct.pack(">IIBB", 1, 1, 8, 2), struct.pack(">IIBB", 1, 1, 16, 2)
    )
    header = file[12:29]
    file = file[:29] + struct.pack(">I", zlib.crc32(header)) + file[33:]
    assert _colour(open_picture(file)) == (0xFF, 0x80, 0x01)


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_jpeg_and_webp_are_read(kind: str) -> None:
    opened = open_picture(_file(Image.new("RGB", (16, 8), (200, 40, 60)), kind, quality=95))
    assert (opened.mode, opened.size) == ("RGB", (16, 8))
    np.testing.assert_allclose(_colour(opened), (200, 40, 60), atol=5)


def test_a_webp_s_alpha_is_dropped() -> None:
    file = _file(Image.new("RGBA", (8, 8), (*RED, 128)), "WEBP", lossless=True)
    assert _colour(open_picture(file)) == RED


def test_a_cmyk_jpeg_has_its_colours() -> None:
    # No cyan, all magenta and yellow: red on paper.
    opened = open_picture(_file(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95))
    np.testing.assert_allclose(_colour(opened), RED, atol=6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_its_camera_says(orientation: int) -> None:
    upright = Image.new("RGB", (32, 16), GREY)
    upright.paste(RED, (0, 0, 8, 8))
    # What brings the upright picture into the place in which each camera stores it.
    stored = {
        1: upright,
        2: upright.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        3: upright.transpose(Image.Transpose.ROTATE_180),
        4: upright.transpose(Image.Transpose.FLIP_TOP_BOTTOM),
        5: upright.transpose(Image.Transpose.TRANSPOSE),
        6: upright.transpose(Image.Transpose.ROTATE_90),
        7: upright.transpose(Image.Transpose.TRANSVERSE),
        8: upright.transpose(Image.Transpose.ROTATE_270),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    for file in (_file(stored, "PNG", exif=exif), _file(stored, "WEBP", exif=exif, lossless=True)):
        opened = open_picture(file)
        np.testing.assert_array_equal(np.asarray(opened), np.asarray(upright))
        # Opened once more, as an index does that keeps the picture too, it is not turned again.
        np.testing.assert_array_equal(np.asarray(open_picture(opened)), np.asarray(upright))
    photo = open_picture(_file(stored, "JPEG", exif=exif, quality=95))
    np.testing.assert_allclose(_colour(photo, 3, 3), RED, atol=8)
    assert photo.size == (32, 16)


def test_damaged_exif_data_leave_the_picture_as_it_is_stored() -> None:
    file = _file(Image.new("RGB", (4, 4), RED), exif=b"Exif\0\0MM\0*\xff\xff\xff\xff\xff")
    assert _colour(open_picture(file)) == RED


def test_a_path_bytes_a_data_url_and_an_image_give_the_same(tmp_path: Path) -> None:
    image = Image.new("RGB", (3, 2), BLUE)
    file = _file(image)
    path = tmp_path / "a.png"
    path.write_bytes(file)
    url = "data:image/png;base64," + base64.b64encode(file).decode()
    for picture in (path, str(path), file, url, image):
        np.testing.assert_array_equal(np.asarray(open_picture(picture)), np.asarray(image))


def test_the_caller_s_image_is_left_alone() -> None:
    image = _palette()
    image.info["transparency"] = b"\0\0\0"
    opened = open_picture(image)
    assert _colour(opened) == RED
    assert (image.mode, image.info) == ("P", {"transparency": b"\0\0\0"})
    plain = Image.new("RGB", (2, 2), RED)
    open_picture(plain).paste(BLUE, (0, 0, 2, 2))
    assert _colour(plain) == RED


def test_a_name_that_lies_about_the_kind_is_no_matter(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(_file(Image.new("RGB", (8, 8), RED), "JPEG"))
    assert open_picture(path).size == (8, 8)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the image is empty"),
        (b"hello", "the image is no image of a kind that is read here: PNG, JPEG, WEBP"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n", "no image of a kind"),
        (_file(Image.new("RGB", (4, 4)), "GIF"), "no image of a kind"),
        (_file(Image.new("RGB", (4, 4)), "TIFF"), "no image of a kind"),
        (b"\x89PNG\r\n\x1a\n", "a damaged or truncated PNG image"),
        (b"\xff\xd8\xff" + bytes(40), "a damaged or truncated JPEG image"),
        (b"RIFF\x1a\0\0\0WEBPVP8L" + bytes(14), "a damaged or truncated WEBP image"),
        (_png(0, 4), "nothing to see|damaged"),
        (_png(4, 4, data=b"\0" * 7), "damaged or truncated PNG"),
        (_png(70_000, 1, data=bytes(70_001)), "70,000 x 1 pixels; a side has at most 65,535"),
        (_png(1, 70_000), "a side has at most 65,535"),
        (_png(30_000, 30_000), "30,000 x 30,000 pixels; at most 89,478,485 in all"),
    ],
)
def test_hostile_files_are_one_clear_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        open_picture(data)


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("share", [0.3, 0.6, 0.95])
def test_a_truncated_file_is_refused_and_not_shown_half(kind: str, share: float) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    file = _file(Image.fromarray(noise), kind)
    with pytest.raises(ImageError, match=f"the image is a damaged or truncated {kind} image"):
        open_picture(file[: int(len(file) * share)])


@pytest.mark.parametrize("kind", FORMATS)
def test_a_file_with_any_byte_changed_gives_a_picture_or_an_image_error(kind: str) -> None:
    file = _file(Image.linear_gradient("L").resize((24, 24)).convert("RGB"), kind)
    limits = PictureLimits(max_pixels=10_000)
    said = []
    for place in range(len(file)):
        damaged = file[:place] + bytes([file[place] ^ 0xFF]) + file[place + 1 :]
        try:
            assert open_picture(damaged, limits).mode == "RGB"
        except ImageError as error:
            said.append(str(error))
    assert said
    assert not any("0x" in words for words in said)


def test_a_bomb_is_refused_by_its_header_alone() -> None:
    canvas = (16_383).to_bytes(3, "little")
    body = b"VP8X\x0a\0\0\0\0\0\0\0" + canvas + canvas
    webp = b"RIFF" + struct.pack("<I", 4 + len(body)) + b"WEBP" + body
    for file in (webp, _png(60_000, 60_000)):
        with pytest.raises(ImageError):
            open_picture(file)


def test_a_higher_limit_of_pixels_lets_larger_pictures_pass() -> None:
    image = Image.new("L", (200, 100))
    with pytest.raises(ImageError, match="200 x 100 pixels; at most 19,999"):
        open_picture(image, PictureLimits(max_pixels=19_999))
    assert open_picture(image, PictureLimits(max_pixels=20_000)).size == (200, 100)


@pytest.mark.parametrize("size", [(1, 1), (20_000, 50), (50, 20_000)])
def test_odd_shapes_pass(size: tuple[int, int]) -> None:
    assert open_picture(_file(Image.new("L", size))).size == size


@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_an_animated_picture_is_refused(kind: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, GREEN, BLUE)]
    file = _file(frames[0], kind, save_all=True, append_images=frames[1:])
    with pytest.raises(ImageError, match="the image is animated, with 3 frames"):
        open_picture(file)


def test_a_format_that_is_not_allowed_is_named() -> None:
    file = _file(Image.new("RGB", (8, 8)), "WEBP")
    with pytest.raises(ImageError, match=r"a WEBP image, which is not .*read here: PNG"):
        open_picture(file, PictureLimits(formats=("PNG",)))


def test_modes_whose_range_is_unknown_are_refused() -> None:
    for mode in ("F", "I", "LAB"):
        with pytest.raises(ImageError, match=f"mode {mode}"):
            open_picture(Image.new(mode, (2, 2)))


def test_a_file_larger_than_allowed_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(_file(Image.new("RGB", (8, 8))))
    limits = PictureLimits(max_bytes=20)
    for picture in (path, path.read_bytes()):
        with pytest.raises(ImageError, match="is larger than the 20 bytes that are read"):
            open_picture(picture, limits)


def test_what_is_no_file_has_its_reason(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    cases: list[tuple[str | Path, str]] = [
        (tmp_path / "gone.png", r"gone\.png cannot be opened: No such file"),
        (tmp_path, "is no regular file"),
        (pipe, "is no regular file"),
        ("https://example.org/a.png", "is a URL, and nothing is fetched"),
        ("file:///etc/passwd", "is a URL"),
        ("a\0b", "cannot be opened: not a path"),
        ("iVBORw0KGgo" * 1000, "cannot be opened: File name too long"),
    ]
    for picture, reason in cases:
        with pytest.raises(ImageError, match=reason) as caught:
            open_picture(picture)
        assert len(str(caught.value)) < 400


def test_another_type_is_refused_with_what_to_give() -> None:
    with pytest.raises(ImageError, match="an image cannot be a list"):
        open_picture([1])  # type: ignore[arg-type]
