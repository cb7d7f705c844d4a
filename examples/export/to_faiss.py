"""A FAISS index of an exported index: row n of FAISS is row n of the Parquet file.

biencoder export my-index --to my-index.parquet
python examples/export/to_faiss.py my-index.parquet my-index.faiss
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import faiss
import pyarrow.parquet as pq

_ROWS_AT_ONCE = 8192


def main(parquet: Path, target: Path) -> None:
    """Read the vectors some thousand at a time; FAISS itself holds them in memory."""
    file = pq.ParquetFile(parquet)
    dimensions = file.schema_arrow.field("vector").type.list_size
    # Unit vectors: the inner product is the cosine, as in the index.
    index = faiss.IndexFlatIP(dimensions)
    for batch in file.iter_batches(_ROWS_AT_ONCE, columns=["vector"]):
        column: Any = batch.column("vector")
        index.add(column.flatten().to_numpy().reshape(-1, dimensions))
    faiss.write_index(index, str(target))
    print(f"{index.ntotal:,} vectors of {dimensions} dimensions -> {target}")


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What stands behind the script's name; anything amiss is told with the usage, exit code 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parquet", type=Path, help="what `biencoder export` wrote")
    parser.add_argument("target", type=Path, help="the FAISS index to write")
    given = parser.parse_args(words)
    if not given.parquet.is_file():
        parser.error(f"there is no file {given.parquet}")
    return given


if __name__ == "__main__":
    given = arguments()
    main(given.parquet, given.target)
