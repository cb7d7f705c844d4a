"""Rows that are pages, held against the files kept beside the table for them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from biencoder.index.facts import Facts
from biencoder.index.ledger import Ledger
from biencoder.index.page_files import PageFiles
from biencoder.index.page_sources import has_looks
from biencoder.index.store import Store
from biencoder.index.writer import Writer


def pictured(ledger: Ledger) -> frozenset[str]:
    """The documents that are files with looks; a row of a file may have a name like theirs."""
    return frozenset(
        entry.source
        for entry in ledger.entries()
        if entry.source == entry.file and has_looks(Path(entry.file))
    )


def page_rows(store: Store, ledger: Ledger, facts: Facts) -> Iterator[tuple[str, str]]:
    """Id and source of every row that is a page read by its looks."""
    if not facts.reads_pages:
        return
    pages = pictured(ledger)
    for batch in store.scan(["id", "source"]):
        ids, sources = (map(str, batch.column(name).to_pylist()) for name in ("id", "source"))
        yield from ((i, s) for i, s in zip(ids, sources, strict=True) if s in pages)


def plan_again_without_pages(writer: Writer, facts: Facts, *, thorough: bool) -> None:
    """Plan documents again of which a page lacks a file; the other pages are taken as they are.

    thorough: every file is read, so that a damaged one is found too.
    """
    rows = list(page_rows(writer.store, writer.ledger, facts))
    lacking = set(_damaged(writer.pages, rows) if thorough else _lacking(writer.pages, rows))
    if not lacking:
        return
    sources = {source for id_, source in rows if id_ in lacking}
    found = (writer.ledger.entry(source) for source in sorted(sources))
    entries = [entry for entry in found if entry is not None and entry.state == "committed"]
    with writer.ledger.transaction():
        writer.ledger.put(replace(entry, state="planned") for entry in entries)


def _lacking(files: PageFiles, rows: list[tuple[str, str]]) -> Iterator[str]:
    yield from files.lacking(id_ for id_, _ in rows)


def _damaged(files: PageFiles, rows: list[tuple[str, str]]) -> Iterator[str]:
    yield from (id_ for id_, _ in rows if files.whole(id_) is None)


def carry_pages(old: Writer, new: Writer, *, unfinished: bool) -> list[str]:
    """Give a copy of a generation the files of its pages; the ids of those that are whole.

    unfinished: also of pages whose document is not finished, so that its next run goes on from there.
    """
    standing = old.store.ids()
    known = old.pages.ids()
    old.pages.carry(known if unfinished else known & standing, new.pages)
    carried = known & standing
    return sorted(carried.difference(new.pages.lacking(carried)))
