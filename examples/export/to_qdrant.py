"""A Qdrant collection of an exported index, passages and metadata as payload.

biencoder export my-index --to my-index.parquet
python examples/export/to_qdrant.py my-index.parquet my-collection http://localhost:6333
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import UUID

import pyarrow.parquet as pq
from qdrant_client import QdrantClient
from qdrant_client.http.exceptions import ApiException
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


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What stands behind the script's name; anything amiss is told with the usage, exit code 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parquet", type=Path, help="what `biencoder export` wrote")
    parser.add_argument("collection", help="made if it is not there yet")
    parser.add_argument("url", help="where Qdrant runs, as http://localhost:6333")
    given = parser.parse_args(words)
    if not given.parquet.is_file():
        parser.error(f"there is no file {given.parquet}")
    return given


def send(parquet: Path, collection: str, url: str) -> None:
    """As `main`, to a server; one that is not there or refuses is one sentence."""
    try:
        # The client's own look at the server's version would only warn.
        main(parquet, collection, QdrantClient(url, check_compatibility=False))
    except (ApiException, ValueError) as error:
        first = str(error).strip().splitlines()[0]
        sys.exit(f"Qdrant at {url} does not take the passages: {first}\nHint: does it run there?")


if __name__ == "__main__":
    given = arguments()
    send(given.parquet, given.collection, given.url)
