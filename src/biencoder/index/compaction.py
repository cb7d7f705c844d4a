"""Compaction: the rows that stand, copied in bounded memory into a generation of their own.

What was deleted, small fragments and old versions are left behind. Until index.json is replaced, at
the very end, searching sees the old generation.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa

from biencoder.errors import InputError, OutputError
from biencoder.index.building import begin, facts_left, finish
from biencoder.index.durable import bytes_below
from biencoder.index.facts import Facts, keep_facts, read_facts, reindexing_as
from biencoder.index.layout import Generation, Layout, read_layout
from biencoder.index.lock import writing
from biencoder.index.meter import Meter, silent
from biencoder.index.page_rows import carry_pages
from biencoder.index.recovery import give_up_building, remove, take_over
from biencoder.index.store import Store
from biencoder.index.writer import Writer, open_writer

_COPIED_ROWS = 65_536


@dataclass(frozen=True, slots=True)
class Compacted:
    """Bytes on the disk before and after, and the passages that were kept."""

    bytes_before: int
    bytes_after: int
    chunks: int


def compact(folder: str | Path, *, purge: bool = False, meter: Meter | None = None) -> Compacted:
    """Rewrite the live generation without what was deleted; the old one is removed.

    Columns of metadata that no row fills any more go too. purge: older generations that a re-embedding
    kept, one that is half done (told by a RecoveryWarning), and what recovery set aside, go as well, so
    that no byte of a deleted text stays in the folder. Raises InputError where a re-embedding is half
    done and is not to be purged; LockedError, IndexDamagedError, OutputError.
    """
    place = Path(folder)
    with writing(read_layout(place).lock, verb="compact"):
        layout = take_over(place)
        if not purge:
            _check_nothing_half_done(layout)
        before = bytes_below(place)
        live = layout.generation()
        facts = replace(read_facts(live), created=_now(), purpose="compact")
        layout, target = begin(layout, facts, resume=False)
        try:
            chunks = _copy(live, target, facts, purge=purge, meter=meter or silent)
        except (OutputError, KeyboardInterrupt):
            # It is begun anew the next time, and the disk may be full. Where this fails too, whoever
            # writes next does it.
            with suppress(OutputError):
                give_up_building(layout)
            raise
        kept = () if purge else layout.kept
        layout = layout.write(live=target.name, building=None, kept=kept)
        remove(layout, layout.unnamed())
        return Compacted(before, bytes_below(place), chunks)


def _copy(live: Generation, target: Generation, facts: Facts, *, purge: bool, meter: Meter) -> int:
    """The rows that stand, in a new table; gives their number."""
    with (
        open_writer(live, facts.dimensions) as old,
        open_writer(target, facts.dimensions) as new,
    ):
        keep_facts(target, new.ledger, facts)
        empty = _empty_columns(old)
        names = [name for name in old.store.schema.names if name not in empty]
        with meter("compacting", old.store.rows(), "passages") as tick:
            for table in _tables(old.store, names):
                new.copy(table)
                tick(len(table))
        pages = carry_pages(old, new, unfinished=not purge)
        new.acknowledge(old.ledger.entries(), ends=old.ledger.files(), pages=pages)
        finish(target, new, facts)
        return new.store.rows()


def _empty_columns(writer: Writer) -> set[str]:
    """The columns of metadata that no row fills: the rows that had them are gone."""
    empty = set(writer.columns)
    if not empty:
        return empty
    for batch in writer.store.scan(sorted(empty)):
        empty -= {name for name in empty if batch.column(name).null_count < len(batch)}
        if not empty:
            break
    return empty


def _check_nothing_half_done(layout: Layout) -> None:
    """Hours of embedding must not go because of a compaction."""
    if layout.building is None:
        return
    facts = facts_left(layout.generation(layout.building))
    if facts is not None and facts.purpose == "reindex":
        finish = reindexing_as(read_facts(layout.generation()), facts, layout.folder)
        raise InputError(
            f"a re-embedding with {facts.model} is half done in {layout.folder}",
            hint=f"finish it: {finish}; "
            f"or give it up: biencoder compact {shlex.quote(str(layout.folder))} --purge",
        )


def _tables(store: Store, names: list[str]) -> Iterator[pa.Table]:
    """These columns of all rows, some ten thousand at a time."""
    waiting: list[pa.RecordBatch] = []
    for batch in store.scan(names):
        waiting.append(batch)
        if sum(map(len, waiting)) >= _COPIED_ROWS:
            yield pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield pa.Table.from_batches(waiting)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
