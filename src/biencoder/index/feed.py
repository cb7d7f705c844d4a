"""Documents through the model: passages out to it, finished documents back, in order.

The model takes passages in windows and reads ahead in a thread of its own; a document is finished
when the vectors of all its passages are there. A passage without one costs its own document only.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np

from biencoder.batching.schedule import WINDOW_TEXTS
from biencoder.embedder.encoder import Encoder, Window
from biencoder.errors import EncodingError
from biencoder.index.facts import Facts
from biencoder.index.filters import Value
from biencoder.index.ledger import FileEnd
from biencoder.index.rows import Chunk
from biencoder.text.passages import BELOW
from biencoder.text.shorten import short_name
from biencoder.types import FloatArray

# A slow model's first window: it shows a rate soon, and Ctrl-C loses little.
_FIRST_TEXTS = 8
# A window is about so long then: enough for texts of one length to meet.
_WINDOW_SECONDS = 2.0
_GROWTH = 4
# A document is hardly readable for a model if more than this share of its passages is.
_UNREADABLE_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Part:
    """A page, or a passage that was cut before. start: its first character's place in the page.

    headings: those above it, from the top, where its text does not hold them.
    """

    page: int | None
    text: str
    start: int = 0
    headings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """What is to be indexed, or the reason why it cannot be.

    file: where it was read from, which may hold many. remarks: how it was read. ends: its file was read to its end; a document
    without a source says only that.
    """

    source: str
    file: str
    sha256: str
    title: str = ""
    parts: tuple[Part, ...] = ()
    markdown: bool = False
    metadata: Mapping[str, Value] = field(default_factory=dict)
    reason: str = ""
    remarks: tuple[str, ...] = ()
    ends: FileEnd | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A document with its passages and their vectors, float32, shape (n, dimensions); or a reason.

    unreadable: how many passages the model's vocabulary hardly covers. pages: the ids of those that are
    pages read by their looks.
    """

    document: Document
    chunks: Sequence[Chunk]
    vectors_ND: FloatArray
    reason: str
    unreadable: int
    pages: tuple[str, ...] = ()


class Pace:
    """How many texts a window takes: few at first, then as many as about two seconds' work."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._texts = min(_FIRST_TEXTS, most)

    def __call__(self) -> int:
        """For the next window."""
        return self._texts

    def took(self, texts: int, seconds: float) -> None:
        """A window is done."""
        fitting = _GROWTH * texts
        if seconds * _GROWTH > _WINDOW_SECONDS:
            fitting = int(texts * _WINDOW_SECONDS / seconds)
        self._texts = max(1, min(fitting, self._most))


@dataclass(slots=True)
class _Place:
    """A passage on its way: its vector once that is there, or why there is none."""

    chunk: Chunk
    vector_D: FloatArray | None = None
    unreadable: bool = False
    reason: str = ""

    @property
    def done(self) -> bool:
        return self.vector_D is not None or bool(self.reason)


@dataclass(slots=True)
class _Open:
    """A document on its way. ended: no more of its passages will come."""

    document: Document
    places: list[_Place] = field(default_factory=list)
    ended: bool = False

    @property
    def done(self) -> bool:
        return self.ended and all(place.done for place in self.places)


class Feed:
    """One run of documents through a model; ``most``: texts that it takes at once, at most."""

    def __init__(self, embedder: Encoder, facts: Facts, most: int = WINDOW_TEXTS) -> None:
        self._pace = Pace(min(most, WINDOW_TEXTS))
        self._embedder, self._facts = embedder, facts
        self._cutter = embedder.cutter(facts.chunk_tokens)
        self._open: deque[_Open] = deque()
        # By their row in the stream; the other thread asks, this one takes.
        self._asked: deque[_Place] = deque()
        self._broken: BaseException | None = None

    def run(self, documents: Iterable[Document]) -> Iterator[list[Finished]]:
        """Finished documents, window by window, in order."""
        coming = self._places(documents)
        while True:
            taken = 0
            try:
                for window in self._stream(coming):
                    self._take(window)
                    taken += len(window.vectors)
                    yield list(self._complete())
                break
            except EncodingError as error:
                # The stream is at its end with it: what it was asked beside is asked of another one.
                self._leave_out([row - taken for row in error.rows], error)
        yield list(self._complete())

    def _stream(self, coming: Iterator[_Place]) -> Iterator[Window]:
        """Windows of what was asked before and has no vector yet, and of what comes."""
        if self._broken is not None:
            raise self._broken
        self._asked.clear()
        again = [place for opened in self._open for place in opened.places if not place.done]
        stream = self._embedder.encode_stream(
            self._texts(chain(again, coming)),
            role="document",
            dimensions=self._facts.dimensions,
            window_texts=self._pace,
        )
        began = time.monotonic()
        for window in stream:
            self._pace.took(len(window.vectors), time.monotonic() - began)
            yield window
            began = time.monotonic()

    def _texts(self, places: Iterable[_Place]) -> Iterator[str]:
        for place in places:
            # Before its text: this thread may have its vector at once.
            self._asked.append(place)
            yield place.chunk.embedded

    def _places(self, documents: Iterable[Document]) -> Iterator[_Place]:
        """The passages of all documents, cut only as they are asked for, so that Ctrl-C never waits long."""
        try:
            for document in documents:
                opened = _Open(document)
                self._open.append(opened)
                for chunk in () if document.reason else self._chunks(document):
                    place = _Place(chunk)
                    opened.places.append(place)
                    yield place
                opened.ended = True
        except GeneratorExit:
            raise
        except BaseException as error:
            # The stream that would tell it may be given up for another reason.
            self._broken = error
            raise

    def _chunks(self, document: Document) -> Iterator[Chunk]:
        number = 0
        # Each passage is stored with them.
        title = short_name(document.title)
        for part in document.parts:
            pieces = self._cutter.cut(
                part.text,
                title=title,
                markdown=document.markdown,
                headings=tuple(map(short_name, part.headings)),
            )
            for piece in pieces:
                yield Chunk(
                    source=document.source,
                    sha256=document.sha256,
                    number=number,
                    title=title,
                    heading=BELOW.join(piece.headings),
                    page=part.page,
                    start=part.start + piece.start,
                    end=part.start + piece.start + len(piece.text),
                    tokens=piece.tokens,
                    text=piece.text,
                    embedded=piece.embedded,
                    metadata=document.metadata,
                )
                number += 1

    def _take(self, window: Window) -> None:
        unreadable = set(window.unreadable)
        for row, vector_D in enumerate(window.vectors, window.first_row):
            place = self._asked.popleft()
            place.unreadable = row in unreadable
            # Last: with it the passage counts as done.
            place.vector_D = vector_D

    def _leave_out(self, places: Sequence[int], error: EncodingError) -> None:
        """These of what was asked have no vector; raises where the error does not tell which."""
        if not places:
            raise error
        for place in places:
            self._asked[place].reason = error.hint or error.message

    def _complete(self) -> Iterator[Finished]:
        while self._open and self._open[0].done:
            yield self._finished(self._open.popleft())

    def _finished(self, opened: _Open) -> Finished:
        document, places = opened.document, opened.places
        reason = document.reason
        if document.source and not reason:
            reason = self._why_not(places)
        rows = [place.vector_D for place in places if place.vector_D is not None]
        return Finished(
            document,
            [place.chunk for place in places],
            np.stack(rows) if rows else np.empty((0, self._facts.dimensions), "f4"),
            reason,
            sum(place.unreadable for place in places),
        )

    def _why_not(self, places: Sequence[_Place]) -> str:
        if not places:
            return "holds no text"
        lost = [place.reason for place in places if place.reason]
        if lost:
            many = f"{len(lost):,} of its {len(places):,} passages"
            which = many if len(places) > 1 else "its only passage"
            return f"{EncodingError.no_vector} for {which}: {lost[0]}"
        unreadable = sum(place.unreadable for place in places)
        if unreadable > _UNREADABLE_SHARE * len(places):
            name = self._embedder.profile.name
            return (
                f"is hardly readable for {name} (another language or script): "
                "use a multilingual model such as llama-nemotron-embed-1b-v2"
            )
        return ""
