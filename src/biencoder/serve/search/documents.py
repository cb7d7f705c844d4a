"""Documents as the index holds them: listed, opened at a place, and their source files given out.

A request names a document by a hash; what it means stands in the index. A source file is given out
only where it lies in the folder that was indexed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from biencoder.serve.errors import ApiError
from biencoder.serve.search.marks import is_markdown
from biencoder.serve.search.served_index import DocumentFacts, Standing

LISTED = 100
MAX_LISTED = 1_000
# Passages of a document that one answer holds: some hundred kilobytes of text.
SHOWN = 200
MAX_SHOWN = 1_000

_ROW_FILE = re.compile(r"(.+?\.jsonl(?:\.gz)?)#", re.IGNORECASE)


def find_document(standing: Standing, id_: str) -> DocumentFacts:
    """A document by its id; ApiError not_found where the index holds none."""
    document = standing.documents.get(id_)
    if document is None:
        raise ApiError("not_found", "The index holds no document with this id")
    return document


def list_documents(standing: Standing, *, after: str, part: str, limit: int) -> dict[str, Any]:
    """Documents by source, those that follow ``after`` (an id); part: stands in source or title."""
    taken: list[DocumentFacts] = []
    begun = not after
    for document in standing.documents.values():
        if begun and part.lower() in f"{document.source}\n{document.title}".lower():
            taken.append(document)
            if len(taken) > limit:
                break
        begun = begun or document.id == after
    return {
        "object": "list",
        "data": [listed(standing, document) for document in taken[:limit]],
        "has_more": len(taken) > limit,
        "total": len(standing.documents),
    }


def listed(standing: Standing, document: DocumentFacts) -> dict[str, Any]:
    """What is told of a document beside its text."""
    return {
        "object": "document",
        "id": document.id,
        "source": document.source,
        "title": document.title,
        "passages": document.passages,
        "pages": document.pages,
        "file": source_file(standing, document.source) is not None,
    }


def read_document(
    standing: Standing, document: DocumentFacts, *, first: int, limit: int, passage: str
) -> dict[str, Any]:
    """Passages ``first`` to ``first + limit`` of a document, in order.

    passage: an id; then ``first`` is chosen so that it is among them. Between two passages of a page
    only blanks were left out.
    """
    rows = list(_rows(standing, document.source))
    if passage:
        places = [place for place, row in enumerate(rows) if row["id"] == passage]
        if not places:
            raise ApiError("not_found", "The document holds no passage with this id")
        first = max(0, min(places[0] - limit // 2, len(rows) - limit))
    metadata = {name: rows[0][name] for name in standing.columns if name not in _PLACES}
    return {
        **listed(standing, document),
        "markdown": is_markdown(document.source),
        "metadata": {name: value for name, value in metadata.items() if value is not None},
        "first": first,
        "texts": [_shown(standing, row) for row in rows[first : first + limit]],
    }


def _shown(standing: Standing, row: dict[str, Any]) -> dict[str, Any]:
    names = ("id", "number", "page", "heading", "start", "end", "text")
    return {name: row[name] for name in names} | {
        "pictured": standing.snapshot.pages.has(row["id"])
    }


def source_file(standing: Standing, source: str) -> Path | None:
    """The file that a document was read from, where it still lies inside the indexed folder."""
    root = Path(standing.facts.root)
    base = root if root.is_dir() else root.parent
    rows = _ROW_FILE.match(source)
    for name in (source, rows[1] if rows else ""):
        if not name or ".." in Path(name).parts:
            continue
        try:
            path = (base / name).resolve(strict=True)
        except (OSError, ValueError):
            continue
        inside = path.is_relative_to(base.resolve()) and (root.is_dir() or path == root.resolve())
        if inside and path.is_file():
            return path
    return None


_PLACES = frozenset(
    {"id", "source", "title", "heading", "page", "number", "start", "end", "tokens"}
)


def _rows(standing: Standing, source: str) -> Iterator[dict[str, Any]]:
    """A document's passages by their number."""
    columns: Any = standing.snapshot.mirror.columns
    mask = pc.equal(columns["source"], pa.scalar(source)).to_numpy(zero_copy_only=False)
    places = np.flatnonzero(mask)
    numbers = columns["number"].take(places).to_numpy()
    for place in places[np.argsort(numbers, kind="stable")]:
        yield standing.snapshot.mirror.row(int(place))
