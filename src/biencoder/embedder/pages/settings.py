"""The settings of a page model: what a caller wants, and what of them decides a vector. No torch here."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

from biencoder.config.page_model import PageConfig, PageLimits
from biencoder.errors import ConfigError, InputError


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
