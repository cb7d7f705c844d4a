"""A page into what the model takes: its image opened and cut, its tokens put together."""

from __future__ import annotations

from dataclasses import dataclass

from biencoder.embedder.pages.cutting import Tiles
from biencoder.embedder.pages.listed import check_page
from biencoder.embedder.pages.page import Page, PageFailure
from biencoder.embedder.pages.side import PageSide
from biencoder.errors import InputError, TooLongError
from biencoder.pages.pictures import open_picture
from biencoder.text.page_tokens import PageTokens
from biencoder.text.tokenizer import Wanted
from biencoder.text.truncate import too_long
from biencoder.types import Truncate


@dataclass(frozen=True, slots=True)
class PreparedPage:
    """One page ready for the model. tiles: None without an image."""

    row: int
    tokens: PageTokens
    tiles: Tiles | None


def prepare_page(
    row: int, page: Page, side: PageSide, truncate: Truncate
) -> PreparedPage | PageFailure:
    """The page ready to be computed, or why it cannot be."""
    try:
        check_page(page)
        if page.image is None:
            return PreparedPage(row, _text_alone(page.text, side, truncate), None)
        tiles = side.cut(open_picture(page.image))
        return PreparedPage(
            row, _with_image(len(tiles.pixels_ISSC), page.text, side, truncate), tiles
        )
    except InputError as error:
        return PageFailure(row, error)


def _with_image(tiles: int, text: str | None, side: PageSide, truncate: Truncate) -> PageTokens:
    if text is None:
        return side.tokenizer.image(tiles, limit=side.limits.image)
    limit = side.limits.image_text
    return side.tokenizer.image_text(tiles, text, limit=limit, truncate=truncate)


def _text_alone(text: str | None, side: PageSide, truncate: Truncate) -> PageTokens:
    assert text is not None, "a page has an image or a text"
    limit, pages = side.limits.text, side.tokenizer
    (read,) = pages.text.read([Wanted(text, pages.prefix, truncate)], max_tokens=limit)
    if read.over and truncate == "NONE":
        error = too_long(0, read.counted, limit, at_least=read.counted_in_part)
        raise TooLongError(f"its text has {error.told}", hint=error.hint, told=error.told)
    return PageTokens(read.ids, 0, 0, read.counted, read.over)
