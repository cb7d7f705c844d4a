"""SQL that fills a table of PostgreSQL with pgvector from an exported index; no server is needed.

biencoder export my-index --to my-index.parquet
python examples/export/to_pgvector.py my-index.parquet my-index.sql passages
psql my-database -v ON_ERROR_STOP=1 -f my-index.sql

pgvector's HNSW index takes vector up to 2,000 numbers and halfvec up to 4,000. Longer vectors are
indexed by their signs; a question then takes the 200 nearest by signs and orders them by the vectors.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_TYPES = {
    pa.string(): "text",
    pa.int64(): "bigint",
    pa.float64(): "double precision",
    pa.bool_(): "boolean",
}
_ROWS_AT_ONCE = 1024
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\0": "\ufffd"})


def main(parquet: Path, target: Path, table: str) -> None:
    """Write table, rows and index as one transaction."""
    file = pq.ParquetFile(parquet)
    size = file.schema_arrow.field("vector").type.list_size
    with target.open("w", encoding="utf-8") as out:
        out.writelines(f"{line}\n" for line in head(file.schema_arrow, table))
        for batch in file.iter_batches(_ROWS_AT_ONCE):
            columns = [column.to_pylist() for column in batch.columns]
            out.writelines("\t".join(map(cell, row)) + "\n" for row in zip(*columns, strict=True))
        out.writelines(f"{line}\n" for line in tail(table, size))
    print(f"{file.metadata.num_rows:,} passages of {size} dimensions -> {target}")


def head(schema: pa.Schema, table: str) -> Iterator[str]:
    """The table, and the begin of its rows."""
    names = ", ".join(quoted(name) for name in schema.names)
    columns = ",\n".join(f"  {quoted(field.name)} {column_type(field)}" for field in schema)
    yield "SET client_encoding = 'UTF8';"
    yield "BEGIN;"
    yield "CREATE EXTENSION IF NOT EXISTS vector;"
    yield f"CREATE TABLE {quoted(table)} (\n{columns}\n);"
    yield f"COPY {quoted(table)} ({names}) FROM stdin;"


def tail(table: str, size: int) -> Iterator[str]:
    """The end of the rows, the index that the size allows, and how to ask it."""
    best = 'ORDER BY "vector" <#> $1 LIMIT 10'
    if size <= 4000:
        index = f'"vector" {"vector" if size <= 2000 else "halfvec"}_ip_ops'
        ask = [f"SELECT source, text FROM {quoted(table)} {best};"]
    else:
        signs = f'binary_quantize("vector")::bit({size})'
        index = f"({signs}) bit_hamming_ops"
        asked = f"binary_quantize($1::vector({size}))"
        near = f"SELECT * FROM {quoted(table)} ORDER BY {signs} <~> {asked} LIMIT 200"
        ask = [
            "SET hnsw.ef_search = 200;  -- or the index gives forty",
            f"SELECT source, text FROM ({near}) AS near {best};",
        ]
    yield "\\."
    yield f"CREATE INDEX ON {quoted(table)} USING hnsw ({index});"
    yield "COMMIT;"
    yield from (f"-- {line}" for line in ask)


def column_type(field: pa.Field[pa.DataType]) -> str:
    """PostgreSQL's type of a column."""
    if field.name == "vector":
        size = field.type.list_size  # type: ignore[attr-defined]
        return f"{'halfvec' if 2000 < size <= 4000 else 'vector'}({size}) NOT NULL"
    return _TYPES[field.type] + (" PRIMARY KEY" if field.name == "id" else "")


def quoted(name: str) -> str:
    """A name as SQL takes it literally: "end" is one of its own words."""
    escaped = name.replace('"', '""')
    return f'"{escaped}"'


def cell(value: object) -> str:
    """A value in COPY's text format; a float32 has nine digits, and a text of PostgreSQL no NUL."""
    if value is None:
        return "\\N"
    if isinstance(value, list):
        return f"[{','.join(f'{number:.9g}' for number in value)}]"
    return str(value).translate(_ESCAPES)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What stands behind the script's name; anything amiss is told with the usage, exit code 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parquet", type=Path, help="what `biencoder export` wrote")
    parser.add_argument("target", type=Path, help="the SQL to write")
    parser.add_argument("table", help="the table that it makes")
    given = parser.parse_args(words)
    if not given.parquet.is_file():
        parser.error(f"there is no file {given.parquet}")
    return given


if __name__ == "__main__":
    given = arguments()
    main(given.parquet, given.target, given.table)
