"""A generation made anew beside the live one, then put in its place: compaction and re-embedding.

Compaction copies the rows that stand, in bounded memory, and so leaves behind what was deleted, small
fragments and old versions. Re-embedding sends the stored passages through another model; it goes on
where a kill left it. Until index.json is replaced, at the very end, searching sees the old generation.
"""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import attrgetter
from pathlib import Path

import pyarrow as pa

from biencoder.embedder.encoder import Encoder
from biencoder.errors import IndexDamagedError, InputError, OutputError
from biencoder.index.build import Options, new_facts
from biencoder.index.durable import bytes_below, disk_errors, sync_file
from biencoder.index.facts import Facts, keep_facts, read_facts, reindexing_as, write_facts
from biencoder.index.ingest import Ingest, Tally
from biencoder.index.layout import Generation, Layout, read_layout
from biencoder.index.ledger import Entry, Ledger
from biencoder.index.lock import writing
from biencoder.index.meter import Meter, silent
from biencoder.index.mirror import make_mirror
from biencoder.index.opened import read_only_ledger
from biencoder.index.page_rows import carry_pages
from biencoder.index.page_settings import page_facts
from biencoder.index.recovery import give_up_building, remove, take_over
from biencoder.index.reread import Rewriting, check_as_before, read_again
from biencoder.index.rights import RightsError
from biencoder.index.store import Store
from biencoder.index.stored import stored_documents
from biencoder.index.table_files import RecoveryWarning
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
        layout, target = _begin(layout, facts, resume=False)
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
        _finish(target, new, facts)
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


def reindex(
    folder: str | Path,
    options: Options,
    *,
    embedder: Encoder | None = None,
    meter: Meter | None = None,
) -> Tally:
    """Re-embed every stored passage with another model, then swap; the old generation is kept.

    What is not named stays as it is. Images are not stored, so where pages are read by their looks every
    source is read again, and must not have changed. Passages are cut again only where they are too long for the new
    model. Where nothing would differ, nothing is done unless ``options.again``; the tally says so.
    Warns (RecoveryWarning) where it gives up a re-embedding to other settings that is half done.
    Raises as `index_folder`.
    """
    place = Path(folder)
    with writing(read_layout(place).lock, verb="reindex"):
        layout = take_over(place)
        live = layout.generation()
        before = read_facts(live)
        embedder = embedder or options.open(before)
        facts = _wanted(embedder, options, before)
        if not options.again and _is_as_before(layout, facts, before):
            return Tally(unchanged=_documents(live), as_before=True)
        with open_writer(live, before.dimensions) as old:
            by_looks = facts.reads_pages or before.reads_pages
            if by_looks:
                check_as_before(old, before, place)
            layout, target = _begin(layout, facts, resume=True)
            facts = read_facts(target)
            with open_writer(target, facts.dimensions) as new:
                keep_facts(target, new.ledger, facts)
                work = Rewriting(old, new, facts, embedder, options, meter or silent)
                tally = read_again(work) if by_looks else _embed_again(work)
                _finish(target, new, facts)
        layout.write(live=target.name, building=None, kept=(*layout.kept, live.name))
    return tally


def _wanted(embedder: Encoder, options: Options, before: Facts) -> Facts:
    """What a re-embedding makes: what was not asked for is as it was, where the model offers that."""
    same = embedder.fingerprint() == before.fingerprint
    asked = replace(
        options,
        chunk_tokens=options.chunk_tokens or before.chunk_tokens,
        dimensions=before.dimensions if options.dimensions is None and same else options.dimensions,
        model=options.model or before.model if same else options.model,
    )
    facts = new_facts(embedder, asked, Path(before.root))
    pages = page_facts(embedder, options.pages, before)
    return replace(facts, root=before.root, purpose="reindex", **pages)


def _is_as_before(layout: Layout, facts: Facts, before: Facts) -> bool:
    """Whether the live generation is what is wanted, and none like it is half done."""
    if layout.building is not None and _same_work(layout.generation(layout.building), facts):
        return False
    # Neither who made it nor how its model is called, or reached, changes a vector.
    deciding = attrgetter(
        *("fingerprint", "dimensions", "chunk_tokens", "cutting_version"),
        *("precision", "candidates", "lengths", "modality", "dpi"),
    )
    same: bool = deciding(facts) == deciding(before)
    return same


def _documents(generation: Generation) -> int:
    ledger = read_only_ledger(generation)
    try:
        return ledger.standing()[0]
    finally:
        ledger.close()


def _check_nothing_half_done(layout: Layout) -> None:
    """Hours of embedding must not go because of a compaction."""
    if layout.building is None:
        return
    facts = _facts_left(layout.generation(layout.building))
    if facts is not None and facts.purpose == "reindex":
        finish = reindexing_as(read_facts(layout.generation()), facts, layout.folder)
        raise InputError(
            f"a re-embedding with {facts.model} is half done in {layout.folder}",
            hint=f"finish it: {finish}; "
            f"or give it up: biencoder compact {shlex.quote(str(layout.folder))} --purge",
        )


def _begin(layout: Layout, facts: Facts, *, resume: bool) -> tuple[Layout, Generation]:
    """The generation to build: what a kill left of the same work, or a new one."""
    if layout.building is not None:
        left = layout.generation(layout.building)
        if resume and _same_work(left, facts):
            return layout, left
        _tell_given_up(left)
        remove(layout, [left.folder] if left.folder.exists() else [])
    name = layout.next_name()
    target = layout.generation(name)
    # Named first: what is not named would stay for ever after a kill.
    layout = layout.write(building=name)
    with disk_errors(target.folder):
        target.folder.mkdir()
    sync_file(layout.folder)
    write_facts(target, facts)
    return layout, target


def _facts_left(left: Generation) -> Facts | None:
    """What a generation was to become; None where that cannot be known any more."""
    try:
        return read_facts(left)
    except RightsError:
        raise
    except IndexDamagedError:
        return None


def _tell_given_up(left: Generation) -> None:
    facts = _facts_left(left)
    if facts is not None and facts.purpose == "reindex":
        try:
            done = _documents(left)
        except IndexDamagedError:
            done = 0
        warnings.warn(
            f"a re-embedding with {facts.model} ({facts.dimensions:,} dimensions, passages of up to "
            f"{facts.chunk_tokens:,} tokens) was half done and is given up: "
            f"{done:,} documents of it are dropped",
            RecoveryWarning,
            stacklevel=4,
        )


def _same_work(left: Generation, facts: Facts) -> bool:
    there = _facts_left(left)
    return there is not None and replace(there, created=facts.created) == facts


def _embed_again(work: Rewriting) -> Tally:
    """Every stored passage through the new model."""
    old, new = work.old, work.new
    standing = {entry.source: entry for entry in old.ledger.entries() if entry.sha256}
    done = {entry.source: entry.wanted for entry in new.ledger.entries("committed", "failed")}
    todo = {s: e for s, e in standing.items() if done.get(s) != e.sha256}
    gone = [entry.source for entry in new.ledger.entries() if entry.source not in standing]
    new.plan(_planned(todo.values(), new.ledger))
    with work.meter("re-embedding", len(todo), "documents") as tick:
        ingest = Ingest(new, work.embedder, work.facts, old.columns, work.options.commit_every)
        tally = ingest.run(stored_documents(old.store, todo), gone, tick)
    tally.unchanged = len(standing) - len(todo)
    failed = [entry for entry in old.ledger.entries("failed") if not entry.sha256]
    new.acknowledge(failed, ends=old.ledger.files())
    return tally


def _planned(entries: Iterable[Entry], ledger: Ledger) -> Iterator[Entry]:
    for entry in entries:
        there = ledger.entry(entry.source) or Entry(entry.source, entry.file, "planned", "")
        yield replace(there, state="planned", wanted=entry.sha256, reason="")


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


def _finish(target: Generation, writer: Writer, facts: Facts) -> None:
    writer.finish()
    make_mirror(target.mirror, writer.store, facts)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
