"""``POST /v1/embeddings``: a body becomes vectors, checked step by step in the contract's order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from biencoder.embedder.precision import calibrated_scales
from biencoder.serve.body import read_json
from biencoder.serve.embeddings import answer, ranking
from biencoder.serve.embeddings.dimensions import check_bits, choose_size
from biencoder.serve.embeddings.images import refuse_images
from biencoder.serve.embeddings.items import Item, check_items, read_items
from biencoder.serve.embeddings.names import Registry, Served
from biencoder.serve.embeddings.roles import Roles, check_instruction, choose_roles
from biencoder.serve.embeddings.vectors import Work, compute, compute_headers, while_connected
from biencoder.serve.embeddings.wire import EmbeddingRequest, missing_model, parse
from biencoder.serve.engine.engine import Embedded, SentPage
from biencoder.serve.settings import WireRole

if TYPE_CHECKING:
    from biencoder.serve.service import Service

JSON = "application/json"

# Above this many bytes of vectors, writing them as text would be felt by the other requests.
INLINE_BYTES = 64 * 1024

# Above this many characters of input, so would looking at what they are.
INLINE_CHARACTERS = 1_000_000

# A larger answer is written while it is sent, so that it never stands in memory as a whole.
STREAMED_BYTES = 32 * 1024 * 1024


def routes(service: Service) -> list[Route]:
    """The routes that turn texts into vectors, and into scores where the settings ask for it."""
    # NeMo-Retriever asks at /embeddings where its base URL has no path.
    embed = Embeddings(service).respond
    found = [Route(path, embed, methods=["POST"]) for path in ("/v1/embeddings", "/embeddings")]
    if service.settings.ranking:
        found += ranking.routes(service)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A request whose every field is known to fit the model that it is for."""

    wanted: EmbeddingRequest
    served: Served
    roles: Roles
    items: tuple[Item, ...]
    size: int

    @property
    def pages(self) -> dict[int, SentPage]:
        """The inputs that hold an image, by their position."""
        return {
            number: SentPage(item.image, item.text)
            for number, item in enumerate(self.items)
            if item.image is not None
        }


class Embeddings:
    """The handler. Raises ConfigError at the start for a damaged ``quantization.json``."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.settings = service.settings
        self.scales: dict[str, Mapping[int, float]] = {
            served.id: calibrated_scales(served.engine.embedder.source.folder)
            for served in service.registry.served
        }

    async def respond(self, request: Request) -> Response:
        """One request, from body to vectors."""
        wanted = parse(await read_json(request, self.settings), self.settings)
        # Looking for images in megabytes of text would be felt by the other requests.
        big = sum(map(len, wanted.texts)) > INLINE_CHARACTERS
        asked = await asyncio.to_thread(self.check, wanted) if big else self.check(wanted)
        work = Work(
            texts=asked.wanted.texts,
            pages=asked.pages,
            roles=asked.roles.by_item,
            place=asked.wanted.place,
            timeout=self.settings.request_timeout,
            dimensions=asked.size,
            truncate=asked.wanted.truncate,
            instruction=asked.wanted.instruction,
        )
        embedded = await while_connected(request, compute(asked.served.engine, work))
        return await self._write(asked, embedded)

    def check(self, wanted: EmbeddingRequest) -> Asked:
        """What depends on the model: name, size, role, images; raises ApiError."""
        served, suffix = find_model(self.service.registry, wanted.model)
        embedder = served.engine.embedder
        prompts = embedder.profile.prompts
        size = choose_size(
            wanted.dimensions,
            embedder.dimensions,
            policy=self.settings.dimensions_policy,
            model=served.id,
        )
        check_bits(size, wanted.embedding_type)
        default = self.settings.default_input_type
        items = read_items(wanted, served.id) if embedder.pages is not None else ()
        roles = choose_roles(
            wanted,
            suffix,
            prompts=prompts,
            default=default,
            pictured=[item.modality != "text" for item in items] or None,
        )
        if items:
            check_items(items, roles.by_item, wanted, model=served.id, truncate=wanted.truncate)
        else:
            refuse_images(wanted, served.id)
        if "query" in roles.by_item:
            check_instruction(wanted.instruction, prompts)
        return Asked(wanted=wanted, served=served, roles=roles, items=items, size=size)

    async def _write(self, asked: Asked, embedded: Embedded) -> Response:
        kind = asked.wanted.embedding_type
        encoding = answer.encoding_of(asked.wanted, self.settings.quantised_base64)
        scale = self.scales[asked.served.id].get(asked.size)

        def write() -> tuple[answer.Packed, bytes | Iterator[bytes]]:
            packed = answer.pack(embedded.vectors, kind, scale=scale)
            pieces = answer.embedding_list(
                packed,
                encoding,
                model=asked.served.id,
                tokens=embedded.tokens,
                images=embedded.images,
            )
            if answer.size_of(packed.rows, kind, encoding) > STREAMED_BYTES:
                return packed, pieces
            return packed, b"".join(pieces)

        big = embedded.vectors.nbytes > INLINE_BYTES
        packed, content = await asyncio.to_thread(write) if big else write()
        self._count(asked, embedded, packed.saturated)
        headers = _headers(asked, embedded, encoding)
        if isinstance(content, bytes):
            return Response(content, media_type=JSON, headers=headers)
        return StreamingResponse(content, media_type=JSON, headers=headers)

    def _count(self, asked: Asked, embedded: Embedded, saturated: int) -> None:
        metrics, roles = self.service.metrics, asked.roles
        metrics.stages(embedded.timings)
        modalities = [item.modality for item in asked.items] or ["text"] * len(roles.by_item)
        kinds = Counter(zip(roles.by_item, modalities, strict=True))
        for (role, modality), count in kinds.items():
            metrics.inputs(role, count, modality)
        if embedded.truncated:
            metrics.truncated(embedded.truncated)
        if roles.default:
            metrics.role_missing()
        if saturated:
            metrics.saturated(saturated)


def find_model(registry: Registry, name: str | None) -> tuple[Served, WireRole | None]:
    """The model that a body names; without a name, the only one there is."""
    if name is not None:
        return registry.resolve(name)
    only = registry.only()
    if only is None:
        raise missing_model()
    return only, None


def _headers(asked: Asked, embedded: Embedded, encoding: str) -> dict[str, str]:
    read = [item.text or "" for item in asked.items] or asked.wanted.texts
    characters = sum(map(len, read))
    headers = compute_headers(asked.served, embedded, characters)
    if asked.roles.default:
        headers["x-biencoder-input-type"] = f"{asked.roles.default};default"
    if embedded.truncated:
        headers["x-biencoder-truncated"] = str(embedded.truncated)
    if encoding == "base64" and asked.wanted.embedding_type != "float":
        headers["x-biencoder-embedding-dtype"] = asked.wanted.embedding_type
    return headers
