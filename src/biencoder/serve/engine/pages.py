"""Page images inside the engine: a request's picture becomes tiles and tokens, and these a vector.

The road is the library's own (`embedder/pages`), so a page's vector is the same by either. Pixels
are kept only while they fit: whatever waits beyond that is cut again once its turn has come.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from biencoder.config.page_model import PageConfig, PageLimits
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.pages.compute import compute_pages
from biencoder.embedder.pages.cutting import Tiles
from biencoder.embedder.pages.prepare import PreparedPage
from biencoder.embedder.pages.side import PageSide
from biencoder.errors import ImageError, InputError, TooLongError
from biencoder.pages.pictures import PictureLimits, data_url_bytes, open_picture
from biencoder.serve.errors import ApiError
from biencoder.text.page_tokens import PageTokens
from biencoder.text.truncate import CHARACTERS_PER_TOKEN
from biencoder.types import FloatArray, Truncate

if TYPE_CHECKING:
    from biencoder.serve.engine.job import Job

SERVED_PICTURES = PictureLimits(max_bytes=20 * 1024 * 1024, max_pixels=50_000_000)
# Outside these a picture is no page, and one of its sides would be blown up beyond all reason.
_LEAST_SIDE, _MOST_SIDE, _MOST_ASPECT = 2, 32_768, 200
# A page of seven tiles is 5.5 MB.
_HELD_BYTES = 512 * 1024 * 1024
_ANY_LENGTH = 1 << 40


@dataclass(frozen=True, slots=True)
class SentPage:
    """A page as a request sent it. image: a data URL, well formed. text: None for the image alone."""

    image: str
    text: str | None = None


@dataclass(slots=True, eq=False)
class WaitingPage:
    """A page on its way. tokens: None until it was prepared; tiles: None where nothing holds them.

    tower_tokens: what the tower does for its tiles, as tokens of the language model.
    """

    sent: SentPage
    tower_tokens: int = 0
    tokens: PageTokens | None = None
    tiles: Tiles | None = None


class PageRoom:
    """What an engine needs of a page model, and the pixels that wait in it. Safe in threads.

    max_tokens: a lower limit for every document than the model's own.
    """

    def __init__(
        self,
        side: PageSide,
        *,
        dimensions: int,
        max_tokens: int | None = None,
        pictures: PictureLimits = SERVED_PICTURES,
        held_bytes: int = _HELD_BYTES,
    ) -> None:
        self.side = side if max_tokens is None else _lowered(side, max_tokens)
        self._dimensions = dimensions
        self.pictures = pictures
        self._most = held_bytes
        self._held = 0
        self._lock = threading.Lock()
        self._tower_tokens = _tower_tokens(side.config)

    @property
    def held_bytes(self) -> int:
        """Of pixels that wait for their turn."""
        return self._held

    def least(self, page: SentPage) -> int:
        """The tokens that a page costs at least, by one tile, before its picture is looked at."""
        text = len(page.text or "") // CHARACTERS_PER_TOKEN
        tokens = min(self.side.config.tokens_per_tile + text, self.side.limits.image_text)
        return tokens + round(self._tower_tokens)

    def prepare(self, job: Job, row: int) -> None:
        """Open a page, cut it, put its tokens together.

        Raises ApiError invalid_image, context_length_exceeded or invalid_request, naming the page.
        """
        page = job.pages[row]
        try:
            tiles = self._cut(page.sent)
            tokens = self._tokens(len(tiles.pixels_ISSC), page.sent.text, job.truncate)
        except ImageError as error:
            raise ApiError("invalid_image", error.message, param=f"input[{row}]") from error
        except _OverLongError as error:
            raise ApiError(
                "context_length_exceeded",
                f"Input length {error.tokens} exceeds maximum allowed token size {error.limit}",
                param=f"input[{row}]",
            ) from error
        except InputError as error:
            raise ApiError("invalid_request", error.message, param=f"input[{row}]") from error
        page.tokens = tokens
        job.ids[row] = tokens.ids
        page.tower_tokens = round(len(tiles.pixels_ISSC) * self._tower_tokens)
        self._keep(job, page, tiles)

    def vectors(self, pages: Sequence[WaitingPage | PageTokens]) -> FloatArray:
        """Full-size unit vectors, float32, of one batch; PageTokens stand for a text alone."""
        prepared = []
        for place, page in enumerate(pages):
            if isinstance(page, PageTokens):
                prepared.append(PreparedPage(place, page, None))
                continue
            assert page.tokens is not None, "a page is computed only after it was prepared"
            prepared.append(PreparedPage(place, page.tokens, page.tiles or self._cut(page.sent)))
        tokens = sum(len(page.tokens.ids) for page in prepared)
        return compute_pages(
            prepared, model=self.side.model, dimensions=self._dimensions, token_budget=tokens
        ).vectors

    def warm_up(self) -> int:
        """Compute a blank page in the calling thread; gives what it cost, in tokens."""
        from PIL import Image

        tiles = self.side.cut(Image.new("RGB", (1275, 1650), "white"))
        count = len(tiles.pixels_ISSC)
        tokens = self.side.tokenizer.image(count, limit=_ANY_LENGTH)
        self.vectors([WaitingPage(SentPage(""), 0, tokens, tiles)])
        return len(tokens.ids) + round(count * self._tower_tokens)

    def release(self, pages: Sequence[WaitingPage]) -> None:
        """Let go of the pixels of some pages."""
        with self._lock:
            for page in pages:
                if page.tiles is not None:
                    self._held -= page.tiles.pixels_ISSC.nbytes
                    page.tiles = None

    def _keep(self, job: Job, page: WaitingPage, tiles: Tiles) -> None:
        size = tiles.pixels_ISSC.nbytes
        with self._lock:
            # An abandoned request has let go of its pages already, or will not see this one.
            if not job.abandoned and self._held + size <= self._most:
                self._held += size
                page.tiles = tiles

    def _cut(self, sent: SentPage) -> Tiles:
        limits = self.pictures
        image = open_picture(data_url_bytes(sent.image, max_bytes=limits.max_bytes), limits)
        _check_shape(*image.size)
        return self.side.cut(image)

    def _tokens(self, tiles: int, text: str | None, truncate: Truncate) -> PageTokens:
        reader, limits = self.side.tokenizer, self.side.limits
        limit = limits.image if text is None else limits.image_text
        # By END in every case: it counts what NONE only refuses.
        rule: Truncate = "END" if truncate == "NONE" else truncate
        try:
            if text is None:
                return reader.image(tiles, limit=limit)
            tokens = reader.image_text(tiles, text, limit=limit, truncate=rule)
        except TooLongError as error:
            raise _OverLongError(reader.image(tiles, limit=_ANY_LENGTH).counted, limit) from error
        if tokens.cut and truncate == "NONE":
            raise _OverLongError(tokens.counted, limit)
        return tokens


class _OverLongError(Exception):
    """A page with more tokens than its limit."""

    def __init__(self, tokens: int, limit: int) -> None:
        super().__init__(f"{tokens} tokens, limit {limit}")
        self.tokens = tokens
        self.limit = limit


def open_room(
    embedder: Embedder, *, max_tokens: int | None, pictures: PictureLimits
) -> PageRoom | None:
    """The room of a page model; None for a model that reads text only."""
    if embedder.pages is None:
        return None
    full = embedder.dimensions[-1]
    return PageRoom(embedder.pages, dimensions=full, max_tokens=max_tokens, pictures=pictures)


def _check_shape(width: int, height: int) -> None:
    short, long = sorted((width, height))
    if short < _LEAST_SIDE or long > _MOST_SIDE or long > _MOST_ASPECT * short:
        raise ImageError(
            f"the image has {width:,} x {height:,} pixels; a side has {_LEAST_SIDE} to "
            f"{_MOST_SIDE:,}, and the longer is at most {_MOST_ASPECT} times the shorter"
        )


def _tower_tokens(config: PageConfig) -> float:
    return config.flops_per_tile() / config.text.flops_per_token()


def _lowered(side: PageSide, max_tokens: int) -> PageSide:
    limits = side.limits
    return replace(
        side,
        limits=PageLimits(
            image=min(limits.image, max_tokens),
            image_text=min(limits.image_text, max_tokens),
            text=min(limits.text, max_tokens),
        ),
    )
