"""What a page model has besides a text model: eyes, a tokenizer for pages, its limits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from biencoder.config.page_model import PageConfig, PageLimits
from biencoder.embedder.pages.cutting import Tiles, cut_tiles
from biencoder.text.page_tokens import PageTokenizer

if TYPE_CHECKING:
    from PIL.Image import Image

    from biencoder.models.page_model import PageModel


@dataclass(frozen=True, kw_only=True, slots=True)
class PageSide:
    """config: with the tiles in force. limits: most tokens of a document, by what it is made of."""

    model: PageModel
    tokenizer: PageTokenizer
    config: PageConfig
    limits: PageLimits

    @property
    def max_tiles(self) -> int:
        """The most tiles of an image, its thumbnail not counted."""
        return self.config.max_tiles

    @property
    def thumbnail(self) -> bool:
        """Whether the whole image follows its tiles."""
        return self.config.thumbnail

    def cut(self, image: Image) -> Tiles:
        """The tiles of a page that ``open_picture`` gave."""
        return cut_tiles(
            image,
            max_tiles=self.max_tiles,
            thumbnail=self.thumbnail,
            tile_size=self.config.tile_size,
        )

    def limited(self, max_tokens: int) -> PageSide:
        """The same, cutting texts without an image earlier."""
        return replace(self, limits=replace(self.limits, text=max_tokens))
