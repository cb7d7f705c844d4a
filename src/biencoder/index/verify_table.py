"""A table's rows, read once in order and held against the ledger and against the mirror."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from biencoder.index.dense import binary_codes, unit_prefix
from biencoder.index.facts import Facts
from biencoder.index.ledger import Entry
from biencoder.index.mirror import Mirror
from biencoder.index.rows import checksum, vectors_of
from biencoder.types import FloatArray

_SHOWN = 5


@dataclass
class Check:
    """One question. looked_at: how many things were compared; faults: how many of them are wrong;
    first: the first few, in words; not_yet: why nothing is there to be looked at, which is no fault.
    """

    name: str
    looked_at: int = 0
    faults: int = 0
    first: list[str] = field(default_factory=list)
    not_yet: str = ""

    def wrong(self, what: str) -> None:
        """One more fault."""
        self.faults += 1
        if len(self.first) < _SHOWN:
            self.first.append(what)


class TableWalk:
    """Ledger against table: documents missing, rows too many, ids twice, contents changed."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._missing, self._extra = Check("missing"), Check("extra")
        self._twice, self._contents = Check("duplicates"), Check("contents")
        self.checks = [self._missing, self._extra, self._twice, self._contents]
        self._standing = {entry.source: entry for entry in entries if entry.sha256}
        self._missing.looked_at = len(self._standing)
        self._seen: set[str] = set()
        self._ids: set[str] = set()
        self._document = _Document("")

    def take(self, batch: pa.RecordBatch) -> None:
        """The next rows."""
        vectors_ND = vectors_of(batch)
        names = ("source", "id", "number", "sha256", "text")
        columns = (batch.column(name).to_pylist() for name in names)
        for row, (source, id_, number, sha256, text) in enumerate(zip(*columns, strict=True)):
            if source != self._document.source:
                self._close()
                self._document = _Document(source)
            self._document.add(number, sha256, text, vectors_ND[row])
            self._twice.looked_at += 1
            if id_ in self._ids:
                self._twice.wrong(f"{source}: passage {number} stands there twice")
            self._ids.add(id_)

    def finish(self) -> None:
        """No rows are left: what was not seen is missing."""
        self._close()
        for source in self._standing.keys() - self._seen:
            self._missing.wrong(f"{source}: none of its {self._standing[source].chunks:,} passages")

    def _close(self) -> None:
        """Hold a whole document against its entry; its rows lie side by side."""
        document, entry = self._document, self._standing.get(self._document.source)
        rows = len(document.texts)
        if not rows:
            return
        if document.source in self._seen:
            self._extra.wrong(f"{document.source}: {rows:,} passages apart from its others")
            return
        self._seen.add(document.source)
        self._extra.looked_at += 1
        if entry is None:
            self._extra.wrong(f"{document.source}: {rows:,} passages that the ledger does not know")
            return
        self._contents.looked_at += 1
        if rows < entry.chunks:
            self._missing.wrong(f"{document.source}: {rows:,} of {entry.chunks:,} passages")
        elif rows > entry.chunks:
            self._extra.wrong(f"{document.source}: {rows:,} passages instead of {entry.chunks:,}")
        elif (document.sha256s, document.checksum()) != ({entry.sha256}, entry.checksum):
            self._contents.wrong(f"{document.source}: texts or vectors are not those stored")


@dataclass
class _Document:
    """The rows of one document."""

    source: str
    numbers: list[int] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    vectors: list[FloatArray] = field(default_factory=list)
    sha256s: set[str] = field(default_factory=set)

    def add(self, number: int, sha256: str, text: str, vector_D: FloatArray) -> None:
        self.numbers.append(number)
        self.texts.append(text)
        self.vectors.append(vector_D)
        self.sha256s.add(sha256)

    def checksum(self) -> str:
        order = sorted(range(len(self.numbers)), key=self.numbers.__getitem__)
        vectors_ND = np.stack([self.vectors[place] for place in order])
        return checksum(vectors_ND, [self.texts[place] for place in order])


class MirrorWalk:
    """Table against mirror, row by row in the table's order."""

    def __init__(self, mirror: Mirror, facts: Facts, check: Check) -> None:
        self._mirror, self._facts, self._check = mirror, facts, check
        self._columns = pa.Table.from_batches(mirror.batches)

    def take(self, batch: pa.RecordBatch) -> None:
        """The next rows."""
        at, end = self._check.looked_at, self._check.looked_at + len(batch)
        self._check.looked_at = end
        for what in self._differing(batch, at, end):
            self._check.wrong(f"rows {at:,} to {end - 1:,}: {what} differ from the table's")

    def finish(self) -> None:
        """No rows are left."""
        rows = len(self._mirror.vectors_ND)
        if rows != self._check.looked_at or len(self._columns) != rows:
            self._check.wrong(f"it has {rows:,} rows, the table {self._check.looked_at:,}")

    def _differing(self, batch: pa.RecordBatch, at: int, end: int) -> Iterator[str]:
        mirror, vectors_ND = self._mirror, vectors_of(batch)
        there = pa.Table.from_batches([batch.select(self._columns.column_names)])
        if not self._columns.slice(at, len(batch)).equals(there):
            yield "columns"
        if not np.array_equal(mirror.vectors_ND[at:end], vectors_ND):
            yield "vectors"
        if mirror.short_NE is not None:
            short_NE = np.asarray(mirror.short_NE[at:end])
            if self._facts.candidates == "binary":
                same = np.array_equal(short_NE, binary_codes(vectors_ND))
            else:
                expected = unit_prefix(vectors_ND, short_NE.shape[1])
                same = short_NE.shape == expected.shape and np.allclose(short_NE, expected)
            if not same:
                yield "short forms"
