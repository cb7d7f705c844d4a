"""Does an index agree with itself, with the files it was made of, and with the model on this machine?

Ledger against table, table against mirror, ledger against sources. Nothing is changed: indexing again
heals what can be healed. Files that changed since the last run are counted, not held against the index.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from biencoder.errors import BiencoderError, IndexDamagedError, InputError
from biencoder.index import dense
from biencoder.index.facts import Facts, check_query_model, read_facts
from biencoder.index.filter_check import ColumnType
from biencoder.index.layout import Generation, read_layout
from biencoder.index.ledger import Ledger
from biencoder.index.lock import reading_alone
from biencoder.index.meter import Meter, silent
from biencoder.index.mirror import Mirror, has_mirror, open_mirror
from biencoder.index.opened import read_only_ledger
from biencoder.index.page_files import PageFiles
from biencoder.index.page_settings import open_index_model
from biencoder.index.plan import make_plan, row_source
from biencoder.index.rights import check_readable
from biencoder.index.search import Snapshot, dense_ranking
from biencoder.index.store import WORDS, Store
from biencoder.index.table_files import is_whole
from biencoder.index.verify_pages import page_checks
from biencoder.index.verify_table import Check, MirrorWalk, TableWalk
from biencoder.index.writer import ACKNOWLEDGED, metadata_columns
from biencoder.reading.file_text import ReadFailure
from biencoder.reading.kinds import kind_of
from biencoder.reading.rows import RowReader

SAMPLE = 200
_DEPTH = 10


@dataclass(frozen=True, slots=True)
class Sources:
    """What the next run would find: files changed and new, documents gone, documents that the last
    run was to do and did not come to. not_looked_at: why, where that is so.
    """

    changed: int = 0
    new: int = 0
    gone: int = 0
    planned: int = 0
    not_looked_at: str = ""


@dataclass(frozen=True, slots=True)
class Verification:
    """recall: share of the ten nearest passages that searching finds, None where it was not asked."""

    version: int
    documents: int
    chunks: int
    checks: tuple[Check, ...]
    sources: Sources
    candidates: str
    sampled: int
    recall: float | None

    @property
    def ok(self) -> bool:
        """Whether no check found a fault."""
        return not any(check.faults for check in self.checks)


def verify(folder: str | Path, *, sample: int = SAMPLE, meter: Meter | None = None) -> Verification:
    """Compare everything, and ask ``sample`` stored vectors for their neighbours.

    Keeps writers away, for what changes meanwhile would look like a fault. Raises InputError,
    LockedError, and IndexDamagedError where there is no account to compare with, or RightsError where
    this user may not read all of it.
    """
    if sample < 0:
        raise InputError(f"sample is {sample}; give 0 or more passages")
    place = Path(folder)
    with reading_alone(read_layout(place).lock, verb="verify"):
        generation = read_layout(place).generation()
        # What may not be read would look like damage.
        check_readable(generation.table)
        ledger = read_only_ledger(generation)
        try:
            acknowledged = ledger.fact(ACKNOWLEDGED)
            if acknowledged is None:
                raise InputError(
                    f"{place} holds nothing yet", hint="its first run did not come to a commit"
                )
            version = int(acknowledged["version"])
            run = _Run(place, generation, read_facts(generation), ledger, version, meter or silent)
            return run.all(sample)
        finally:
            ledger.close()


@dataclass
class _Run:
    place: Path
    generation: Generation
    facts: Facts
    ledger: Ledger
    version: int
    meter: Meter
    checks: list[Check] = field(default_factory=list)

    def all(self, sample: int) -> Verification:
        self._files()
        self._model()
        store, mirror = self._table(), self._mirror()
        if store is not None:
            self._rows(store, mirror)
            self._full_text(store)
            self._pages(store)
        sources = self._sources({} if store is None else metadata_columns(store.schema))
        asked, recall = 0, None
        if store is not None and mirror is not None and self._is_compared(mirror):
            asked = min(sample, len(mirror.vectors_ND))
            pages = PageFiles(self.generation.pages)
            snapshot = Snapshot(self.facts, self.version, store, mirror, pages)
            recall = self._recall(snapshot, asked)
        documents, chunks = self.ledger.standing()
        return Verification(
            version=self.version,
            documents=documents,
            chunks=chunks,
            checks=tuple(self.checks),
            sources=sources,
            candidates=self.facts.candidates,
            sampled=asked,
            recall=recall,
        )

    def _check(self, name: str) -> Check:
        self.checks.append(Check(name))
        return self.checks[-1]

    def _files(self) -> None:
        check = self._check("files")
        for file in self.ledger.stored().values():
            check.looked_at += 1
            if not is_whole(self.generation.table / file.path, file.size):
                check.wrong(f"{file.path} is not as it was written")

    def _model(self) -> None:
        check = self._check("model")
        check.looked_at = 1
        try:
            check_query_model(self.facts, open_index_model(self.facts), self.place)
        except BiencoderError as error:
            check.wrong(error.message)

    def _table(self) -> Store | None:
        check = self._check("table")
        check.looked_at = 1
        try:
            return Store.open(self.generation.folder, self.version)
        except IndexDamagedError as error:
            check.wrong(error.message)
            return None

    def _mirror(self) -> Mirror | None:
        check = self._check("mirror")
        try:
            mirror = open_mirror(self.generation.mirror, self.facts, self.version)
        except (OSError, ValueError) as error:
            check.wrong(f"it cannot be read: {error}")
            return None
        if mirror is None and has_mirror(self.generation.mirror, self.facts, self.version):
            check.wrong("it is not whole; searching makes it anew")
        elif mirror is None:
            check.not_yet = "not made yet; the end of a run makes it, or searching"
        return mirror

    def _rows(self, store: Store, mirror: Mirror | None) -> None:
        table = TableWalk(self.ledger.entries())
        copy = None if mirror is None else MirrorWalk(mirror, self.facts, self._named("mirror"))
        names = [name for name in store.schema.names if name != WORDS]
        with self.meter("comparing", store.rows(), "passages") as tick:
            try:
                for batch in store.scan(names):
                    table.take(batch)
                    if copy is not None:
                        copy.take(batch)
                    tick(len(batch))
            except IndexDamagedError as error:
                self._named("table").wrong(error.message)
                return
        table.finish()
        if copy is not None:
            copy.finish()
        self.checks += table.checks

    def _named(self, name: str) -> Check:
        return next(check for check in self.checks if check.name == name)

    def _is_compared(self, mirror: Mirror) -> bool:
        """Whether the mirror is known to be right; what is not would answer for the index."""
        check = self._named("mirror")
        return not check.faults and check.looked_at == len(mirror.vectors_ND)

    def _full_text(self, store: Store) -> None:
        check = self._check("full text")
        check.looked_at = store.rows()
        if check.looked_at == 0 or store.words_complete():
            return
        if _unfinished(self.ledger):
            check.not_yet = "not over every passage yet; the end of a run makes it so"
        else:
            check.wrong("its index does not cover every passage")

    def _pages(self, store: Store) -> None:
        if self.facts.reads_pages:
            files, unfinished = PageFiles(self.generation.pages), _unfinished(self.ledger) > 0
            with self.meter("looking", None, "pages") as tick:
                self.checks += page_checks(store, files, unfinished=unfinished, tick=tick)

    def _sources(self, columns: Mapping[str, ColumnType]) -> Sources:
        check = self._check("sources")
        planned = _unfinished(self.ledger)
        try:
            with self.meter("hashing", None, "files") as tick:
                plan = make_plan(
                    Path(self.facts.root),
                    self.ledger,
                    columns,
                    by_looks=self.facts.reads_pages,
                    tick=tick,
                )
        except InputError as error:
            return Sources(planned=planned, not_looked_at=error.message)
        except PermissionError as error:
            why = f"{error.filename} cannot be opened: {error.strerror}"
            return Sources(planned=planned, not_looked_at=why)
        known = self.ledger.files()
        jobs = {job.file: job.sha256 for job in plan.jobs}
        changed = {
            file for file, sha256 in jobs.items() if file in known and known[file].sha256 != sha256
        }
        there = {entry.file for entry in self.ledger.entries()}
        unfinished = {entry.file for entry in self.ledger.entries("planned", "embedded")}
        new = sum(file not in known and file not in unfinished for file in jobs)
        for file in sorted(known.keys() - jobs.keys()):
            check.looked_at += 1
            for what in self._lost(file, file in there):
                check.wrong(what)
        return Sources(len(changed), new, len(plan.gone), planned)

    def _lost(self, file: str, has_entries: bool) -> Iterator[str]:
        """What a file that has not changed holds and the ledger does not know."""
        root = Path(self.facts.root)
        path = (root if root.is_dir() else root.parent) / file
        if kind_of(path) != "rows":
            if not has_entries:
                yield f"{file} was read, and the ledger does not know it"
        elif path.exists():
            entries = {entry.source for entry in self.ledger.entries_of(file)}
            for row in RowReader(path, file):
                if not isinstance(row, ReadFailure) and row_source(file, row) not in entries:
                    yield f"{row_source(file, row)} was read, and the ledger does not know it"

    def _recall(self, snapshot: Snapshot, sample: int) -> float | None:
        """Of the ten nearest passages of some stored vectors, the share that searching finds."""
        vectors_ND = snapshot.mirror.vectors_ND
        if sample == 0:
            return None
        rows = np.random.default_rng(0).choice(len(vectors_ND), sample, replace=False)
        found = wanted = 0
        with self.meter("asking", sample, "passages") as tick:
            for row in np.sort(rows):
                query_D = np.asarray(vectors_ND[row])
                near, _ = dense.exact(vectors_ND, query_D, _DEPTH, None)
                _, best = dense.settle(vectors_ND, query_D, near, _DEPTH, snapshot.mirror.ids)
                # By score: of equal passages any may stand for the other.
                least = best[-1] - dense.ROUNDING
                ranking = dense_ranking(snapshot, query_D, _DEPTH, None)
                found += sum(score >= least for _, score in ranking)
                wanted += len(best)
                tick(1)
        return found / wanted


def _unfinished(ledger: Ledger) -> int:
    """Documents that the last run was to do and did not come to."""
    counts = ledger.counts()
    return counts["planned"] + counts["embedded"]
