"""Pages through the model: images out to it, finished documents back, in order.

A page's image lives only until its tiles are computed; its picture and how the model saw it are written
as they come (`page_files.py`). Of a document only vectors and texts wait for its end, so that one of some
thousand pages is no burden. What a killed run had written is taken as it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from biencoder.embedder.encoder import Encoder
from biencoder.embedder.pages.page import Page, PageDetail, PageWindow
from biencoder.errors import InputError
from biencoder.index.facts import Facts
from biencoder.index.feed import Document, Finished
from biencoder.index.ledger import FileEnd
from biencoder.index.meter import Tick
from biencoder.index.page_files import PageFiles, SeenPage
from biencoder.index.page_sources import Looks, looks_of
from biencoder.index.plan import Job
from biencoder.index.rows import Chunk
from biencoder.pages.small_picture import small_picture
from biencoder.reading.file_text import ReadFailure
from biencoder.reading.limits import Limits
from biencoder.types import FloatArray

# Large enough to be read on a screen, small enough to be kept of every page.
_LONGEST = 1024
_TOLD = 5


@dataclass
class _Place:
    """One page of a document: what stands of it, once it is seen, or why it does not."""

    chunk: Chunk
    id: str
    picture: bytes = b""
    vector_D: FloatArray | None = None
    tokens: int = 0
    cut: bool = False
    reason: str = ""

    @property
    def done(self) -> bool:
        return self.vector_D is not None or bool(self.reason)

    @property
    def name(self) -> str:
        return "its image" if self.chunk.page is None else f"page {self.chunk.page}"

    @property
    def lost(self) -> str:
        """Why it is not in the index: a note on its file, or, of an image, the file's reason."""
        return (
            self.reason if self.chunk.page is None else f"{self.name} was left out: {self.reason}"
        )


@dataclass
class _Open:
    """A document on its way. ended: no more of its pages will come."""

    job: Job
    notes: list[str] = field(default_factory=list)
    places: list[_Place] = field(default_factory=list)
    reason: str = ""
    ended: bool = False


class PageFeed:
    """One run of files through a model that reads pages; pages that are done go to ``files``, and their number to ``tick``."""

    def __init__(
        self,
        embedder: Encoder,
        facts: Facts,
        files: PageFiles,
        limits: Limits,
        tick: Tick = lambda count: None,
    ) -> None:
        self._embedder, self._facts = embedder, facts
        self._files, self._limits, self._tick = files, limits, tick
        self._open: deque[_Open] = deque()
        # By their row in the stream; the other thread asks, this one takes.
        self._asked: dict[int, _Place] = {}

    def run(self, jobs: Sequence[Job]) -> Iterator[list[Finished]]:
        """Finished documents, window by window, in order."""
        if not jobs:
            return
        pages = cast("Generator[Page]", self._pages(jobs))
        stream = cast(
            "Generator[PageWindow]",
            self._embedder.encode_pages(
                pages,
                dimensions=self._facts.dimensions,
                truncate="END",
                # A server does not tell them: such a page is shown without its shares.
                parts=not self._embedder.origin.server,
            ),
        )
        try:
            for window in stream:
                self._take(window)
                yield list(self._complete())
                self._tick(window.pages)
        finally:
            # The first ends the thread that draws pages, the second the process that draws them.
            stream.close()
            pages.close()
        yield list(self._complete())

    def _pages(self, jobs: Sequence[Job]) -> Iterator[Page]:
        """What is to be computed; it runs in the model's other thread."""
        row = 0
        for job in jobs:
            document = _Open(job)
            # Before its pages: the other thread may have their vectors at once.
            self._open.append(document)
            try:
                for looks in looks_of(
                    job.path, dpi=self._facts.dpi, limits=self._limits, notes=document.notes
                ):
                    place = self._place(job, looks)
                    document.places.append(place)
                    if not place.done:
                        self._asked[row] = place
                        row += 1
                        yield self._page(looks)
            except InputError as error:
                document.reason = ReadFailure.from_error(error).reason
            document.ended = True

    def _place(self, job: Job, looks: Looks) -> _Place:
        """The page's place, filled where a run before this one came so far."""
        chunk = Chunk(
            source=job.file,
            sha256=job.sha256,
            # By its page: one that is left out changes no other's id.
            number=0 if looks.number is None else looks.number - 1,
            title="",
            heading="",
            page=looks.number,
            start=0,
            end=len(looks.text),
            tokens=0,
            text=looks.text,
            embedded=looks.text,
        )
        place = _Place(chunk, chunk.id(self._facts.page_cutting))
        seen = self._files.whole(place.id)
        if seen is not None and len(seen.vector_D) == self._facts.dimensions:
            place.vector_D, place.tokens, place.cut = seen.vector_D, seen.tokens, seen.cut
        else:
            place.picture = small_picture(looks.image, longest=_LONGEST)
        return place

    def _page(self, looks: Looks) -> Page:
        # A blank text layer is none: a scan is read by its image alone.
        wanted = self._facts.modality == "image_text" and looks.text.strip()
        return Page(looks.image, looks.text if wanted else None)

    def _take(self, window: PageWindow) -> None:
        for vector_D, row, detail in zip(window.vectors, window.rows, window.details, strict=True):
            place = self._asked.pop(row)
            self._files.write(place.id, place.picture, _seen(vector_D, detail))
            place.picture = b""
            place.tokens, place.cut = detail.tokens, detail.cut
            # Last: with it the page counts as done.
            place.vector_D = vector_D.copy()
        for failure in window.failed:
            place = self._asked.pop(failure.row)
            place.picture, place.reason = b"", failure.reason

    def _complete(self) -> Iterator[Finished]:
        while self._open and self._open[0].ended:
            if not all(place.done for place in self._open[0].places):
                return
            yield self._finished(self._open.popleft())

    def _finished(self, document: _Open) -> Finished:
        job = document.job
        good = [place for place in document.places if place.vector_D is not None]
        lost = list(_told_lost(document.places))
        reason = document.reason or ("" if good else "; ".join(lost) or "has no page")
        if document.reason:
            # Of a file that broke off, nothing is kept: it may be mended and read whole.
            good = []
        notes = (*document.notes, *lost, *_told_cut(good))
        vectors = [place.vector_D for place in good if place.vector_D is not None]
        empty = np.empty((0, self._facts.dimensions), dtype=np.float32)
        return Finished(
            Document(job.file, job.file, job.sha256, ends=FileEnd(job.sha256, notes)),
            [replace(place.chunk, tokens=place.tokens) for place in good],
            np.stack(vectors) if vectors else empty,
            reason,
            unreadable=0,
            pages=tuple(place.id for place in good),
        )


def _seen(vector_D: FloatArray, detail: PageDetail) -> SeenPage:
    assert detail.grid is not None, "every page here has an image"
    return SeenPage(
        vector_D=np.ascontiguousarray(vector_D, dtype=np.float32),
        parts_PD=None if detail.parts is None else detail.parts.astype(np.float16),
        grid=detail.grid,
        thumbnail=detail.thumbnail,
        tokens=detail.tokens,
        cut=detail.cut,
    )


def _told_lost(places: Sequence[_Place]) -> Iterator[str]:
    """Notes on the pages that could not be embedded; of very many the first."""
    lost = [place.lost for place in places if place.reason]
    yield from lost[:_TOLD]
    if len(lost) > _TOLD:
        yield f"{len(lost) - _TOLD:,} more pages were left out"


def _told_cut(places: Sequence[_Place]) -> Iterator[str]:
    """A note on the pages whose text is longer than the model reads beside an image."""
    cut = [place for place in places if place.cut]
    if cut:
        more = f" and {len(cut) - 1:,} more" if len(cut) > 1 else ""
        yield f"{cut[0].name}{more}: the end of the text was not embedded, for it is too long"
