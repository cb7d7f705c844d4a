"""Search in memory: a few thousand passages, encoded on the spot, every one compared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np

from biencoder.embedder.collect import similarity
from biencoder.embedder.encoder import Encoder
from biencoder.errors import InputError, TooLongError
from biencoder.text.truncate import question_too_long
from biencoder.types import FloatArray


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage found. start: its first character's place in the document's text."""

    rank: int
    score: float
    text: str
    source: str
    title: str
    start: int


@dataclass
class MemoryIndex:
    """Passages and their vectors, float32, shape (passages, dimensions)."""

    embedder: Encoder
    dimensions: int | None = None
    documents: int = 0
    unreadable: int = 0
    texts: list[str] = field(default_factory=list)
    places: list[tuple[str, str, int]] = field(default_factory=list)
    _vectors: list[FloatArray] = field(default_factory=list)

    def add(self, documents: Iterable[tuple[str, str, str]]) -> Iterator[int]:
        """Cut and encode documents given as (source, title, text); yields passages done, by window."""
        stream = self.embedder.encode_stream(
            self._passages(documents), role="document", dimensions=self.dimensions
        )
        for window in stream:
            self._vectors.append(window.vectors)
            self.unreadable += len(window.unreadable)
            yield len(window.vectors)

    def search(self, question: str, *, top_k: int, instruction: str | None = None) -> list[Hit]:
        """The best passages, highest score first, ties by their order in the corpus.

        Raises InputError for an empty corpus, TooLongError for a question that the model cannot read.
        """
        if top_k < 1:
            raise InputError(f"top_k is {top_k}; ask for at least 1 passage")
        if not self._vectors:
            raise InputError("the corpus is empty", hint="give a file or folder that holds text")
        try:
            query = self.embedder.encode_queries(
                [question], dimensions=self.dimensions, instruction=instruction
            )
        except TooLongError as error:
            raise question_too_long(error) from error
        scores = similarity(query, np.concatenate(self._vectors))[0]
        best = np.argsort(-scores, kind="stable")[:top_k]
        return [self._hit(place, int(row), float(scores[row])) for place, row in enumerate(best, 1)]

    def _hit(self, rank: int, row: int, score: float) -> Hit:
        source, title, start = self.places[row]
        return Hit(rank, score, self.texts[row], source, title, start)

    def _passages(self, documents: Iterable[tuple[str, str, str]]) -> Iterator[str]:
        cutter = self.embedder.cutter()
        for source, title, text in documents:
            self.documents += 1
            markdown = "\n#" in text or text.startswith("#")
            for piece in cutter.cut(text, title=title, markdown=markdown):
                self.texts.append(piece.text)
                self.places.append((source, title, piece.start))
                yield piece.embedded
