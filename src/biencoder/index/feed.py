"""Documents through the model: passages out to it, finished documents back, in order.

The model takes passages in windows and reads ahead in a thread of its own; a document is finished
when the vectors of all its passages are there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from biencoder.batching.schedule import WINDOW_TEXTS
from biencoder.embedder.encoder import Encoder
from biencoder.index.facts import Facts
from biencoder.index.filters import Value
from biencoder.index.ledger import FileEnd
from biencoder.index.rows import Chunk
from biencoder.text.passages import BELOW
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


class Feed:
    """One run of documents through a model; ``most``: texts that it takes at once, at most."""

    def __init__(self, embedder: Encoder, facts: Facts, most: int = WINDOW_TEXTS) -> None:
        self._pace = Pace(min(most, WINDOW_TEXTS))
        self._embedder, self._facts = embedder, facts
        self._cutter = embedder.cutter(facts.chunk_tokens)
        self._waiting: deque[tuple[Document, list[Chunk]]] = deque()
        self._vectors: deque[FloatArray] = deque()
        self._unreadable: deque[bool] = deque()

    def run(self, documents: Iterable[Document]) -> Iterator[list[Finished]]:
        """Finished documents, window by window, in order."""
        stream = self._embedder.encode_stream(
            self._texts(documents),
            role="document",
            dimensions=self._facts.dimensions,
            window_texts=self._pace,
        )
        began = time.monotonic()
        for window in stream:
            self._pace.took(len(window.vectors), time.monotonic() - began)
            unreadable = set(window.unreadable)
            self._vectors.extend(window.vectors)
            rows = range(window.first_row, window.first_row + len(window.vectors))
            self._unreadable.extend(row in unreadable for row in rows)
            yield list(self._complete())
            began = time.monotonic()
        yield list(self._complete())

    def _texts(self, documents: Iterable[Document]) -> Iterator[str]:
        for document in documents:
            chunks = [] if document.reason else list(self._chunks(document))
            # Before its texts: the other thread may have their vectors at once.
            self._waiting.append((document, chunks))
            yield from (chunk.embedded for chunk in chunks)

    def _chunks(self, document: Document) -> Iterator[Chunk]:
        number = 0
        for part in document.parts:
            pieces = self._cutter.cut(
                part.text,
                title=document.title,
                markdown=document.markdown,
                headings=part.headings,
            )
            for piece in pieces:
                yield Chunk(
                    source=document.source,
                    sha256=document.sha256,
                    number=number,
                    title=document.title,
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

    def _complete(self) -> Iterator[Finished]:
        while self._waiting and len(self._waiting[0][1]) <= len(self._vectors):
            document, chunks = self._waiting.popleft()
            rows = [self._vectors.popleft() for _ in chunks]
            unreadable = sum(self._unreadable.popleft() for _ in chunks)
            vectors_ND = np.stack(rows) if rows else np.empty((0, self._facts.dimensions), "f4")
            reason = document.reason
            if document.source and not reason:
                reason = self._why_not(chunks, unreadable)
            yield Finished(document, chunks, vectors_ND, reason, unreadable)

    def _why_not(self, chunks: Sequence[Chunk], unreadable: int) -> str:
        if not chunks:
            return "holds no text"
        if unreadable > _UNREADABLE_SHARE * len(chunks):
            name = self._embedder.profile.name
            return (
                f"is hardly readable for {name} (another language or script): "
                "use a multilingual model such as llama-nemotron-embed-1b-v2"
            )
        return ""
