"""Documents into a generation: fed through the model, committed some thousand rows at a time."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from biencoder.embedder.encoder import Encoder
from biencoder.index.facts import Facts
from biencoder.index.feed import Document, Feed, Finished
from biencoder.index.filter_check import ColumnType
from biencoder.index.ledger import Entry
from biencoder.index.meter import Tick
from biencoder.index.page_feed import PageFeed
from biencoder.index.plan import Job
from biencoder.index.rows import checksum, to_table
from biencoder.index.writer import Rows, Writer, unbroken
from biencoder.reading.limits import Limits
from biencoder.reading.pdf_pages import PDF_LIMITS

COMMIT_EVERY = 10_000
# A model that takes a second a passage would else lose hours to a kill.
_COMMIT_SECONDS = 60.0


@dataclass
class Tally:
    """What a run did.

    pages: those of the passages that are pages read by their looks. unreadable: passages that the
    model hardly reads; hardly_read: how many of them by source. failures: source and reason; notes: by
    file, what of it was lost; remarks: by file, how it was read, though whole; others: files that were
    left out. as_before: nothing was done, for what was asked for stands there already.
    """

    documents: int = 0
    chunks: int = 0
    pages: int = 0
    unreadable: int = 0
    removed: int = 0
    unchanged: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    hardly_read: dict[str, int] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    remarks: dict[str, tuple[str, ...]] = field(default_factory=dict)
    others: tuple[Path, ...] = ()
    as_before: bool = False


@dataclass
class Ingest:
    """One run over documents, pages or both; its tally is of all of them together."""

    writer: Writer
    embedder: Encoder
    facts: Facts
    columns: dict[str, ColumnType]
    commit_every: int = COMMIT_EVERY
    tally: Tally = field(default_factory=Tally)

    def run(
        self,
        documents: Iterable[Document],
        gone: Sequence[str] = (),
        tick: Tick = lambda count: None,
    ) -> Tally:
        """Index documents and remove those that are gone; ``tick`` gets the number of documents done.

        Whatever stops it, Ctrl-C too, it commits what is finished and lets the exception go on.
        """
        self._remove(gone)
        feed = Feed(self.embedder, self.facts, self.commit_every)

        def told() -> Iterator[list[Finished]]:
            for finished in feed.run(documents):
                yield finished
                # Behind it: Ctrl-C comes while something is shown, and what is finished is kept.
                tick(sum(_was_planned(item.document) for item in finished))

        return self._store(told())

    def run_pages(
        self,
        jobs: Sequence[Job],
        limits: Limits = PDF_LIMITS,
        tick: Tick = lambda count: None,
    ) -> Tally:
        """As `run`, of files that are read as page images; ``tick`` gets the number of pages done."""
        feed = PageFeed(self.embedder, self.facts, self.writer.pages, limits, tick)
        return self._store(feed.run(jobs))

    def _store(self, stream: Iterable[list[Finished]]) -> Tally:
        waiting: list[Finished] = []
        since = time.monotonic()
        try:
            for finished in stream:
                waiting += finished
                late = time.monotonic() - since > _COMMIT_SECONDS
                # What is less than a whole commit waits for the next windows, but not for long.
                if self._commit_all(waiting, least=1 if late else self.commit_every):
                    since = time.monotonic()
        except BaseException:
            # Of a commit that failed, nothing waits any more.
            self._commit_all(waiting)
            raise
        self._commit_all(waiting)
        return self.tally

    def _commit_all(self, waiting: list[Finished], least: int = 0) -> int:
        """Commits of about ``commit_every`` rows, each of whole documents; gives how many.

        least: what would be fewer rows is left waiting.
        """
        done = 0
        while waiting:
            rows = count = 0
            while count < len(waiting) and rows < self.commit_every:
                # What failed has none, and there may be a million of it.
                rows += max(1, len(waiting[count].chunks))
                count += 1
            if rows < least:
                break
            # Ctrl-C must not come between: what is committed would be committed once more.
            with unbroken():
                try:
                    self._commit(waiting[:count])
                except BaseException:
                    # Tried again on its way up, it would hide why it failed. It waits for the next run.
                    waiting.clear()
                    raise
                del waiting[:count]
            done += 1
        return done

    def _commit(self, part: Sequence[Finished]) -> None:
        good = [item for item in part if item.document.source and not item.reason]
        bad = [item for item in part if item.reason]
        ends = {
            item.document.file: item.document.ends
            for item in part
            if item.document.ends is not None
        }
        pages = [id_ for item in good for id_ in item.pages]
        rows = Rows([self._entry(item) for item in good], self._table(good), pages)
        self.writer.commit(rows, failed=[_failed(item) for item in bad], ends=ends)
        self._count(good, bad)

    def _remove(self, gone: Sequence[str]) -> None:
        if gone:
            self.writer.commit(Rows([], self._table([])), gone=gone)
            self.tally.removed += len(gone)

    def _table(self, items: Sequence[Finished]) -> pa.Table:
        chunks = [chunk for item in items for chunk in item.chunks]
        parts = [item.vectors_ND for item in items]
        empty = np.empty((0, self.facts.dimensions), dtype=np.float32)
        vectors_ND = np.concatenate([empty, *parts])
        used = {name for chunk in chunks for name in chunk.metadata}
        columns = {name: kind for name, kind in self.columns.items() if name in used}
        ids = [id_ for item in items for id_ in self._ids(item)]
        return to_table(chunks, ids, vectors_ND, columns)

    def _ids(self, item: Finished) -> Sequence[str]:
        return item.pages or [chunk.id(self.facts.cutting) for chunk in item.chunks]

    def _count(self, good: Sequence[Finished], bad: Sequence[Finished]) -> None:
        self.tally.documents += len(good)
        self.tally.chunks += sum(len(item.chunks) for item in good)
        self.tally.pages += sum(len(item.pages) for item in good)
        self.tally.unreadable += sum(item.unreadable for item in good)
        self.tally.failures |= {item.document.source: item.reason for item in bad}
        self.tally.hardly_read |= {
            item.document.source: item.unreadable for item in good if item.unreadable
        }
        for item in (*good, *bad):
            if item.document.remarks:
                self.tally.remarks[item.document.file] = item.document.remarks
            if item.document.ends is not None and item.document.ends.notes:
                self.tally.notes[item.document.file] = item.document.ends.notes

    def _entry(self, item: Finished) -> Entry:
        document, chunks = item.document, item.chunks
        share = (
            f"{item.unreadable:,} of {len(chunks):,} {'passages' if len(chunks) > 1 else 'passage'}"
        )
        name = self.embedder.profile.name
        return Entry(
            source=document.source,
            file=document.file,
            state="committed",
            wanted=document.sha256,
            reason=f"{share} hardly readable for {name}" if item.unreadable else "",
            sha256=document.sha256,
            chunks=len(chunks),
            checksum=checksum(item.vectors_ND, [chunk.text for chunk in chunks]),
        )


def _was_planned(document: Document) -> bool:
    """Not the end of a file, nor a line of one that could not be read: the total has no such."""
    return bool(document.source) and (bool(document.sha256) or document.source == document.file)


def _failed(item: Finished) -> Entry:
    document = item.document
    return Entry(document.source, document.file, "failed", document.sha256, item.reason)
