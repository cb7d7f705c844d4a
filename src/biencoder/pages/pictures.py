"""A picture from wherever it comes: opened within limits, upright, every pixel an RGB value.

Only the decoders of the formats allowed are ever touched, and none before the size is known. What
a decoder says about a damaged file stays in the traceback: it may hold addresses of this process.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from biencoder.errors import ImageError

if TYPE_CHECKING:
    from PIL.Image import Image, Transpose
    from PIL.ImageFile import ImageFile

Format: TypeAlias = Literal["PNG", "JPEG", "WEBP"]
# A path, a file's bytes, or an image already decoded; a str may also be a data URL.
Picture: TypeAlias = "str | Path | bytes | Image"

FORMATS: tuple[Format, ...] = ("PNG", "JPEG", "WEBP")
MEBIBYTE = 1024 * 1024
# What a JPEG can hold. A taller PNG one pixel wide would need gigabytes while it is resized.
_MAX_SIDE = 65_535
_SHOWN = 200

_URL = re.compile(r"[a-z][a-z0-9+.-]+://", re.IGNORECASE)
_DATA_URL = re.compile(r"data:image/(?:png|jpeg|webp);base64,", re.IGNORECASE)
# What converts to RGB without a guess. Of LAB, 32-bit and float pictures the range is not known.
_MODES = frozenset({"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV"})
_MODES_16 = frozenset({"I;16", "I;16L", "I;16B", "I;16N"})
_ORIENTATION = 0x0112


@dataclass(frozen=True, kw_only=True, slots=True)
class PictureLimits:
    """How much one picture may cost; a decoded pixel takes 4 bytes, twice that while it is turned.

    The default of ``max_pixels`` is where Pillow begins to warn of decompression bombs: A4 at
    900 dpi passes. No side may be longer than 65,535 pixels. ``formats`` counts for files only.
    """

    max_bytes: int = 128 * MEBIBYTE
    max_pixels: int = 89_478_485
    formats: tuple[Format, ...] = FORMATS


PICTURE_LIMITS = PictureLimits()


def open_picture(picture: Picture, limits: PictureLimits = PICTURE_LIMITS) -> Image:
    """The picture in mode RGB, fully decoded and turned upright as its EXIF data say.

    Alpha is dropped, not blended, as the reference does: what lies under transparent pixels shows.
    16-bit values keep their upper byte. An animated file is refused, for it is no page; of an image
    already decoded the frame at hand is taken. The caller's image is never changed.
    Raises ImageError with the file's name, or "the image", as subject.
    """
    from PIL.Image import Image as PilImage

    if isinstance(picture, PilImage):
        _check_size(picture, "the image", limits)
        return _upright_rgb(picture, "the image")
    return open_bytes(*read_bytes(picture, limits), limits)


def read_bytes(
    picture: str | Path | bytes, limits: PictureLimits = PICTURE_LIMITS
) -> tuple[bytes, str]:
    """The bytes of a picture's file, not yet looked at, and what messages call it."""
    if isinstance(picture, bytes):
        return picture, "the image"
    if isinstance(picture, str) and picture[:5].lower() == "data:":
        return data_url_bytes(picture, max_bytes=limits.max_bytes), "the image"
    if isinstance(picture, str | Path):
        return _file_bytes(picture, limits), _shown(picture)
    raise ImageError(
        f"an image cannot be a {type(picture).__name__}",
        hint="give a path, the bytes of a file, a data URL or a PIL image",
    )


def data_url_bytes(url: str, *, max_bytes: int) -> bytes:
    """The bytes that a data URL holds; PNG, JPEG or WebP in strict base64, nothing else.

    What the bytes are is for ``open_picture`` to see, whichever of the three the URL names.
    """
    head = _DATA_URL.match(url)
    if head is None:
        raise ImageError(
            "the data URL does not begin as that of an image does",
            hint="write data:image/png;base64,… (or jpeg, webp)",
        )
    coded = url[head.end() :]
    # Before decoding, so that what is too large is not copied once more.
    if len(coded) > 4 * (max_bytes // 3 + 1):
        raise _too_many_bytes("the image", max_bytes)
    try:
        data = base64.b64decode(coded.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise ImageError("the data URL is not sound base64") from error
    if len(data) > max_bytes:
        raise _too_many_bytes("the image", max_bytes)
    return data


def _file_bytes(path: str | Path, limits: PictureLimits) -> bytes:
    name = _shown(path)
    if isinstance(path, str) and _URL.match(path):
        raise ImageError(
            f"{name} is a URL, and nothing is fetched", hint="download it and give the file's path"
        )
    try:
        found = Path(path).stat()
        # A pipe, for one, would never end.
        if not stat.S_ISREG(found.st_mode):
            raise ImageError(f"{name} is no regular file")
        if found.st_size > limits.max_bytes:
            raise _too_many_bytes(name, limits.max_bytes)
        return Path(path).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a path"
        raise ImageError(f"{name} cannot be opened: {reason}") from error


def open_bytes(data: bytes, name: str, limits: PictureLimits = PICTURE_LIMITS) -> Image:
    """As `open_picture`, of a file's bytes; ``name``: what messages call it."""
    if not data:
        raise ImageError(f"{name} is empty")
    if len(data) > limits.max_bytes:
        raise _too_many_bytes(name, limits.max_bytes)
    found = format_of(data)
    if found not in limits.formats:
        allowed = ", ".join(limits.formats)
        what = (
            "no image of a kind" if found is None else f"a {found} image, which is not one of those"
        )
        raise ImageError(f"{name} is {what} that is read here: {allowed}")
    try:
        image = _opened(data, found)
        frames = getattr(image, "n_frames", 1)
    except Exception as error:
        # Decoders raise whatever they like on hostile bytes.
        raise _damaged(name, found) from error
    _check_size(image, name, limits)
    if frames > 1:
        raise ImageError(
            f"{name} is animated, with {frames} frames", hint="save the frame that is meant"
        )
    return _upright_rgb(image, name)


def format_of(data: bytes) -> Format | None:
    """The format that a file's first bytes tell; None for none of those read here."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    return None


def _opened(data: bytes, found: Format) -> ImageFile:
    """The header read. Not by Image.open, which goes by a global limit and warns in between."""
    from PIL.JpegImagePlugin import JpegImageFile
    from PIL.PngImagePlugin import PngImageFile
    from PIL.WebPImagePlugin import WebPImageFile

    if found == "PNG":
        return PngImageFile(io.BytesIO(data))
    return JpegImageFile(io.BytesIO(data)) if found == "JPEG" else WebPImageFile(io.BytesIO(data))


def _check_size(image: Image, name: str, limits: PictureLimits) -> None:
    width, height = image.size
    size = f"{width:,} x {height:,} pixels"
    if width < 1 or height < 1:
        raise ImageError(f"{name} has {size}: nothing to see")
    if max(width, height) > _MAX_SIDE:
        raise ImageError(f"{name} has {size}; a side has at most {_MAX_SIDE:,}")
    if width * height > limits.max_pixels:
        raise ImageError(
            f"{name} has {size}; at most {limits.max_pixels:,} in all are decoded",
            hint="save it at a lower resolution: a page is seen at about 1,000 x 1,500",
        )


def _upright_rgb(image: Image, name: str) -> Image:
    if image.mode not in _MODES | _MODES_16:
        raise ImageError(
            f"{name} has mode {image.mode}, whose colours are not known here",
            hint="convert it to RGB first",
        )
    try:
        image.load()
        rgb = _rgb(image)
    except Exception as error:
        raise _damaged(name, image.format or image.mode) from error
    turn = _turns().get(_orientation(image))
    upright = rgb if turn is None else rgb.transpose(turn)
    # Whoever opens the result once more must not find a reason to turn it again.
    upright.info = {}
    return upright


def _rgb(image: Image) -> Image:
    if image.mode in _MODES_16:
        return _upper_bytes(image).convert("RGB")
    if "transparency" in image.info:
        # Pillow would try to carry the transparent colour over, and warn where it cannot.
        image = image.copy()
        del image.info["transparency"]
    return image.copy() if image.mode == "RGB" else image.convert("RGB")


def _upper_bytes(image: Image) -> Image:
    """16-bit grey to 8 bits as Pillow does for 16-bit colour; of grey it clips, to a white page."""
    import numpy as np
    from PIL import Image as pil

    return pil.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def _orientation(image: Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:
        # Damaged EXIF data say nothing: the picture is shown as it is stored, as viewers do.
        return 1


def _turns() -> dict[int, Transpose]:
    """What turns a picture upright, by its EXIF orientation."""
    from PIL.Image import Transpose

    return {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }


def _damaged(name: str, found: str) -> ImageError:
    return ImageError(f"{name} is a damaged or truncated {found} image")


def _too_many_bytes(name: str, max_bytes: int) -> ImageError:
    return ImageError(f"{name} is larger than the {max_bytes:,} bytes that are read")


def _shown(path: str | Path) -> str:
    text = str(path)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
