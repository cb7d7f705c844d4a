"""What goes in on the road of pages, and what comes out. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias

from biencoder.config.page_model import PageLimits
from biencoder.errors import EncodingError, InputError, TooLongError
from biencoder.pages.pictures import Picture
from biencoder.pages.tiles import Grid
from biencoder.types import FloatArray

Modality: TypeAlias = Literal["text", "image", "image_text"]
MODALITIES: tuple[Modality, ...] = ("text", "image", "image_text")
PAGE_MODEL = "llama-nemotron-embed-vl-1b-v2"


class PageReading(Protocol):
    """How a model reads pages, wherever it computes: what an index and a result hold of it."""

    @property
    def max_tiles(self) -> int:
        """The most tiles of an image, its thumbnail not counted."""

    @property
    def thumbnail(self) -> bool:
        """Whether the whole image follows its tiles."""

    @property
    def limits(self) -> PageLimits:
        """Most tokens of a document, by what it is made of."""


def modalities(pages: PageReading | None) -> tuple[Modality, ...]:
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
    error: InputError | EncodingError

    @classmethod
    def not_finite(cls, row: int, error: EncodingError) -> PageFailure:
        """Of a page for which the model gave no number."""
        return cls(row, EncodingError(EncodingError.no_vector, hint=error.hint))

    @property
    def reason(self) -> str:
        """The error in one line."""
        error = self.error
        return f"{error.message}: {error.hint}" if error.hint else error.message

    def named(self) -> InputError | EncodingError:
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
