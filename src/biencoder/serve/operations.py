"""Every route as data: what it is for, what it takes, gives and refuses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from biencoder.serve.openapi_schemas import Schema
from biencoder.serve.service import Service

JSON = "application/json"
_WORK = (400, 404, 408, 413, 415, 429, 500, 503, 504)
_INDEX = (400, 404, 429, 500, 503)
_INDEX_BODY = (*_INDEX, 403, 408, 409, 413, 415, 504)


@dataclass(frozen=True, kw_only=True, slots=True)
class Operation:
    """One method of one path. takes, gives: names of schemas; media: of an answer without one."""

    path: str
    method: str = "get"
    about: str
    takes: str | None = None
    gives: str | None = None
    media: str = JSON
    refuses: tuple[int, ...] = ()
    asks: Mapping[str, Schema] = field(default_factory=dict)


_TEXT: Schema = {"type": "string"}
_INDEX_NAME: Mapping[str, Schema] = {"index": _TEXT}
_EMBED = Operation(
    path="/v1/embeddings",
    method="post",
    about="Texts, and for a page model images, into vectors.",
    takes="EmbeddingRequest",
    gives="EmbeddingResponse",
    refuses=_WORK,
)

SIDE = (
    Operation(path="/v1/models", about="Served models.", gives="Models"),
    Operation(
        path="/v1/health/live",
        about="Whether the process can answer; 503: start it again.",
        gives="Live",
        refuses=(503,),
    ),
    Operation(
        path="/v1/health/ready",
        about="Whether requests are taken.",
        gives="Ready",
        refuses=(503,),
    ),
    Operation(
        path="/v1/metadata", about="What decides the vectors of each model.", gives="Metadata"
    ),
    Operation(path="/v1/license", about="The licence of the served model.", gives="License"),
    Operation(
        path="/v1/manifest", about="Files of each model, with hashes, as YAML.", gives="Manifest"
    ),
    Operation(path="/v1/version", about="Of the service and of its API.", gives="Version"),
    Operation(path="/v1/metrics", about="Numbers for Prometheus.", media="text/plain"),
    Operation(path="/metrics", about="As /v1/metrics.", media="text/plain"),
    Operation(path="/health", about="As /v1/health/ready.", gives="Ready", refuses=(503,)),
    Operation(path="/ping", about="As /v1/health/live.", gives="Live", refuses=(503,)),
    Operation(path="/openapi.json", about="This document.", media=JSON),
    Operation(path="/docs", about="This document, to be read.", media="text/html"),
)

_RANK = Operation(
    path="/v1/ranking",
    method="post",
    about="Passages by the dot product of their vectors with a query's.",
    takes="RankingRequest",
    gives="RankingResponse",
    refuses=_WORK,
)

_SEARCH = Operation(
    path="/v1/search",
    method="post",
    about="The best passages of an index for a question.",
    takes="SearchRequest",
    gives="SearchResponse",
    refuses=_INDEX_BODY,
)
_JUDGE = Operation(
    path="/v1/feedback",
    method="post",
    about="Keep a grade of a passage for a question; null takes it back.",
    takes="JudgementRequest",
    gives="Judgement",
    refuses=_INDEX_BODY,
)
_LIMIT: Schema = {"type": "integer", "minimum": 1, "maximum": 1000}
SEARCH = (
    Operation(path="/", about="The search page.", media="text/html"),
    Operation(path="/web/{file}", about="What the page loads.", media="text/plain", refuses=(404,)),
    _SEARCH,
    Operation(
        path="/v1/search",
        about="What can be searched and filtered on.",
        gives="Searchable",
        refuses=_INDEX,
    ),
    Operation(
        path="/v1/documents",
        about="Documents by source.",
        gives="Documents",
        refuses=_INDEX,
        asks={**_INDEX_NAME, "after": _TEXT, "contains": _TEXT, "limit": _LIMIT},
    ),
    Operation(
        path="/v1/documents/{document}",
        about="Passages of a document in order, from a number on or around one of them.",
        gives="Document",
        refuses=_INDEX,
        asks={
            **_INDEX_NAME,
            "passage": _TEXT,
            "first": {"type": "integer", "minimum": 0},
            "limit": _LIMIT,
        },
    ),
    Operation(
        path="/v1/documents/{document}/file",
        about="The source file, where it still lies in the indexed folder.",
        media="application/octet-stream",
        refuses=(*_INDEX, 416),
        asks=_INDEX_NAME,
    ),
    Operation(
        path="/v1/documents/{document}/pages/{passage}/image",
        about="The picture of a page, where the index keeps one.",
        media="image/webp",
        refuses=_INDEX,
        asks=_INDEX_NAME,
    ),
    _JUDGE,
    Operation(
        path="/v1/feedback",
        about="How much is judged.",
        gives="Judgements",
        refuses=_INDEX,
        asks=_INDEX_NAME,
    ),
    Operation(
        path="/v1/feedback/export",
        about="All judgements as a BEIR folder, zipped.",
        media="application/zip",
        refuses=_INDEX,
        asks=_INDEX_NAME,
    ),
)


def operations(service: Service) -> tuple[Operation, ...]:
    """What this service offers."""
    found = [_EMBED, _as(_EMBED, "/embeddings")]
    if service.settings.ranking:
        found.append(_RANK)
    if service.searching is not None:
        found += [*SEARCH, _as(_SEARCH, "/api/search"), _as(_JUDGE, "/api/feedback")]
    return (*found, *SIDE)


def _as(operation: Operation, path: str) -> Operation:
    return Operation(
        path=path,
        method=operation.method,
        about=f"As {operation.path}.",
        takes=operation.takes,
        gives=operation.gives,
        refuses=operation.refuses,
    )
