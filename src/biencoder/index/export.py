"""An index as one Parquet file: passages, places, metadata and vectors, for other stores."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from biencoder.drafts import new_file
from biencoder.errors import InputError
from biencoder.index.meter import Meter, silent
from biencoder.index.opened import open_snapshot
from biencoder.index.store import WORDS

# The key in the file's metadata under which the facts of the index stand, as JSON.
FACTS_KEY = "biencoder"


def export_parquet(folder: str | Path, to: str | Path, *, meter: Meter | None = None) -> int:
    """Write the acknowledged version of an index to a Parquet file; gives the number of passages.

    Every column but the words that BM25 reads; ``vector`` is a list of float32 of fixed size. Memory
    does not grow with the index. Raises InputError, IndexDamagedError, OutputError.
    """
    target = Path(to)
    if target.suffix != ".parquet":
        raise InputError(
            f"{target} is no .parquet file", hint="give --to a name such as my.parquet"
        )
    snapshot = open_snapshot(Path(folder))
    names = [name for name in snapshot.store.schema.names if name != WORDS]
    facts: dict[bytes | str, bytes | str] = {FACTS_KEY: json.dumps(asdict(snapshot.facts))}
    shape = pa.schema([snapshot.store.schema.field(name) for name in names], metadata=facts)
    with (
        new_file(target) as draft,
        pq.ParquetWriter(draft, shape) as writer,
        (meter or silent)("exporting", snapshot.rows, "passages") as tick,
    ):
        for batch in snapshot.store.scan(names):
            writer.write_batch(batch.cast(shape))
            tick(len(batch))
    return snapshot.rows
