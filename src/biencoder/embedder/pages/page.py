"""What goes in on the road of pages, and what comes out. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

from biencoder.errors import InputError, TooLongError
from biencoder.pages.pictures import Picture
from biencoder.pages.tiles import Grid
from biencoder.types import FloatArray

if TYPE_CHECKING:
    from biencoder.embedder.pages.side import PageSide

Modality: TypeAlias = Literal["text", "image", "image_text"]
MODALITIES: tuple[Modality, ...] = ("text", "image", "image_text")
PAGE_MODEL = "llama-nemotron-embed-vl-1b-v2"


def modalities(pages: PageSide | None) -> tuple[Modality, ...]:
    """What a model's documents may be; ``pages`` is None for a text model."""
    return MODALITIES[:1] if pages is None else MODALITIES


def no_images(name: str) -> InputError:
    """The error for an image and a model that reads text only."""
    return InputError(
        f"{name} reads text only, no images", hint=f"images need a page model: {PAGE_MODEL}"
    )


@dataclass(frozen=True, slots=True)
class Page:
    """One document: an image, an image and its text, or a text alone. None is what it has not."""

    image: Picture | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class PageDetail:
    """How the model saw one page. grid: into which its image was cut, None without one.

    thumbnail: the whole page followed the grid's tiles. tokens: as computed. cut: its text lost
    tokens. parts: float32, shape (tiles + thumbnail + 1, dimensions), where they were asked for: what
    each tile, the thumbnail, and all other tokens together (the last row) add to the unit vector. They
    add up to it, so a part's product with a query is that part's share of the score. A share says where
    in the image the numbers came from, not why: each tile's tokens have read the whole page.
    """

    grid: Grid | None
    thumbnail: bool
    tokens: int
    cut: bool
    parts: FloatArray | None


@dataclass(frozen=True, slots=True)
class PageFailure:
    """A page that has no vector, by its row in the stream, and why."""

    row: int
    error: InputError

    @property
    def reason(self) -> str:
        """The error in one line."""
        error = self.error
        return f"{error.message}: {error.hint}" if error.hint else error.message

    def named(self) -> InputError:
        """The error with its row in the message."""
        message = f"page {self.row}: {self.error.message}"
        if isinstance(self.error, TooLongError):
            return TooLongError(message, hint=self.error.hint, told=self.error.told)
        return type(self.error)(message, hint=self.error.hint)


@dataclass(frozen=True, slots=True)
class PageWindow:
    """Neighbouring pages: ``pages`` of them from ``first_row`` on, each either a row or a failure.

    vectors: float32, shape (rows, dimensions), unit length, in order; ``rows`` tells which pages of the
    stream they belong to, ``details`` how each was seen. tokens: of them all; cut: texts that lost some.
    """

    vectors: FloatArray
    rows: tuple[int, ...]
    first_row: int
    pages: int
    tokens: int
    cut: int
    failed: tuple[PageFailure, ...]
    details: tuple[PageDetail, ...]
