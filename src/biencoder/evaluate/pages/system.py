"""A page model under judgement: documents by their pictures, questions by their words.

Pictures are opened and PDF pages drawn while earlier ones are computed; a few are in memory at a
time. A page that cannot be had gets a row of zeros: no unit vector is one, so the page is known by
it, also when a killed run goes on, and is taken out of every ranking.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from biencoder.embedder.pages.page import Modality
from biencoder.errors import InputError
from biencoder.evaluate.judged_set import JudgedSet
from biencoder.evaluate.modality import check_modality, page_facts, page_limit
from biencoder.evaluate.pages.page_set import JudgedPage, PageSet, with_pictures
from biencoder.evaluate.pages.pictures import Pictured
from biencoder.evaluate.systems import EmbedderSystem, Part, System
from biencoder.types import FloatArray, Role

_BLOCK = 4096


class PageWarning(UserWarning):
    """A page could not be embedded, so no query finds it; or no page has words for BM25."""


@dataclass
class PageSystem(EmbedderSystem):
    """One of our page models, reading the pictures of a set's documents.

    judged: the set. dpi: at which pages of PDFs are drawn.
    """

    judged: PageSet = field(kw_only=True)
    modality: Modality = field(kw_only=True)
    dpi: int = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.name = f"{self.name}, {self.modality}"

    def facts(self) -> Mapping[str, Any]:
        """As for texts, and what decides what is seen of a page."""
        reading = self.embedder.pages
        assert reading is not None, "a text model was told to read pages"
        return {
            **super().facts(),
            "name": self.embedder.profile.name,
            "max_tokens": page_limit(reading, self.modality),
            "modality": self.modality,
            **page_facts(reading),
            "dpi": self.dpi,
            "pictures": self.judged.pictures,
        }

    @property
    def documents(self) -> Sequence[JudgedPage]:
        """What `encode` takes for the role of a document."""
        return self.judged.pages(with_text=self.modality == "image_text")

    def encode(self, texts: Sequence[Any], role: Role) -> Iterator[Part]:
        """Questions are texts, documents are pages of `documents`."""
        if role == "query":
            yield from super().encode(texts, role)
        else:
            yield from self._encode_pages(texts)

    def _encode_pages(self, pages: Sequence[JudgedPage]) -> Iterator[Part]:
        pictured = Pictured(pages, dpi=self.dpi)
        done = 0
        for window in self.embedder.encode_pages(pictured, truncate="END"):
            # The pages of this window, and those without a picture that were passed over before them.
            stop = pictured.places[window.first_row + window.pages - 1] + 1
            vectors = self._zeros(stop - done)
            vectors[[pictured.places[row] - done for row in window.rows]] = window.vectors
            pictured.failed += [
                (pictured.places[failure.row], failure.reason) for failure in window.failed
            ]
            yield Part(vectors, window.tokens, window.cut)
            done = stop
        if done < len(pages):
            yield Part(self._zeros(len(pages) - done))
        self._tell(pages, pictured.failed)

    def _zeros(self, rows: int) -> FloatArray:
        return np.zeros((rows, self.dimensions[-1]), dtype=np.float32)

    def _tell(self, pages: Sequence[JudgedPage], failed: Sequence[tuple[int, str]]) -> None:
        if failed and len(failed) == len(pages):
            raise InputError(f"no page could be embedded; the first: {failed[0][1]}")
        for place, reason in sorted(failed):
            warnings.warn(f"{pages[place].id} is found by no query: {reason}", PageWarning, 2)


def system_for(system: System, judged: JudgedSet, *, modality: Modality | None, dpi: int) -> System:
    """The system that reads a set's documents as asked; unless told, by picture and text where it can.

    Raises InputError for pictures that the set does not have or that the model does not read.
    """
    if not isinstance(system, EmbedderSystem):
        if modality in (None, "text"):
            return system
        raise InputError(f"{system.name} reads text only", hint="leave the modality out")
    embedder = system.embedder
    if modality is None:
        modality = _all_of(judged) if embedder.pages is not None else "text"
    check_modality(modality, embedder)
    if modality == "text":
        return system
    return PageSystem(
        embedder, system.instruction, judged=with_pictures(judged), modality=modality, dpi=dpi
    )


def _all_of(judged: JudgedSet) -> Modality:
    """What the documents have to read."""
    if not isinstance(judged, PageSet):
        return "text"
    return "image_text" if judged.has_text else "image"


def failed_rows(vectors: FloatArray) -> set[int]:
    """The rows of zeros among unit vectors: pages that could not be embedded."""
    return {
        start + int(row)
        for start in range(0, len(vectors), _BLOCK)
        for row in np.flatnonzero(~vectors[start : start + _BLOCK].any(axis=1))
    }
