"""What a table holds, when the ledger or a file that it names is damaged: read from the table itself.

The newest acknowledged version of which every row can be read is taken, or the newest of all where
the ledger knows none that is there. Documents whose rows are not as the ledger has them are planned
again: their sources say what they should be.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from biencoder.errors import IndexDamagedError
from biencoder.index.durable import sync_new
from biencoder.index.layout import Generation
from biencoder.index.ledger import Entry, FileEnd, Ledger, StoredFile
from biencoder.index.rows import checksum, vectors_of
from biencoder.index.store import Store
from biencoder.index.table_files import (
    HINT,
    RecoveryWarning,
    check_newest,
    is_whole,
    manifest_name,
    manifest_versions,
    set_aside,
    table_files,
)
from biencoder.reading.kinds import kind_of


def learn_from_table(generation: Generation, ledger: Ledger) -> Store | None:
    """The newest version that can be read, durable and acknowledged in the ledger; None without one.

    Warns (RecoveryWarning) of what was found.
    """
    known = {version for version, _ in ledger.versions()}
    there = manifest_versions(generation.table)
    for version in sorted(there, key=lambda v: (v in known, v), reverse=True):
        # LanceDB opens the newest that it finds, and fails on it.
        set_aside(generation, [HINT, *(manifest_name(v) for v in there if v > version)])
        try:
            store = _open_as(generation, version)
            entries = list(entries_of(store))
        except IndexDamagedError as error:
            # Lance ends its messages with places in its own source.
            reason = error.message.split(", /")[0]
            _warn(f"version {version} of {generation.table} cannot be read ({reason})")
            continue
        set_aside(generation, _damaged_files(generation, ledger))
        if entries:
            # The full-text index may have been among them, and is soon made.
            store.build_words()
        _adopt(generation, ledger, store, {entry.source: entry for entry in entries})
        return store
    return None


def _open_as(generation: Generation, version: int) -> Store:
    check_newest(generation.table)
    store = Store.open(generation.folder)
    if store.version != version:
        # LanceDB takes a manifest of zeros for an empty table.
        raise IndexDamagedError(f"it opens as version {store.version}")
    return store


def entries_of(store: Store) -> Iterator[Entry]:
    """Every document of the table, as the ledger would have it; its rows lie side by side."""
    source, sha256 = "", ""
    texts: list[str] = []
    vectors: list[Any] = []
    for batch in store.scan(store.schema.names):
        columns = (batch.column(name).to_pylist() for name in ("source", "sha256", "text"))
        rows = zip(*columns, vectors_of(batch), strict=True)
        for row_source, row_sha256, text, vector_D in rows:
            if texts and row_source != source:
                yield _entry(source, sha256, texts, vectors)
                texts, vectors = [], []
            source, sha256 = row_source, row_sha256
            texts.append(text)
            vectors.append(vector_D)
    if texts:
        yield _entry(source, sha256, texts, vectors)


def _entry(source: str, sha256: str, texts: list[str], vectors: list[Any]) -> Entry:
    return Entry(
        source=source,
        file=_file_of(source),
        state="committed",
        wanted=sha256,
        sha256=sha256,
        chunks=len(texts),
        checksum=checksum(np.stack(vectors), texts),
    )


def _file_of(source: str) -> str:
    """The file that holds a document: of rows, what stands before the mark; else its own."""
    ends = (place for place, letter in enumerate(source) if letter == "#")
    return next((source[:end] for end in ends if kind_of(Path(source[:end])) == "rows"), source)


def _damaged_files(generation: Generation, ledger: Ledger) -> list[str]:
    """Files that are not as they were synced; where that is not known, those that hold nothing."""
    sizes = {file.path: file.size for file in ledger.stored().values()}
    damaged = []
    for name, path in table_files(generation.table):
        size = path.stat().st_size
        if size == 0 or not is_whole(path, sizes.get(name, size)):
            damaged.append(name)
    return damaged


def _adopt(
    generation: Generation, ledger: Ledger, store: Store, standing: dict[str, Entry]
) -> None:
    """Make the ledger agree with the table, in one transaction, once the table's files are synced."""
    files = dict(table_files(generation.table))
    sync_new(files.values(), generation.folder)
    known = {entry.source: entry for entry in ledger.entries()}
    back = [entry for source, entry in standing.items() if source not in known]
    moved = [
        _agreeing(entry, standing.get(source))
        for source, entry in known.items()
        if _differs(entry, standing.get(source))
    ]
    again = [entry for entry in moved if entry.state == "planned"]
    # A document that is a file of its own need not be read again to know that.
    ends = [e for e in (*back, *moved) if e.state == "committed" and e.file == e.source]
    with ledger.transaction():
        ledger.put([*back, *moved])
        ledger.drop_files([entry.file for entry in again])
        for entry in ends:
            ledger.put_file(entry.file, FileEnd(entry.sha256))
        ledger.drop_stored(list(ledger.stored()))
        ledger.add_stored(
            StoredFile(name, path.stat().st_size, store.version) for name, path in files.items()
        )
        ledger.set_versions([(store.version, store.rows())])
        ledger.set_fact("acknowledged", {"version": store.version})
    if standing or again:
        _warn(
            f"{generation.table} or its ledger was damaged: {len(standing):,} documents stand in "
            f"it, {len(again):,} are read again when it is indexed next"
        )


def _differs(entry: Entry, standing: Entry | None) -> bool:
    there = ("", "") if standing is None else (standing.sha256, standing.checksum)
    return (entry.sha256, entry.checksum) != there


def _agreeing(entry: Entry, standing: Entry | None) -> Entry:
    """What the ledger should say of a document whose rows are not as it has them."""
    if standing is None:
        return replace(entry, state="planned", sha256="", chunks=0, checksum="")
    if standing.sha256 == entry.wanted != entry.sha256:
        # Stored after what this ledger knows.
        return replace(standing, file=entry.file)
    rows = {"sha256": standing.sha256, "chunks": standing.chunks, "checksum": standing.checksum}
    return replace(entry, state="planned", **rows)  # type: ignore[arg-type]


def _warn(message: str) -> None:
    warnings.warn(message, RecoveryWarning, stacklevel=3)
