"""Searching over the wire: the indices that are served, and ``/v1/search``."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pyarrow.compute as pc
from starlette.requests import Request as HttpRequest
from starlette.responses import Response
from starlette.routing import Route

from biencoder.errors import BiencoderError, FingerprintError, InputError, TooLongError
from biencoder.index.filter_check import ColumnType
from biencoder.index.hits import MODES, Hit
from biencoder.index.search import Request
from biencoder.serve.body import read_json
from biencoder.serve.described import notice
from biencoder.serve.embeddings.vectors import while_connected
from biencoder.serve.engine.engine import Engine
from biencoder.serve.errors import ApiError
from biencoder.serve.search import document_routes, feedback_routes, page
from biencoder.serve.search.asked import Asked, read_asked, read_filter
from biencoder.serve.search.feedback import JudgementFile, judged_key
from biencoder.serve.search.marks import is_markdown, shown
from biencoder.serve.search.pictures import shares
from biencoder.serve.search.question_models import QuestionModels
from biencoder.serve.search.served_index import ServedIndex, Standing, document_id, open_indices
from biencoder.serve.search.threads import SearchThreads
from biencoder.serve.side import json_answer
from biencoder.types import FloatArray

if TYPE_CHECKING:
    from biencoder.serve.service import Service

logger = logging.getLogger("biencoder.serve")

_T = TypeVar("_T")

# Searches that run at once, and that wait beside them: more would only wait longer.
_AT_ONCE = 4
_WAITING = 64
# An export reads a whole index, so searches never wait for one.
_EXPORTS_WAITING = 4
# A column with at most so many values can be chosen from; the page asks for no others.
_CHOICES = 200


class SearchService:
    """What the search routes share. ``feedback``: where judgements are kept."""

    def __init__(
        self, indices: dict[str, ServedIndex], feedback: JudgementFile, notices: Sequence[str] = ()
    ) -> None:
        self.indices = indices
        self.feedback = feedback
        self.notices = tuple(notices)
        self._threads = SearchThreads(_AT_ONCE, _WAITING)
        self._export_threads = SearchThreads(1, _EXPORTS_WAITING)

    @classmethod
    def open(
        cls,
        folders: Sequence[Path],
        *,
        engines: Sequence[Engine] = (),
        feedback: Path | None = None,
        say: Callable[[str], None] = lambda line: None,
    ) -> SearchService:
        """Open indices, with the models that made them: those of ``engines``, the others loaded now.

        feedback: a folder for judgements; by default ``feedback`` in the first index. ``say`` is told
        of each model before it is loaded. Raises as `open_indices`.
        """
        if not folders:
            raise InputError("no index was given to search", hint="name one with --index FOLDER")
        models = QuestionModels(engines)
        indices = open_indices(folders, models, say)
        notices = dict.fromkeys(notice(profile) for profile in models.profiles)
        return cls(
            indices,
            JudgementFile(feedback or folders[0] / "feedback"),
            [said for said in notices if said],
        )

    def routes(self, service: Service) -> list[Route]:
        """The search page and everything that it calls."""
        return [
            Route("/v1/search", partial(_describe, self)),
            *(
                Route(path, partial(_search, service, self), methods=["POST"])
                for path in ("/v1/search", "/api/search")
            ),
            *document_routes.routes(self),
            *feedback_routes.routes(service, self),
            *page.routes(),
        ]

    def index(self, name: str | None) -> ServedIndex:
        """An index by name, the first without; ApiError not_found where there is none."""
        if not name:
            return next(iter(self.indices.values()))
        found = self.indices.get(name)
        if found is None:
            known = ", ".join(self.indices)
            raise ApiError("not_found", f"There is no such index; served are: {known}")
        return found

    async def in_thread(self, work: Callable[..., _T], *given: Any, **named: Any) -> _T:
        """As `SearchThreads.run`, with the library's errors as ApiError."""
        with told():
            return await self._threads.run(work, *given, **named)

    async def in_export_thread(self, work: Callable[..., _T], *given: Any) -> _T:
        """As `in_thread`, for what takes long: one at a time."""
        with told():
            return await self._export_threads.run(work, *given)


@contextmanager
def told() -> Iterator[None]:
    """The library's errors as answers; what names a place of this machine stays in the log."""
    try:
        yield
    except TooLongError as error:
        message = "The question has more tokens than the model of this index reads"
        raise ApiError("context_length_exceeded", message, param="query") from error
    except InputError as error:
        raise ApiError("invalid_request", error.message) from error
    except FingerprintError as error:
        logger.error("index of another model: %s", error.message)
        message = "The index was made by a model that is not at hand; the log names both"
        raise ApiError("index_conflict", message) from error
    except BiencoderError as error:
        logger.error("index: %s", error)
        raise ApiError("index_error", "The index cannot be used now; the log says why") from error


@asynccontextmanager
async def within(seconds: float) -> AsyncIterator[None]:
    """Raise ApiError timeout where the block takes longer."""
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise ApiError("timeout", f"The search took longer than {seconds:g} seconds") from error


async def _search(service: Service, searching: SearchService, request: HttpRequest) -> Response:
    settings = service.settings
    asked = read_asked(await read_json(request, settings), strict=settings.strict_fields)
    found = _answer(searching, asked, settings.request_timeout)
    return json_answer(await while_connected(request, found))


async def _answer(searching: SearchService, asked: Asked, timeout: float) -> dict[str, Any]:
    begun = time.perf_counter()
    async with within(timeout):
        index = searching.index(asked.index)
        standing = await index.newest()
        wanted = None
        if asked.filter is not None:
            wanted = await searching.in_thread(read_filter, asked.filter, standing.columns)
        vector = None
        if asked.mode != "lexical":
            vector = await _vector(index, standing, asked, timeout)
        encoded = time.perf_counter()
        made = Request(
            asked.question, partial(_given, vector), asked.top_k, asked.mode, wanted, asked.fusion
        )
        explained = vector if asked.shares else None
        found = await searching.in_thread(_found, searching, index, standing, made, explained)
    ended = time.perf_counter()
    return {
        "object": "search.result",
        "index": index.name,
        "model": standing.facts.model,
        "mode": asked.mode,
        "version": standing.snapshot.version,
        "hits": found,
        "milliseconds": {
            "encode": round(1e3 * (encoded - begun), 2),
            "search": round(1e3 * (ended - encoded), 2),
            "total": round(1e3 * (ended - begun), 2),
        },
    }


async def _vector(
    index: ServedIndex, standing: Standing, asked: Asked, timeout: float
) -> FloatArray:
    try:
        with told():
            return await index.vector(standing, asked.question, asked.instruction, timeout)
    except ApiError as error:
        if error.code == "context_length_exceeded":
            error.param = "query"
        raise


def _given(vector: FloatArray | None) -> FloatArray:
    assert vector is not None, "a lexical search has no vector and asks for none"
    return vector


def _found(
    searching: SearchService,
    index: ServedIndex,
    standing: Standing,
    request: Request,
    explained: FloatArray | None,
) -> list[dict[str, Any]]:
    """explained: the question's vector, where the shares of pages are to be told."""
    hits = index.search(standing, request)
    grades = searching.feedback.standing()
    records = []
    for hit in hits:
        judged = grades.get(judged_key(request.question, hit.source, hit.text, hit.page))
        grade = None if judged is None else judged.grade
        record = {**_record(hit, request.question), "grade": grade}
        if explained is not None and hit.pictured:
            record["shares"] = shares(standing, hit.id, explained)
        records.append(record)
    return records


def _record(hit: Hit, question: str) -> dict[str, Any]:
    markdown = is_markdown(hit.source)
    return {
        "object": "search.hit",
        "rank": hit.rank,
        "score": hit.score,
        "scores": {"dense": hit.dense, "lexical": hit.lexical},
        "id": hit.id,
        "document": document_id(hit.source),
        "source": hit.source,
        "title": hit.title,
        "heading": hit.heading,
        "page": hit.page,
        "start": hit.start,
        "end": hit.end,
        "text": hit.text,
        "pictured": hit.pictured,
        "snippet": shown(hit.text, question, markdown=markdown),
        "metadata": {name: value for name, value in hit.metadata.items() if value is not None},
    }


async def _describe(searching: SearchService, request: HttpRequest) -> Response:
    """What can be searched and filtered on."""
    indices = []
    for index in searching.indices.values():
        standing = await index.newest()
        indices.append(await searching.in_thread(_described, index.name, standing))
    return json_answer(
        {
            "object": "search.description",
            "indices": indices,
            "modes": list(MODES),
            "notices": list(searching.notices),
        }
    )


def _described(name: str, standing: Standing) -> dict[str, Any]:
    facts = standing.facts
    return {
        "name": name,
        "model": facts.model,
        "fingerprint": facts.fingerprint,
        "dimensions": facts.dimensions,
        "passages": standing.snapshot.rows,
        "documents": len(standing.documents),
        "version": standing.snapshot.version,
        "created": facts.created,
        "columns": [
            {"name": column, "type": kind, "values": _choices(standing, column, kind)}
            for column, kind in standing.columns.items()
        ],
    }


def _choices(standing: Standing, column: str, kind: ColumnType) -> list[Any]:
    """The values of a column to choose from; none where there are too many to read."""
    if column in ("id", "number", "start", "end", "tokens") or kind == "number":
        return []
    values = pc.unique(standing.snapshot.mirror.columns[column]).drop_null()
    if len(values) > _CHOICES:
        return []
    found: list[Any] = values.take(pc.array_sort_indices(values)).to_pylist()
    return [value for value in found if value not in ("", np.nan)]
