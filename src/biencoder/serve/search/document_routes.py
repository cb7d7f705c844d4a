"""``/v1/documents``: what an index holds, a document at a place, its source file."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from biencoder.serve.errors import ApiError
from biencoder.serve.fields import invalid
from biencoder.serve.search import documents, pictures
from biencoder.serve.search.page import HEADERS
from biencoder.serve.search.served_index import Standing
from biencoder.serve.side import json_answer

if TYPE_CHECKING:
    from biencoder.serve.search.search import SearchService


def routes(searching: SearchService) -> list[Route]:
    """Each takes ``index``, the name of one of several."""
    return [
        Route("/v1/documents", partial(_list, searching)),
        Route("/v1/documents/{document}", partial(_read, searching)),
        Route("/v1/documents/{document}/file", partial(_file, searching)),
        Route("/v1/documents/{document}/pages/{passage}/image", partial(_image, searching)),
    ]


async def _list(searching: SearchService, request: Request) -> Response:
    """``limit`` documents that follow the one named ``after``; ``contains``: part of source or title."""
    limit = _number(request, "limit", documents.LISTED, 1, documents.MAX_LISTED)
    given = request.query_params
    listed = await searching.in_thread(
        documents.list_documents,
        await _standing(searching, request),
        after=given.get("after", ""),
        part=given.get("contains", ""),
        limit=limit,
    )
    return json_answer(listed)


async def _read(searching: SearchService, request: Request) -> Response:
    """A document's passages from number ``first`` on, or around the one named ``passage``."""
    limit = _number(request, "limit", documents.SHOWN, 1, documents.MAX_SHOWN)
    first = _number(request, "first", 0, 0, 2**31)
    standing = await _standing(searching, request)

    def read() -> dict[str, object]:
        document = documents.find_document(standing, request.path_params["document"])
        passage = request.query_params.get("passage", "")
        return documents.read_document(
            standing, document, first=first, limit=limit, passage=passage
        )

    return json_answer(await searching.in_thread(read))


async def _file(searching: SearchService, request: Request) -> Response:
    """The source file, to be kept and never to be shown in the page's place."""
    standing = await _standing(searching, request)

    def find() -> Response:
        document = documents.find_document(standing, request.path_params["document"])
        path = documents.source_file(standing, document.source)
        if path is None:
            raise ApiError("not_found", "The document's source file is not at hand")
        return _Download(
            path, media_type="application/octet-stream", filename=path.name, headers=HEADERS
        )

    return await searching.in_thread(find)


class _Download(FileResponse):
    """A file; a range that it does not have is refused as everything else is."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry."""

        async def watch(message: Message) -> None:
            if message.get("status") == 416:
                length = dict(message["headers"]).get(b"content-range", b"").decode()
                raise ApiError(
                    "range_not_satisfiable",
                    "Range: the file has no such bytes",
                    headers={"Content-Range": length},
                )
            if message.get("status") == 400:
                invalid("Range", "must be bytes=FIRST-LAST")
            await send(message)

        await super().__call__(scope, receive, watch)


async def _image(searching: SearchService, request: Request) -> Response:
    """The picture of a page, out of the index and from nowhere else."""
    standing = await _standing(searching, request)
    given = request.path_params

    def find() -> Response:
        document = documents.find_document(standing, given["document"])
        picture = pictures.page_picture(standing, document, given["passage"])
        headers = {**HEADERS, "ETag": picture.tag, "Cache-Control": "private, no-cache"}
        if request.headers.get("if-none-match") == picture.tag:
            return Response(status_code=304, headers=headers)
        return Response(picture.content, media_type=pictures.MEDIA_TYPE, headers=headers)

    return await searching.in_thread(find)


async def _standing(searching: SearchService, request: Request) -> Standing:
    return await searching.index(request.query_params.get("index")).newest()


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    given = request.query_params.get(name)
    if not given:
        return default
    # Longer ones are out of bounds anyway, and Python would refuse to read thousands of digits.
    if not (given.isascii() and given.isdecimal() and len(given) < 12):
        invalid(name, "must be a whole number")
    if not least <= int(given) <= most:
        invalid(name, f"must be between {least} and {most}")
    return int(given)
