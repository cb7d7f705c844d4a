"""A Qdrant collection of an exported index, passages and metadata as payload.

biencoder export my-index --to my-index.parquet
python examples/export/to_qdrant.py my-index.parquet my-collection http://localhost:6333
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
from qdrant_client import QdrantClient
from qdrant_client.models import Distance, PointStruct, VectorParams

_POINTS_AT_ONCE = 256


def main(parquet: Path, collection: str, client: QdrantClient) -> None:
    """Send every passage; sent again it replaces itself, for its id is made of its content."""
    file = pq.ParquetFile(parquet)
    size = file.schema_arrow.field("vector").type.list_size
    if not client.collection_exists(collection):
        # Unit vectors: the inner product is the cosine, as in the index.
        client.create_collection(collection, VectorParams(size=size, distance=Distance.DOT))
    for batch in file.iter_batches(_POINTS_AT_ONCE):
        client.upsert(collection, [_point(row) for row in batch.to_pylist()])
    count = client.count(collection).count
    print(f"{count:,} passages of {size} dimensions in collection {collection}")


def _point(row: dict[str, Any]) -> PointStruct:
    """Qdrant's ids are UUIDs: 32 hex digits, as ours."""
    vector = row.pop("vector")
    payload = {name: value for name, value in row.items() if value is not None}
    return PointStruct(id=str(UUID(row["id"])), vector=vector, payload=payload)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], QdrantClient(sys.argv[3]))
