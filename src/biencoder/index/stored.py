"""The documents of a table as documents again: passages that were cut before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from biencoder.index.feed import Document, Part
from biencoder.index.ledger import Entry
from biencoder.index.rows import CORE, INNER
from biencoder.index.store import Store
from biencoder.text.passages import BELOW


def stored_documents(store: Store, todo: Mapping[str, Entry]) -> Iterator[Document]:
    """The documents of a table with their passages as parts; a document's rows lie side by side."""
    columns = [name for name in store.schema.names if name not in ("vector", "words")]
    rows: list[dict[str, Any]] = []
    for batch in store.scan(columns):
        for row in batch.to_pylist():
            if rows and row["source"] != rows[0]["source"]:
                yield from _stored_document(rows, todo)
                rows = []
            rows.append(row)
    if rows:
        yield from _stored_document(rows, todo)


def _stored_document(rows: list[dict[str, Any]], todo: Mapping[str, Entry]) -> Iterator[Document]:
    first = rows[0]
    if first["source"] not in todo:
        return
    own = {*CORE, *INNER}
    yield Document(
        source=first["source"],
        file=todo[first["source"]].file,
        sha256=first["sha256"],
        title=first["title"],
        parts=tuple(_part(row) for row in rows),
        metadata={n: v for n, v in first.items() if n not in own and v is not None},
    )


def _part(row: Mapping[str, Any]) -> Part:
    headings = tuple(row["heading"].split(BELOW)) if row["heading"] else ()
    return Part(row["page"], row["text"], row["start"], headings)
