"""The table of passages: LanceDB behind the few calls that an index needs.

Every change makes a version; a reader names the version that it wants. Nothing here is durable by
itself: `writer.py` syncs and acknowledges. Values never become SQL text: filters and deletions are
typed expressions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, TypeAlias, TypeGuard

import pyarrow as pa

from biencoder.errors import BiencoderError, IndexDamagedError, OutputError
from biencoder.index.filter_check import ColumnType
from biencoder.index.lance import connect
from biencoder.index.layout import TABLE
from biencoder.index.rows import ARROW

Expression: TypeAlias = Any
WORDS = "words"
VECTOR = "vector"
# Above so many rows searching asks a vector index for candidates instead of comparing all.
EXACT_ROWS = 1_000_000
_PARTITION_ROWS = 4096
_SCANNED_ROWS = 1024


class Store:
    """One open table, at its newest version unless another is named."""

    def __init__(self, table: Any) -> None:
        self._table = table

    @classmethod
    def create(cls, folder: Path, schema: pa.Schema) -> Store:
        """A new empty table in a generation's folder."""
        with _told(folder):
            return cls(connect(folder).create_table(TABLE, schema=schema))

    @classmethod
    def open(cls, folder: Path, version: int | None = None) -> Store:
        """An existing table; with a version it is read-only.

        Raises IndexDamagedError where that cannot be read.
        """
        with _readable(f"{folder / TABLE}.lance"):
            table = connect(folder).open_table(TABLE)
            if version is not None:
                table.checkout(version)
        return cls(table)

    @property
    def version(self) -> int:
        """The version at hand."""
        return int(self._table.version)

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        shape: pa.Schema = self._table.schema
        return shape

    def rows(self) -> int:
        """How many rows it has."""
        return int(self._table.count_rows())

    def fragments(self) -> int:
        """How many pieces it lies in."""
        return int(self._table.stats()["fragment_stats"]["num_fragments"])

    def add(self, rows: pa.Table) -> None:
        """Append rows: one version."""
        with _told(self._table.uri):
            self._table.add(rows)

    def add_columns(self, columns: Mapping[str, ColumnType]) -> None:
        """New columns of metadata, empty so far: one version."""
        fields = [pa.field(name, ARROW[kind]) for name, kind in sorted(columns.items())]
        with _told(self._table.uri):
            self._table.add_columns(pa.schema(fields))

    def holds_large(self, column: str) -> bool:
        """Whether a column of whole numbers holds one that as a fraction would be rounded."""
        return any(_is_large(batch.column(column)) for batch in self.scan([column]))

    def widen(self, columns: Iterable[str]) -> None:
        """Columns of whole numbers become columns of fractions: some versions.

        LanceDB changes no type in place, so each is copied under another name and takes the old one's.
        """
        with _told(self._table.uri):
            for name in columns:
                # No field has a blank in its name, nor a backquote (`reading/rows.py`).
                draft = f"{name} as number"
                self._table.add_columns({draft: f"cast(`{name}` as double)"})
                self._table.drop_columns([name])
                self._table.alter_columns({"path": draft, "rename": name})

    def retype(self, columns: Mapping[str, ColumnType]) -> None:
        """Columns of other types in the place of these, empty: two versions."""
        with _told(self._table.uri):
            self._table.drop_columns(list(columns))
        self.add_columns(columns)

    def held(self, columns: Sequence[str], leaving: Set[str]) -> dict[str, bool]:
        """Those columns that hold a value of a document that is not among those that leave.

        With each: whether one of these is a whole number that as a fraction would be rounded.
        """
        found: dict[str, bool] = {}
        for batch in self.scan(["source", *columns]):
            stays = [source not in leaving for source in batch.column("source").to_pylist()]
            rows = batch.filter(pa.array(stays, pa.bool_()))
            for name in columns:
                if rows.column(name).null_count < len(rows):
                    found[name] = found.get(name, False) or _is_large(rows.column(name))
        return found

    def delete_sources(self, sources: Sequence[str]) -> None:
        """Remove every row of these documents: one version."""
        from lancedb.expr import col

        with _told(self._table.uri):
            self._table.delete(col("source").isin(list(sources)))

    def build_words(self) -> None:
        """The full-text index over all rows; one that is there is replaced.

        The words are cut already (`text/words.py`), so that every script is served; English endings
        are taken off here, which leaves other languages' words nearly as they are.
        """
        from lancedb.index import FTS

        config = FTS(
            base_tokenizer="whitespace",
            with_position=False,
            stem=True,
            remove_stop_words=False,
            max_token_length=None,
        )
        with _told(self._table.uri):
            self._table.create_index(WORDS, config=config, replace=True)

    def covers(self, column: str) -> bool:
        """Whether a column has an index over every row."""
        indices = [index for index in self._table.list_indices() if index.columns == [column]]
        return bool(indices) and indices[0].num_unindexed_rows == 0

    def words_complete(self) -> bool:
        """Whether the full-text index covers every row."""
        return self.covers(WORDS)

    def index_folders(self) -> set[str]:
        """The folders under ``_indices`` that this version uses."""
        return {index.index_uuid for index in self._table.list_indices()}

    def match_words(
        self, words: Sequence[str], limit: int, where: Expression | None
    ) -> list[tuple[str, float]]:
        """Ids with BM25 scores of the rows that hold any of the words, highest first."""
        query = self._table.search(" ".join(words), query_type="fts", fts_columns=WORDS)
        if where is not None:
            query = query.where(where, prefilter=True)
        with _readable(self._table.uri):
            found = query.select(["id", "_score"]).limit(limit).to_arrow()
        return list(zip(found["id"].to_pylist(), found["_score"].to_pylist(), strict=True))

    def near(
        self,
        vector: Sequence[float],
        limit: int,
        where: Expression | None,
        probes: int,
        refine: int,
    ) -> list[tuple[str, float]]:
        """Ids with scores through the vector index, rescored with the full vectors."""
        query = self._table.search(vector, vector_column_name="vector").distance_type("dot")
        query = query.nprobes(probes).refine_factor(refine)
        if where is not None:
            query = query.where(where, prefilter=True)
        with _readable(self._table.uri):
            found = query.select(["id", "_distance"]).limit(limit).to_arrow()
        scores = (1.0 - distance for distance in found["_distance"].to_pylist())
        return list(zip(found["id"].to_pylist(), scores, strict=True))

    def build_vectors(self) -> None:
        """The vector index (IVF with product quantisation), for tables too large to compare whole."""
        from lancedb.index import IvfPq

        partitions = max(1, self.rows() // _PARTITION_ROWS)
        config = IvfPq(distance_type="dot", num_partitions=partitions)
        with _told(self._table.uri):
            self._table.create_index(VECTOR, config=config, replace=True)

    def ids(self) -> set[str]:
        """The id of every row."""
        return {str(id_) for batch in self.scan(["id"]) for id_ in batch.column("id").to_pylist()}

    def scan(
        self, columns: Sequence[str], where: Expression | None = None
    ) -> Iterator[pa.RecordBatch]:
        """All rows, some thousand at a time."""
        query = self._table.search()
        if where is not None:
            query = query.where(where)
        with _readable(self._table.uri):
            yield from query.select(list(columns)).to_batches(_SCANNED_ROWS)


class _readable:
    """LanceDB's errors of reading in this library's words."""

    def __init__(self, place: object) -> None:
        self.place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if _is_of_engine(error):
            raise IndexDamagedError(
                f"{self.place} cannot be read: {_first_line(error)}",
                hint="index the sources again: that heals what is damaged",
            ) from error


class _told:
    """LanceDB's errors of writing in this library's words."""

    def __init__(self, place: object) -> None:
        self.place = place

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if _is_of_engine(error):
            full = isinstance(error, (OSError, RuntimeError))
            raise OutputError(
                f"{self.place} could not be written: {_first_line(error)}",
                hint="is the disk full? Nothing acknowledged is lost; make space and run again"
                if full
                else "LanceDB refused it. Nothing acknowledged is lost; run again, and if it stays "
                "so, report it with the sentence above",
            ) from error


def _is_large(values: pa.Array[Any]) -> bool:
    """Whether there is a whole number among them that as a fraction would be rounded."""
    if not pa.types.is_integer(values.type):
        return False
    try:
        values.cast(pa.float64())
    except pa.ArrowInvalid:
        return True
    return False


def _is_of_engine(error: BaseException | None) -> TypeGuard[BaseException]:
    """Whether an exception is the engine's, and not this library's own nor Python's way to stop.

    LanceDB panics, too, on a damaged file. Its RustPanic is a plain Exception; the one of the binding
    below it is not, and has no name to import.
    """
    if type(error).__name__ == "PanicException":
        return True
    return isinstance(error, Exception) and not isinstance(error, BiencoderError)


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
