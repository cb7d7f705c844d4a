"""`biencoder index`: a folder into an index, or an index brought up to its folder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.encoder import Encoder
from biencoder.embedder.reach import Reach, open_encoder
from biencoder.errors import InputError
from biencoder.index.carry_out import carry_out
from biencoder.index.facts import (
    CHUNK_TOKENS,
    CUTTING_VERSION,
    Facts,
    check_same,
    facts_of,
    has_facts,
    keep_facts,
    loading_name,
    read_facts,
    write_facts,
)
from biencoder.index.ingest import COMMIT_EVERY, Ingest, Tally
from biencoder.index.layout import (
    LOCK,
    Generation,
    Layout,
    check_place,
    create_layout,
    is_index,
)
from biencoder.index.listing import check_first, check_source
from biencoder.index.lock import writing
from biencoder.index.meter import Meter, silent
from biencoder.index.mirror import make_mirror, open_mirror
from biencoder.index.page_rows import plan_again_without_pages
from biencoder.index.page_settings import PageOptions, page_facts
from biencoder.index.plan import Plan, make_plan
from biencoder.index.recovery import take_over
from biencoder.index.writer import Writer, open_writer
from biencoder.reading.limits import Limits

DEFAULT_MODEL = "mini"
# Vectors longer than this are narrowed down by a short form before they are compared whole.
_LONG = 1024
_PREFIX = 512


@dataclass(frozen=True, slots=True)
class Options:
    """What a run may be told. None: as the index has it, or the default for a new one.

    commit_every: rows between two acknowledgements. retry: read failed files again. workers: processes
    that read files. moved: the folder is the same as before under another name. allow_empty: every
    document may leave. again: re-embed though nothing differs. server, tokenizer,
    api_key_file: how a model behind a server is reached (`embedder/reach.py`); a model that is named
    without a server is one on this machine. pages: how pages are read by their looks.
    """

    model: str | None = None
    server: str | None = None
    tokenizer: str | None = None
    api_key_file: Path | None = None
    dimensions: int | None = None
    chunk_tokens: int | None = None
    commit_every: int = COMMIT_EVERY
    retry: bool = False
    moved: bool = False
    allow_empty: bool = False
    again: bool = False
    workers: int = min(4, os.cpu_count() or 1)
    limits: Limits = field(default_factory=Limits)
    pages: PageOptions = field(default_factory=PageOptions)

    def __post_init__(self) -> None:
        if self.commit_every < 1:
            raise InputError(f"commit-every is {self.commit_every}; give at least 1 row")
        if self.chunk_tokens is not None and self.chunk_tokens < 1:
            raise InputError(
                f"chunk-tokens is {self.chunk_tokens}; give at least 1 token",
                hint=f"{CHUNK_TOKENS} is what a new index has without it",
            )
        if self.workers < 1:
            raise InputError(f"{self.workers} workers cannot read", hint="give 1 or more")

    def reach(self, facts: Facts | None = None) -> Reach:
        """How the model of this run is reached. facts: of the index, where there is one already."""
        facts = facts or Facts(DEFAULT_MODEL, fingerprint="", dimensions=0)
        return facts.reach(self.model, self.server, self.tokenizer, self.api_key_file)

    def open(self, facts: Facts | None = None) -> Encoder:
        """The model of this run. facts: as in `reach`; another model's settings are not this one's."""
        reach = self.reach(facts)
        same = facts is not None and reach.model == facts.model and not reach.server
        return open_encoder(reach, settings=self.pages.settings(facts if same else None))


def index_folder(
    source: str | Path,
    to: str | Path,
    options: Options = Options(),
    *,
    embedder: Encoder | None = None,
    meter: Meter | None = None,
) -> Tally:
    """Make or update the index ``to`` of a folder or file; when this returns, all is on the disk.

    meter: makes a progress bar from a label, a total and a unit. Raises InputError, LockedError,
    FingerprintError, OutputError; a file that cannot be read is in the tally's failures instead.
    """
    root, folder = Path(source).resolve(), Path(to)
    check_source(root, images=True)
    check_place(folder)
    made = [path for path in (folder / LOCK, folder, *folder.parents) if not path.exists()]
    # The lock first: a second writer is refused before it walks a folder or loads a model.
    with writing(folder / LOCK, verb="index"), _nothing_left(folder, made):
        if not is_index(folder):
            embedder = _first_model(root, options, embedder)
            create_layout(folder)
        run = _Run(take_over(folder), options, root, embedder, meter or silent)
        # The run lets go of it in time.
        del embedder
        return run.all()


def _first_model(root: Path, options: Options, embedder: Encoder | None) -> Encoder:
    """The model of a new index; what its first run needs is tried before there is one."""
    check_first(root, images=options.pages.modality != "text")
    embedder = embedder or options.open()
    facts = new_facts(embedder, options, root)
    check_first(root, images=facts.reads_pages)
    embedder.cutter(facts.chunk_tokens)
    return embedder


@contextmanager
def _nothing_left(folder: Path, made: Sequence[Path]) -> Iterator[None]:
    """A first run that cannot start leaves neither its lock file nor a folder: those that it made."""
    try:
        yield
    except BaseException:
        if not is_index(folder):
            # Why it cannot start is what is to be told; an empty folder that stays harms nobody.
            with suppress(OSError):
                for path in made:
                    path.rmdir() if path.is_dir() else path.unlink()
        raise


@dataclass
class _Run:
    layout: Layout
    options: Options
    root: Path
    embedder: Encoder | None
    meter: Meter

    def all(self) -> Tally:
        generation = self.layout.generation()
        facts = self._facts(generation)
        with open_writer(generation, facts.dimensions) as writer:
            keep_facts(generation, writer.ledger, facts)
            with self.meter("looking", None, "files") as tick:
                plan_again_without_pages(writer, facts, thorough=self.options.retry)
                plan = make_plan(
                    self.root,
                    writer.ledger,
                    writer.columns,
                    note=writer.plan,
                    retry=self.options.retry,
                    may_empty=self.options.allow_empty,
                    held=writer.store.held,
                    by_looks=facts.reads_pages,
                    tick=tick,
                )
            tally = self._ingest(writer, plan, facts)
            # What comes now needs memory, and no model.
            self.embedder = None
            tally.unchanged = plan.unchanged
            tally.others = plan.others
            # Those of earlier runs too: a failure is told until it is mended.
            tally.failures = {e.source: e.reason for e in writer.ledger.entries("failed")}
            writer.finish()
            if open_mirror(generation.mirror, facts, writer.version) is None:
                make_mirror(generation.mirror, writer.store, facts)
        return tally

    def _facts(self, generation: Generation) -> Facts:
        """Those of the index, or new ones where its first run did not come to write them."""
        if not has_facts(generation):
            embedder = self._model(None)
            facts = new_facts(embedder, self.options, self.root)
            write_facts(generation, facts)
            return facts
        facts = read_facts(generation)
        if facts.root == str(self.root):
            return facts
        if not self.options.moved:
            raise InputError(
                f"{self.layout.folder} is the index of {facts.root}, not of {self.root}",
                hint="give another --to; or --moved, if it is the same folder under a new name",
            )
        facts = replace(facts, root=str(self.root))
        write_facts(generation, facts)
        return facts

    def _model(self, facts: Facts | None) -> Encoder:
        if self.embedder is None:
            self.embedder = self.options.open(facts)
        return self.embedder

    def _ingest(self, writer: Writer, plan: Plan, facts: Facts) -> Tally:
        options = self.options
        asked = (options.model, options.server, options.dimensions, options.chunk_tokens)
        told = any(value is not None for value in asked) or options.pages.told
        if not (plan.jobs or plan.gone or plan.failures or told):
            return Tally()
        embedder = self._model(facts)
        check_same(facts, _asked(embedder, options, facts), self.layout.folder)
        if options.server is not None and embedder.origin.server != facts.server:
            # The same model at another address: from now on it is asked there.
            facts = replace(facts, server=embedder.origin.server)
            keep_facts(self.layout.generation(), writer.ledger, facts)
        return carry_out(
            plan,
            Ingest(writer, embedder, facts, plan.columns, options.commit_every),
            label="indexing",
            meter=self.meter,
            workers=options.workers,
            limits=options.limits,
        )


def new_facts(embedder: Encoder, options: Options, root: Path) -> Facts:
    """The facts of a new generation; raises DimensionError for a size that the model lacks."""
    size = check_dimensions(options.dimensions, embedder.dimensions, embedder.profile.name)
    name = options.model or loading_name(embedder)
    is_folder = not embedder.origin.server and Path(name).is_dir()
    return facts_of(
        embedder,
        # A folder is found again from any other.
        str(Path(name).resolve()) if is_folder else name,
        dimensions=size,
        chunk_tokens=options.chunk_tokens or CHUNK_TOKENS,
        candidates=_candidates(embedder, size),
        root=str(root),
        **page_facts(embedder, options.pages),
    )


def _asked(embedder: Encoder, options: Options, facts: Facts) -> Facts:
    """What this run would make, where it was not told to be as the index is."""
    return replace(
        facts,
        model=options.model or facts.model,
        fingerprint=embedder.fingerprint(),
        lengths=embedder.origin.lengths,
        dimensions=facts.dimensions if options.dimensions is None else options.dimensions,
        chunk_tokens=options.chunk_tokens or facts.chunk_tokens,
        cutting_version=CUTTING_VERSION,
        **page_facts(embedder, options.pages, facts),
    )


def _candidates(embedder: Encoder, size: int) -> str:
    """How to narrow down: by a prefix the model was trained for, else by signs; short vectors not."""
    if size < _LONG:
        return "exact"
    short = [d for d in embedder.dimensions if d <= min(_PREFIX, size // 2)]
    return f"prefix {short[-1]}" if short else "binary"
