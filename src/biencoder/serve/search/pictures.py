"""Pages of an index by their looks: the picture of one, and where on it a question's score comes from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from biencoder.index.page_shares import page_shares
from biencoder.serve.errors import ApiError
from biencoder.serve.search.served_index import DocumentFacts, Standing
from biencoder.types import FloatArray

MEDIA_TYPE = "image/webp"


@dataclass(frozen=True, slots=True)
class PagePicture:
    """A WebP file and the tag by which a browser knows it again."""

    content: bytes
    tag: str


def page_picture(standing: Standing, document: DocumentFacts, passage: str) -> PagePicture:
    """The picture of a document's page by the id of its passage.

    Raises ApiError not_found where the document has no such page, or what is kept of it is no picture:
    nothing else is ever sent as one.
    """
    row = standing.row(passage)
    content = None
    if row is not None and row["source"] == document.source:
        content = standing.snapshot.pages.picture(passage)
    if content is None or content[:4] != b"RIFF" or content[8:12] != b"WEBP":
        raise ApiError("not_found", "The document holds no picture of such a page")
    return PagePicture(content, f'"{hashlib.sha256(content).hexdigest()[:16]}"')


def shares(standing: Standing, passage: str, query_D: FloatArray) -> dict[str, Any] | None:
    """What each part of a page adds to its cosine with a question; None where that is not kept.

    Boxes are left, top, right and bottom as fractions of the page. All shares add up to ``score``.
    """
    seen = standing.snapshot.pages.seen(passage)
    found = None if seen is None else page_shares(seen, query_D)
    if found is None:
        return None
    return {
        "score": found.score,
        "tiles": [{"box": list(box), "share": share} for box, share in found.tiles],
        "thumbnail": found.thumbnail,
        "rest": found.rest,
    }
