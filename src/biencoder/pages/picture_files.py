"""A picture as a file that can be sent: its own bytes where it is one, else a PNG made of it."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biencoder.errors import ImageError
from biencoder.pages.pictures import (
    PICTURE_LIMITS,
    Picture,
    PictureLimits,
    format_of,
    open_bytes,
    open_picture,
    read_bytes,
)

if TYPE_CHECKING:
    from PIL.Image import Image


@dataclass(frozen=True, slots=True)
class PictureFile:
    """A sound picture. data: a PNG, JPEG or WebP file. width, height: in pixels, turned upright."""

    data: bytes
    width: int
    height: int

    @property
    def data_url(self) -> str:
        """The file as a data URL."""
        kind = str(format_of(self.data)).lower()
        return f"data:image/{kind};base64,{base64.b64encode(self.data).decode('ascii')}"


def picture_file(picture: Picture, limits: PictureLimits = PICTURE_LIMITS) -> PictureFile:
    """The picture looked at whole, and its file as it came; of an image already decoded a PNG.

    Whoever opens that file with `open_picture` sees the same pixels. Raises ImageError as
    `open_picture`, and for a PNG of more than ``limits.max_bytes``.
    """
    from PIL.Image import Image as PilImage

    if not isinstance(picture, PilImage):
        data, name = read_bytes(picture, limits)
        opened = open_bytes(data, name, limits)
        return PictureFile(data, opened.width, opened.height)
    upright = open_picture(picture, limits)
    png = _png(upright)
    if len(png) > limits.max_bytes:
        raise ImageError(
            f"the image has {len(png):,} bytes as a PNG; at most {limits.max_bytes:,} are taken",
            hint="give it at a lower resolution, or as a JPEG or WebP file",
        )
    return PictureFile(png, upright.width, upright.height)


def _png(image: Image) -> bytes:
    file = io.BytesIO()
    # It is sent once: quickly made counts for more than a few bytes.
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()
