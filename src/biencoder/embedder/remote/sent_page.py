"""A page as a request holds it: looked at here, so that only a sound picture goes over the wire."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from biencoder.embedder.pages.listed import check_page
from biencoder.embedder.pages.page import Page
from biencoder.embedder.remote.stated_pages import StatedPages
from biencoder.embedder.remote.wire import WireModality, as_json_text
from biencoder.errors import InputError
from biencoder.pages.picture_files import picture_file
from biencoder.pages.pictures import open_picture
from biencoder.pages.tiles import Grid, choose_grid
from biencoder.text.page_tokens import check_truncate
from biencoder.text.truncate import head_of
from biencoder.types import Truncate

# Model, role and the like, beside the page itself.
_OTHER_FIELDS = 4096
_QUOTED = re.compile(r"data:image/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SentPage:
    """fields: the input of a request. grid: into which its image will be cut, None without one."""

    fields: Mapping[str, object]
    modality: WireModality
    grid: Grid | None


def look_at(page: Page, reading: StatedPages) -> None:
    """Open the page's image, and forget it. Raises InputError, ImageError."""
    check_page(page)
    if page.image is not None:
        open_picture(page.image, reading.pictures)


def sent_page(page: Page, reading: StatedPages, truncate: Truncate) -> SentPage:
    """The page as it is sent: a picture's own file, or a PNG of an image already decoded.

    A blank text beside an image is none, for that is how servers take it. Raises InputError for what
    cannot be sent, ImageError for a picture that cannot be opened.
    """
    check_page(page)
    if page.image is None:
        return SentPage({"input": [_text_alone(page.text or "", reading, truncate)]}, "text", None)
    check_truncate(truncate)
    picture = picture_file(page.image, reading.pictures)
    grid = choose_grid(
        picture.width, picture.height, max_tiles=reading.max_tiles, tile_size=reading.tile_size
    )
    text = head_of(page.text or "", reading.limits.image_text, truncate)
    if text.isspace() or not text:
        sent = SentPage({"input": [picture.data_url]}, "image", grid)
    else:
        fields = _with_text(picture.data_url, as_json_text(text), reading)
        sent = SentPage(fields, "text_image", grid)
    size = len(orjson.dumps(sent.fields)) + _OTHER_FIELDS
    if size > reading.max_body_bytes:
        raise InputError(
            f"as a request it has {size:,} bytes; at most {reading.max_body_bytes:,} are taken",
            hint="give its image at a lower resolution, or as a JPEG or WebP file",
        )
    return sent


def _text_alone(text: str, reading: StatedPages, truncate: Truncate) -> str:
    if not text.strip():
        raise InputError(
            "its text is empty, and servers give no vector for an empty text", hint="leave it out"
        )
    return as_json_text(head_of(text, reading.limits.text, truncate))


def _with_text(url: str, text: str, reading: StatedPages) -> dict[str, object]:
    """Both in one string where nothing else is known; then no text may look like an image."""
    if reading.messages:
        parts = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": url}}]
        return {"messages": [{"role": "passage", "content": parts}]}
    if _QUOTED.search(text):
        raise InputError(
            "its text quotes a data URL, which the server could take for the page's image",
            hint="send the image without its text",
        )
    return {"input": [f"{text}\n{url}"]}
