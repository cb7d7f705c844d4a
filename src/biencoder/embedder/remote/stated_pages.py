"""How a model behind a server reads page images: as the server states it, else as the family's table.

`biencoder serve` states it all. Of a NIM the table tells how its page model cuts pages, and its documents
in which form a page is sent; its own limits it does not state, so what it refuses it refuses itself.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

from biencoder.config.family import Member
from biencoder.config.page_model import PageLimits
from biencoder.embedder.remote.endpoint import Endpoint
from biencoder.embedder.remote.refusals import page_refusal
from biencoder.embedder.remote.values import count, truth
from biencoder.embedder.remote.wire import Call, ask
from biencoder.errors import BiencoderError, InputError
from biencoder.pages.pictures import MEBIBYTE, PictureLimits

# What `biencoder serve` takes unless it is told otherwise.
_USUAL_PICTURES = PictureLimits(max_bytes=20 * MEBIBYTE, max_pixels=50_000_000)
_USUAL_BODY = 32 * MEBIBYTE
# A grey square.
_PROBE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAAAAACPAi4CAAAALElEQVR42u3MMREAAAgEoNf+wYx"
    "lCDcPAlCTm45AIBAIBAKBQCAQCASC58EC0mgBSIps7sgAAAAASUVORK5CYII="
)
# An image and its spelling read as a text are far apart; rounding moves a vector by less than 0.0001.
_SAME = 0.9999


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedPages:
    """How pages are read, and what may be sent.

    tile_size: a tile's side in pixels. query_tokens: the longest question. pictures: the largest that is
    opened. max_body_bytes: the largest request. messages: whether an image may be sent apart from its
    text, as a message's part, so that no text is ever taken for an image.
    """

    max_tiles: int
    thumbnail: bool
    limits: PageLimits
    tile_size: int
    query_tokens: int
    pictures: PictureLimits
    max_body_bytes: int
    messages: bool


def read_pages(stated: Any) -> StatedPages | None:
    """What `biencoder serve` states as ``pages``; None for a model that reads text only.

    Raises KeyError, TypeError or ValueError for what is none of that.
    """
    if stated is None:
        return None
    tokens = stated["maxTokens"]
    return StatedPages(
        max_tiles=count(stated["maxTiles"]),
        thumbnail=truth(stated["thumbnail"]),
        limits=PageLimits(
            image=count(tokens["image"]),
            image_text=count(tokens["text_image"]),
            text=count(tokens["text"]),
        ),
        tile_size=count(stated["tileSize"]),
        query_tokens=count(tokens["query"]),
        pictures=PictureLimits(
            max_bytes=count(stated["maxImageBytes"]), max_pixels=count(stated["maxImagePixels"])
        ),
        max_body_bytes=count(stated["maxBodyBytes"]),
        messages=True,
    )


def pages_by_table(member: Member | None, max_tokens: int) -> StatedPages | None:
    """What the table knows of a member; max_tokens: the limit in force, where a server lists a lower one."""
    if member is None or member.pages is None:
        return None
    config = member.pages
    # The table's own limit is that of a text; with its image a page has a longer one.
    listed = max_tokens if max_tokens < member.max_tokens else None
    limits = {
        name: limit if listed is None else min(limit, listed)
        for name, limit in asdict(PageLimits()).items()
    }
    return StatedPages(
        max_tiles=config.max_tiles,
        thumbnail=config.thumbnail,
        limits=PageLimits(**limits),
        tile_size=config.tile_size,
        query_tokens=config.query_tokens,
        pictures=_USUAL_PICTURES,
        max_body_bytes=_USUAL_BODY,
        messages=False,
    )


def tells_images_from_texts(endpoint: Endpoint, model: str) -> bool:
    """Whether a server reads an image where one is sent, and does not take its letters for a text."""
    call = Call(model=model, role="document")
    refuse = partial(page_refusal, model=model)
    sent: dict[str, object] = {"input": [_PROBE]}
    try:
        seen = ask(endpoint, replace(call, modality="image"), sent, refuse).vectors[0]
    except BiencoderError:
        # Whatever it cannot do with an image, it may still read texts.
        return False
    try:
        read = ask(endpoint, replace(call, modality="text"), sent, refuse).vectors[0]
    except InputError:
        return True
    return float(seen @ read) < _SAME
