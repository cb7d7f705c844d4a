"""Re-embedding: the stored passages through another model, into a generation of their own.

It goes on where a kill left it. Until index.json is replaced, at the very end, searching sees the old
generation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from operator import attrgetter
from pathlib import Path

from biencoder.embedder.encoder import Encoder
from biencoder.errors import EncodingError
from biencoder.index.build import Options, new_facts
from biencoder.index.building import begin, documents_done, finish, same_work
from biencoder.index.facts import Facts, keep_facts, read_facts
from biencoder.index.ingest import Ingest, Tally
from biencoder.index.layout import Layout, read_layout
from biencoder.index.ledger import Entry, Ledger
from biencoder.index.lock import writing
from biencoder.index.meter import Meter, silent
from biencoder.index.page_settings import page_facts
from biencoder.index.recovery import take_over
from biencoder.index.reread import Rewriting, check_as_before, read_again
from biencoder.index.stored import stored_documents
from biencoder.index.writer import Writer, open_writer

_COPIED_ROWS = 65_536


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
            return Tally(unchanged=documents_done(live), as_before=True)
        with open_writer(live, before.dimensions) as old:
            by_looks = facts.reads_pages or before.reads_pages
            if by_looks:
                check_as_before(old, before, place)
            layout, target = begin(layout, facts, resume=True)
            facts = read_facts(target)
            with open_writer(target, facts.dimensions) as new:
                keep_facts(target, new.ledger, facts)
                work = Rewriting(old, new, facts, embedder, options, meter or silent)
                tally = read_again(work) if by_looks else _embed_again(work)
                _check_worth(old.ledger, new.ledger, layout.folder)
                finish(target, new, facts)
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
    if layout.building is not None and same_work(layout.generation(layout.building), facts):
        return False
    # Neither who made it nor how its model is called, or reached, changes a vector.
    deciding = attrgetter(
        *("fingerprint", "dimensions", "chunk_tokens", "cutting_version"),
        *("precision", "candidates", "lengths", "modality", "dpi"),
    )
    same: bool = deciding(facts) == deciding(before)
    return same


def _embed_again(work: Rewriting) -> Tally:
    """Every stored passage through the new model."""
    old, new = work.old, work.new
    standing = {entry.source: entry for entry in old.ledger.entries() if entry.sha256}
    done = {
        entry.source: entry.wanted
        for entry in new.ledger.entries("committed", "failed")
        if EncodingError.no_vector not in entry.reason
    }
    todo = {s: e for s, e in standing.items() if done.get(s) != e.sha256}
    gone = [entry.source for entry in new.ledger.entries() if entry.source not in standing]
    new.plan(_planned(todo.values(), new.ledger))
    with work.meter("re-embedding", len(todo), "documents") as tick:
        ingest = Ingest(new, work.embedder, work.facts, old.columns, work.options.commit_every)
        tally = ingest.run(stored_documents(old.store, todo), gone, tick)
    tally.unchanged = len(standing) - len(todo)
    _carry_files(old.ledger, new)
    return tally


def _carry_files(old: Ledger, new: Writer) -> None:
    """What is known of the sources: the next run reads those again that are not as their file is."""
    failed = [entry for entry in old.entries("failed") if not entry.sha256]
    other = {entry.file for entry in old.entries("failed") if entry.sha256}
    other |= {entry.file for entry in old.entries("planned", "embedded")}
    ends = {file: end for file, end in old.files().items() if file not in other}
    new.acknowledge(failed, ends=ends)


def _check_worth(old: Ledger, new: Ledger, folder: Path) -> None:
    """Raise EncodingError where the new model gave no vector for what the old generation holds."""
    lost = [
        entry
        for entry in new.entries("failed")
        if EncodingError.no_vector in entry.reason and old.standing_rows(entry.source)
    ]
    if lost:
        raise EncodingError(
            f"{lost[0].source}: {lost[0].reason} ({len(lost):,} of {old.standing()[0]:,} documents "
            f"have none); {folder} is searched with its old vectors as before",
            hint="see what `biencoder check` says of the model, then run this again (what is done is not "
            "done again) or with another model",
        )


def _planned(entries: Iterable[Entry], ledger: Ledger) -> Iterator[Entry]:
    for entry in entries:
        there = ledger.entry(entry.source) or Entry(entry.source, entry.file, "planned", "")
        yield replace(there, state="planned", wanted=entry.sha256, reason="")
