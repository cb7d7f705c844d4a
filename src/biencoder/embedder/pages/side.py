"""What a page model has besides a text model: eyes, a tokenizer for pages, and their settings."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from biencoder.config.page_model import PageConfig, PageLimits
from biencoder.embedder.pages.cutting import Tiles, cut_tiles
from biencoder.errors import ConfigError, InputError
from biencoder.text.page_tokens import PageTokenizer

if TYPE_CHECKING:
    from PIL.Image import Image

    from biencoder.models.page_model import PageModel


@dataclass(frozen=True, kw_only=True, slots=True)
class PageSettings:
    """What the caller of `Embedder.load` wants; None leaves it to the checkpoint."""

    max_tiles: int | None = None
    thumbnail: bool | None = None
    limits: PageLimits | None = None

    @property
    def given(self) -> tuple[str, ...]:
        """The arguments of `Embedder.load` that were given."""
        values = {
            "max_tiles": self.max_tiles,
            "thumbnail": self.thumbnail,
            "page_limits": self.limits,
        }
        return tuple(name for name, value in values.items() if value is not None)

    def applied(self, config: PageConfig) -> PageConfig:
        """The configuration in force. Raises InputError for a number of tiles that is none."""
        try:
            return replace(
                config,
                max_tiles=config.max_tiles if self.max_tiles is None else self.max_tiles,
                thumbnail=config.thumbnail if self.thumbnail is None else self.thumbnail,
            )
        except ConfigError as error:
            raise InputError(error.message, hint=error.hint) from error


AS_STATED = PageSettings()


@dataclass(frozen=True, kw_only=True, slots=True)
class PageSide:
    """config: with the tiles in force. limits: most tokens of a document, by what it is made of."""

    model: PageModel
    tokenizer: PageTokenizer
    config: PageConfig
    limits: PageLimits

    def cut(self, image: Image) -> Tiles:
        """The tiles of a page that ``open_picture`` gave."""
        return cut_tiles(
            image,
            max_tiles=self.config.max_tiles,
            thumbnail=self.config.thumbnail,
            tile_size=self.config.tile_size,
        )

    def limited(self, max_tokens: int) -> PageSide:
        """The same, cutting texts without an image earlier."""
        return replace(self, limits=replace(self.limits, text=max_tokens))


def page_identity(config: PageConfig, limits: PageLimits) -> dict[str, Any]:
    """What of a page model decides its vectors, besides weights, tokenizer, prompts and trunk."""
    return {
        "vision": asdict(config.vision),
        "downsample_ratio": config.downsample_ratio,
        "max_tiles": config.max_tiles,
        "thumbnail": config.thumbnail,
        "query_tokens": config.query_tokens,
        "limits": asdict(limits),
    }
