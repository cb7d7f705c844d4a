"""``/v1/feedback``: a judgement kept, all of them counted, all of them as a BEIR folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from typing import IO, TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from biencoder.index.hits import MODES
from biencoder.serve.body import read_json
from biencoder.serve.errors import ApiError
from biencoder.serve.fields import choice, invalid, known_fields, text, whole_number
from biencoder.serve.search.asked import question_of
from biencoder.serve.search.feedback import MAX_GRADE, Judgement, question_key
from biencoder.serve.search.judged_export import FOLDER, place_judgements, write_beir
from biencoder.serve.search.served_index import ServedIndex, Standing, document_id
from biencoder.serve.settings import Settings
from biencoder.serve.side import json_answer

if TYPE_CHECKING:
    from biencoder.serve.search.search import SearchService
    from biencoder.serve.service import Service

FIELDS = ("query", "passage", "grade", "index", "mode")
_BLOCK = 1 << 16


def routes(service: Service, searching: SearchService) -> list[Route]:
    """Judging, counting, taking away."""
    keep = partial(_keep, service.settings, searching)
    paths = ("/v1/feedback", "/api/feedback")
    return [
        Route("/v1/feedback", partial(_count, searching)),
        *(Route(path, keep, methods=["POST"]) for path in paths),
        Route("/v1/feedback/export", partial(_export, searching)),
    ]


async def _keep(settings: Settings, searching: SearchService, request: Request) -> Response:
    """Keep a grade of a passage for a question; ``null`` takes it back."""
    _same_site(settings, request)
    body = await read_json(request, settings)
    fields = known_fields(body, FIELDS, strict=settings.strict_fields)
    grade = whole_number(fields, "grade")
    if not any(name.lower() == "grade" for name in body):
        invalid("grade", f"is required: 0 to {MAX_GRADE}, or null to take a grade back")
    if grade is not None and not 0 <= grade <= MAX_GRADE:
        invalid("grade", f"must be between 0 and {MAX_GRADE}, or null to take a grade back")
    index = searching.index(text(fields, "index"))
    judgement = _judgement(
        index,
        await index.newest(),
        question=question_of(fields),
        passage=text(fields, "passage") or "",
        grade=grade,
        mode=choice(fields, "mode", MODES) or "",
    )
    await searching.in_thread(searching.feedback.add, judgement)
    return json_answer({"object": "feedback", "passage": judgement.passage, "grade": grade})


def _judgement(
    index: ServedIndex,
    standing: Standing,
    *,
    question: str,
    passage: str,
    grade: int | None,
    mode: str,
) -> Judgement:
    row = standing.row(passage)
    if row is None:
        raise ApiError(
            "not_found", "The index holds no passage with this id; search again", param="passage"
        )
    return Judgement(
        time=datetime.now(UTC).isoformat(timespec="milliseconds"),
        question=question_key(question),
        grade=grade,
        index=index.name,
        model=standing.facts.model,
        fingerprint=standing.facts.fingerprint,
        mode=mode,
        document=document_id(row["source"]),
        passage=passage,
        **{
            name: row[name]
            for name in ("source", "title", "heading", "page", "start", "end", "text")
        },
    )


async def _count(searching: SearchService, request: Request) -> Response:
    """How much is judged, and the questions with what was said on them."""
    standing = await searching.index(request.query_params.get("index")).newest()
    return json_answer(await searching.in_thread(_counted, searching, standing))


def _counted(searching: SearchService, standing: Standing) -> dict[str, Any]:
    judgements = list(searching.feedback.standing().values())
    questions: dict[str, dict[str, Any]] = {}
    for judgement in judgements:
        of = questions.setdefault(
            judgement.question, {"query": judgement.question, "relevant": 0, "irrelevant": 0}
        )
        of["relevant" if judgement.grade else "irrelevant"] += 1
    _, lost = place_judgements(standing, judgements)
    return {
        "object": "feedback.summary",
        "judgements": len(judgements),
        "relevant": sum(bool(judgement.grade) for judgement in judgements),
        "questions": list(questions.values()),
        "not_in_index": lost,
        "unreadable_lines": searching.feedback.damaged,
    }


async def _export(searching: SearchService, request: Request) -> Response:
    """Everything that was judged, with the corpus it was judged on."""
    index = searching.index(request.query_params.get("index"))
    standing = await index.newest()
    packed = await searching.in_export_thread(_packed, searching, index.name, standing)
    headers = {"Content-Disposition": f'attachment; filename="{FOLDER}.zip"'}
    return StreamingResponse(_blocks(packed), media_type="application/zip", headers=headers)


def _packed(searching: SearchService, name: str, standing: Standing) -> IO[bytes]:
    judgements = list(searching.feedback.standing().values())
    placed, _ = place_judgements(standing, judgements)
    if not any(qrel.grade > 0 for qrel in placed):
        raise ApiError(
            "not_found",
            "No passage of this index has been judged relevant yet, so nothing could be evaluated",
        )
    file = tempfile.TemporaryFile()  # noqa: SIM115 - it is read, and closed, while it is sent
    write_beir(standing, name, judgements, file)
    file.seek(0)
    return file


def _blocks(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while block := file.read(_BLOCK):
            yield block


def _same_site(settings: Settings, request: Request) -> None:
    """Another site's page, open in the same browser, must not judge in a person's name.

    A browser says which site asks, but over plain http only to this machine itself; then the origin,
    which it gives with every POST, must be the address that was asked.
    """
    origin = request.headers.get("origin")
    if origin is not None and origin == settings.cors_origin:
        return
    site = request.headers.get("sec-fetch-site", "none")
    ours = origin is None or _is_ours(origin, request.headers.get("host", ""), settings)
    if site != "same-origin" and not (site == "none" and ours):
        raise ApiError("cross_site", "Judgements are taken from the service's own page only")


def _is_ours(origin: str, host: str, settings: Settings) -> bool:
    """Whether it is this service's address, or the public one of a proxy before it."""
    place = origin.lower().partition("://")[2]
    public = {name.lower() for name in settings.allowed_hosts}
    return bool(place) and (place == host.lower() or place.partition(":")[0] in public)
