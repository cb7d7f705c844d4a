"""A row of the table: one passage with its place, its words and its vector.

What a user filters on are real typed columns: those below, and one for every field of metadata.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from biencoder.index.filter_check import ColumnType
from biencoder.index.filters import Value
from biencoder.text.words import split_words
from biencoder.types import FloatArray

ARROW: Mapping[ColumnType, pa.DataType] = {
    "text": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
}
# What can be filtered on in every index, and what it is.
CORE: Mapping[str, ColumnType] = {
    "id": "text",
    "source": "text",
    "title": "text",
    "heading": "text",
    "page": "integer",
    "number": "integer",
    "start": "integer",
    "end": "integer",
    "tokens": "integer",
}
# Never filtered on: the passage, its words for BM25, its vector, its document's content hash.
INNER = ("text", "words", "vector", "sha256")


@dataclass(frozen=True, slots=True)
class Chunk:
    """One passage as it is stored, without its vector.

    number: its place among the document's passages, from 0. start, end: characters of the page's
    text (of the document's where it has no pages). embedded: what the model reads: title and
    heading path in front of the text.
    """

    source: str
    sha256: str
    number: int
    title: str
    heading: str
    page: int | None
    start: int
    end: int
    tokens: int
    text: str
    embedded: str
    metadata: Mapping[str, Value] = field(default_factory=dict)

    def id(self, cutting: str) -> str:
        """The same on every machine: from the document, its content, the place and the cutting."""
        facts = "\0".join((self.source, self.sha256, str(self.number), cutting))
        return hashlib.sha256(facts.encode()).hexdigest()[:32]


def schema(dimensions: int, columns: Mapping[str, ColumnType]) -> pa.Schema:
    """The table's schema with these columns of metadata beside its own."""
    own = [pa.field(name, ARROW[kind]) for name, kind in CORE.items()]
    inner = [pa.field("text", pa.string()), pa.field("words", pa.string())]
    hashes = [pa.field("sha256", pa.string())]
    vectors = [pa.field("vector", pa.list_(pa.float32(), dimensions))]
    more = [pa.field(name, ARROW[kind]) for name, kind in sorted(columns.items())]
    return pa.schema([*own, *inner, *hashes, *more, *vectors])


def to_table(
    chunks: Sequence[Chunk],
    ids: Sequence[str],
    vectors_ND: FloatArray,
    columns: Mapping[str, ColumnType],
) -> pa.Table:
    """Passages, their ids and their vectors, shape (n, dimensions), as rows."""
    shape = schema(vectors_ND.shape[1], columns)
    arrays = [
        _column(name, chunks, ids, vectors_ND, shape.field(name).type) for name in shape.names
    ]
    return pa.Table.from_arrays(arrays, schema=shape)


def words_of(chunk: Chunk) -> str:
    """What BM25 reads: the words of what the model reads, in any script, parted by blanks."""
    return " ".join(split_words(chunk.embedded))


def vectors_of(batch: pa.RecordBatch) -> FloatArray:
    """The vectors of some stored rows, float32, shape (n, dimensions)."""
    column: Any = batch.column("vector")
    flat: FloatArray = column.flatten().to_numpy()
    return flat.reshape(len(batch), -1) if len(batch) else flat.reshape(0, column.type.list_size)


def checksum(vectors_ND: FloatArray, texts: Sequence[str]) -> str:
    """SHA-256 over a document's vectors and texts in order, its first 16 hex digits."""
    whole = hashlib.sha256(np.ascontiguousarray(vectors_ND, dtype="<f4").tobytes())
    for text in texts:
        whole.update(text.encode("utf-8"))
        whole.update(b"\0")
    return whole.hexdigest()[:16]


def _column(
    name: str,
    chunks: Sequence[Chunk],
    ids: Sequence[str],
    vectors_ND: FloatArray,
    kind: pa.DataType,
) -> Any:
    match name:
        case "vector":
            flat = pa.array(np.ascontiguousarray(vectors_ND, dtype=np.float32).ravel())
            return pa.FixedSizeListArray.from_arrays(flat, vectors_ND.shape[1])
        case "id":
            return pa.array(ids, kind)
        case "words":
            return pa.array([words_of(chunk) for chunk in chunks], kind)
        case _ if name in CORE or name in INNER:
            return pa.array([getattr(chunk, name) for chunk in chunks], kind)
    return pa.array([chunk.metadata.get(name) for chunk in chunks], kind)
