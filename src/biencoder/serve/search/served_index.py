"""An index that the service answers from: one version at hand, and the next as soon as it is there.

A request takes the version that stands at its beginning and keeps it to its end, so that a vector of
one model never meets the table of another.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa

from biencoder.errors import BiencoderError, IndexDamagedError
from biencoder.index.facts import Facts
from biencoder.index.filter_check import ColumnType
from biencoder.index.hits import Hit
from biencoder.index.opened import open_snapshot
from biencoder.index.rows import CORE
from biencoder.index.search import Request, Snapshot, search
from biencoder.index.writer import metadata_columns
from biencoder.serve.search.question_models import QuestionModels
from biencoder.types import FloatArray

logger = logging.getLogger("biencoder.serve")

# How often a newer version is looked for, and how long a request waits for one that is being opened.
_LOOK_SECONDS = 2.0
_PATIENCE_SECONDS = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFacts:
    """One document of an index. pages: the last page's number, None where it has none."""

    id: str
    source: str
    title: str
    passages: int
    pages: int | None


@dataclass(frozen=True)
class Standing:
    """One acknowledged version with what is worked out from it once."""

    snapshot: Snapshot

    @property
    def facts(self) -> Facts:
        """The model and the settings that made it."""
        return self.snapshot.facts

    @cached_property
    def columns(self) -> dict[str, ColumnType]:
        """What can be filtered on."""
        return {**CORE, **metadata_columns(self.snapshot.store.schema)}

    @cached_property
    def documents(self) -> Mapping[str, DocumentFacts]:
        """Every document by its id, in order of the sources."""
        table = self.snapshot.mirror.columns.select(["source", "title", "page"])
        wanted: Any = [("source", "count"), ("title", "max"), ("page", "max")]
        grouped = pa.TableGroupBy(table, "source").aggregate(wanted).sort_by("source")
        found: list[Any] = grouped.to_pylist()
        return {
            document_id(row["source"]): DocumentFacts(
                id=document_id(row["source"]),
                source=row["source"],
                title=row["title_max"] or "",
                passages=row["source_count"],
                pages=row["page_max"],
            )
            for row in found
        }

    def row(self, passage: str) -> dict[str, Any] | None:
        """A passage's columns by its id, or None."""
        place = self.snapshot.mirror.places.get(passage)
        return None if place is None else self.snapshot.mirror.row(place)


def document_id(source: str) -> str:
    """A document's name in an address: a hash, so that no path ever comes from a request."""
    return hashlib.sha256(source.encode()).hexdigest()[:32]


class ServedIndex:
    """One index by name, with the models that are at hand to ask it."""

    def __init__(self, name: str, folder: Path, models: QuestionModels) -> None:
        self.name = name
        self.folder = folder
        self.standing = Standing(open_snapshot(folder))
        self._models = models
        self._looked = time.monotonic()
        self._opening: asyncio.Task[None] | None = None

    async def newest(self) -> Standing:
        """The newest version that can be had at once; a larger one is opened beside the answering."""
        if self._opening is None and time.monotonic() - self._looked > _LOOK_SECONDS:
            self._opening = asyncio.create_task(self._look())
        if self._opening is not None:
            await asyncio.wait({self._opening}, timeout=_PATIENCE_SECONDS)
        return self.standing

    async def vector(
        self, standing: Standing, question: str, instruction: str | None, timeout: float
    ) -> FloatArray:
        """The question's vector, shape (dimensions,); raises as `QuestionModels.vector`."""
        return await self._models.vector(standing.facts, question, instruction, timeout)

    def search(self, standing: Standing, request: Request) -> list[Hit]:
        """Ask one version; where its files are gone, the one that took its place.

        Raises IndexDamagedError where that one is of another model.
        """
        try:
            return search(standing.snapshot, request)
        except IndexDamagedError:
            fresh = self._open()
            if fresh.facts.fingerprint != standing.facts.fingerprint:
                raise
            return search(fresh.snapshot, request)

    async def _look(self) -> None:
        try:
            await asyncio.to_thread(self._open)
        except BiencoderError as error:
            # What is open can still be asked; whoever writes puts the other right.
            logger.warning("index %s could not be opened anew: %s", self.name, error.message)
        finally:
            self._looked = time.monotonic()
            self._opening = None

    def _open(self) -> Standing:
        fresh = Standing(open_snapshot(self.folder))
        before = self.standing
        if (fresh.facts.created, fresh.snapshot.version) != (
            before.facts.created,
            before.snapshot.version,
        ):
            self.standing = fresh
            if not self._models.has(fresh.facts) and self._models.has(before.facts):
                said = "index %s is now made with %s, which was not loaded at the start: restart"
                logger.warning(said, self.name, fresh.facts.model)
        return fresh


def open_indices(
    folders: Sequence[Path], models: QuestionModels, say: Callable[[str], None] = lambda line: None
) -> dict[str, ServedIndex]:
    """Indices by the names of their folders; a second of the same name gets a number.

    ``say`` is told of each model that is loaded for one. Raises as `biencoder.Index.open` and
    `QuestionModels.prepare`.
    """
    opened: dict[str, ServedIndex] = {}
    for folder in folders:
        stem = folder.resolve().name or "index"
        taken = sum(name == stem or name.startswith(f"{stem}-") for name in opened)
        name = f"{stem}-{taken + 1}" if stem in opened else stem
        opened[name] = ServedIndex(name, folder, models)
    for index in opened.values():
        models.prepare(index.standing.facts, index.folder, index.name, say)
    return opened
