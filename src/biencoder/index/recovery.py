"""Opening a generation for writing, whatever happened to the writer before.

The ledger names the last acknowledged version and every file that it is made of. All else is moved
to ``quarantine``: what was being written is done again from the sources. If
an acknowledged file is damaged all the same (a failing disk, a hand), the newest acknowledged version
without it is taken, and what is lost is told and planned again. A ledger that cannot be read is made
anew from the table.

Every file is looked at on every opening (its size and its end): a table has some hundred, and a flag
that says "all was well" would be one more thing that a power cut can falsify.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from biencoder.errors import IndexDamagedError
from biencoder.index.durable import files_below, sync_file
from biencoder.index.layout import Generation
from biencoder.index.ledger import Entry, Ledger, StoredFile
from biencoder.index.rows import checksum, schema, vectors_of
from biencoder.index.store import Store

HINT = "_versions/latest_version_hint.json"
_TAIL = 64


class RecoveryWarning(UserWarning):
    """Something of an index was lost or made anew; the message says what."""


def recover(generation: Generation, dimensions: int) -> tuple[Ledger, Store]:
    """The ledger and the table at the last acknowledged version, both ready for writing.

    Warns (RecoveryWarning) where something acknowledged was damaged.
    """
    ledger, known = _open_ledger(generation)
    try:
        if not known:
            store = _learn_from_table(generation, ledger)
        elif ledger.fact("acknowledged") is None:
            store = None
        else:
            store = _heal(generation, ledger)
        if store is None:
            _set_aside(generation, files_below(generation.table))
            store = Store.create(generation.folder, schema(dimensions, {}))
            _forget_rows(ledger)
        _plan_again(ledger)
    except BaseException:
        ledger.close()
        raise
    return ledger, store


def manifest_name(version: int) -> str:
    """LanceDB's file name of a version: newer versions sort first."""
    return f"{2**64 - 1 - version:020d}.manifest"


def manifest_versions(table: Path) -> list[int]:
    """The versions whose manifests are there, newest first."""
    names = (path.stem for path in (table / "_versions").glob("*.manifest"))
    return sorted((2**64 - 1 - int(name) for name in names if name.isdigit()), reverse=True)


def is_whole(path: Path, size: int) -> bool:
    """Whether a file has the size that was synced, and an end that is not all zeros."""
    try:
        if path.stat().st_size != size:
            return False
        with path.open("rb") as file:
            file.seek(max(0, size - _TAIL))
            return size == 0 or any(file.read(_TAIL))
    except OSError:
        return False


def _open_ledger(generation: Generation) -> tuple[Ledger, bool]:
    """The ledger, and whether it is the one that was there."""
    there = generation.ledger.exists()
    fresh = not there and not generation.table.exists()
    try:
        return Ledger(generation.ledger), there or fresh
    except IndexDamagedError as error:
        warnings.warn(f"{error.message}; it is made anew from the table", RecoveryWarning, 2)
        lost = generation.folder / "lost"
        lost.mkdir(exist_ok=True)
        for path in generation.folder.glob(f"{generation.ledger.name}*"):
            path.replace(lost / f"{path.name}.{_now()}")
        return Ledger(generation.ledger), False


def _heal(generation: Generation, ledger: Ledger) -> Store | None:
    """The newest acknowledged version of which every file is whole; None if there is none."""
    stored = ledger.stored()
    damaged = [
        file for file in stored.values() if not is_whole(generation.table / file.path, file.size)
    ]
    newest = ledger.fact("acknowledged")["version"]
    first_damaged = min((file.version for file in damaged), default=newest + 1)
    for version, _ in reversed(ledger.versions()):
        # A file belongs to the version that made it and perhaps to later ones, never to earlier.
        if version < first_damaged or not damaged:
            store = _open_at(generation, ledger, version, stored.values())
            if damaged:
                _tell_loss(generation, ledger, store, newest, version, damaged)
            return store
    if damaged:
        _warn_of(generation, damaged, "no older version is whole: every document is read again")
    return None


def _open_at(
    generation: Generation, ledger: Ledger, version: int, stored: Iterable[StoredFile]
) -> Store:
    """The table as it was at a version; all files of later ones are set aside."""
    kept = {file.path for file in stored if file.version <= version}
    root = generation.table
    found = {path.relative_to(root).as_posix(): path for path in files_below(root)}
    later = [path for name, path in found.items() if name not in kept and name != HINT]
    # The hint names the newest version; LanceDB does without it, and believes a wrong one.
    _set_aside(generation, [*later, root / HINT] if later else [])
    with ledger.transaction():
        ledger.drop_stored([file.path for file in stored if file.path not in kept])
        ledger.set_versions([pair for pair in ledger.versions() if pair[0] <= version])
        ledger.set_fact("acknowledged", {"version": version})
    return Store.open(generation.folder)


def _tell_loss(
    generation: Generation,
    ledger: Ledger,
    store: Store,
    newest: int,
    version: int,
    damaged: list[StoredFile],
) -> None:
    standing = {entry.source: entry for entry in _entries_of(store)}
    entries = list(ledger.entries())
    lost = [e for e in entries if e.sha256 and _differs(e, standing.get(e.source))]
    back = [entry for source, entry in standing.items() if ledger.entry(source) is None]
    with ledger.transaction():
        ledger.put(_standing_as(entry, standing.get(entry.source)) for entry in lost)
        ledger.put(back)
        ledger.drop_files([entry.file for entry in [*lost, *back]])
    _warn_of(
        generation,
        damaged,
        f"the index went from version {newest} back to {version}; {len(lost):,} documents "
        "are read again when it is indexed next",
    )


def _learn_from_table(generation: Generation, ledger: Ledger) -> Store | None:
    """The newest version that can be read, its rows entered into an empty ledger."""
    for version in manifest_versions(generation.table):
        try:
            store = Store.open(generation.folder, version)
            entries = _entries_of(store)
        except (IndexDamagedError, OSError, RuntimeError):
            continue
        newer = [v for v in manifest_versions(generation.table) if v > version]
        names = [generation.table / "_versions" / manifest_name(v) for v in newer]
        _set_aside(generation, [*names, generation.table / HINT])
        root = generation.table
        files = [
            StoredFile(path.relative_to(root).as_posix(), path.stat().st_size, version)
            for path in files_below(root)
        ]
        with ledger.transaction():
            ledger.put(entries)
            ledger.add_stored(files)
            ledger.set_versions([(version, store.rows())])
            ledger.set_fact("acknowledged", {"version": version})
        return Store.open(generation.folder)
    return None


def _entries_of(store: Store) -> list[Entry]:
    """Every document of the table, as the ledger would have it."""
    import numpy as np

    hashes: dict[str, str] = {}
    rows: dict[str, list[tuple[int, str, bytes]]] = {}
    for batch in store.scan(["source", "sha256", "number", "text", "vector"]):
        vectors = vectors_of(batch)
        columns = (
            batch.column(name).to_pylist() for name in ("source", "sha256", "number", "text")
        )
        for row, (source, sha256, number, text) in enumerate(zip(*columns, strict=True)):
            hashes[source] = sha256
            rows.setdefault(source, []).append((number, text, vectors[row].tobytes()))
    entries = []
    for source, parts in rows.items():
        parts.sort()
        joined = np.frombuffer(b"".join(part[2] for part in parts), dtype=np.float32)
        total = checksum(joined.reshape(len(parts), -1), [part[1] for part in parts])
        entries.append(
            Entry(
                source=source,
                file=source.split("#")[0],
                state="committed",
                wanted=hashes[source],
                sha256=hashes[source],
                chunks=len(parts),
                checksum=total,
            )
        )
    return entries


def _differs(entry: Entry, standing: Entry | None) -> bool:
    return standing is None or (entry.sha256, entry.checksum) != (
        standing.sha256,
        standing.checksum,
    )


def _standing_as(entry: Entry, standing: Entry | None) -> Entry:
    """A document whose newest rows are lost: wanted again, with the rows that do stand."""
    if standing is None:
        return replace(entry, state="planned", sha256="", chunks=0, checksum="")
    rows = {"sha256": standing.sha256, "chunks": standing.chunks, "checksum": standing.checksum}
    return replace(entry, state="planned", **rows)  # type: ignore[arg-type]


def _forget_rows(ledger: Ledger) -> None:
    entries = [_standing_as(entry, None) for entry in ledger.entries() if entry.state != "failed"]
    with ledger.transaction():
        ledger.put(entries)
        ledger.drop_files(list(ledger.files()))
        ledger.drop_stored(list(ledger.stored()))
        ledger.set_versions([])
        ledger.set_fact("acknowledged", None)


def _plan_again(ledger: Ledger) -> None:
    entries = [replace(entry, state="planned") for entry in ledger.entries("embedded")]
    with ledger.transaction():
        ledger.put(entries)


def _set_aside(generation: Generation, files: Iterable[Path]) -> None:
    """Move files out of the table's folder, keeping their names; nothing is deleted."""
    aside = generation.quarantine / _now()
    for path in list(files):
        if path.exists():
            target = aside / path.relative_to(generation.table)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)
            sync_file(path.parent)


def _warn_of(generation: Generation, damaged: list[StoredFile], outcome: str) -> None:
    names = ", ".join(file.path for file in damaged[:3])
    more = f" and {len(damaged) - 3:,} more" if len(damaged) > 3 else ""
    message = f"{generation.table} has damaged files ({names}{more}): {outcome}"
    warnings.warn(message, RecoveryWarning, stacklevel=2)


def _now() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{os.getpid()}"
