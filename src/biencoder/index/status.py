"""How an index stands: what made it, what is in it, what failed, how large it is. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from biencoder.errors import BiencoderError, IndexDamagedError
from biencoder.index.durable import bytes_below, files_below, size_of
from biencoder.index.facts import Facts, has_facts, read_facts
from biencoder.index.layout import Generation, Layout, read_layout
from biencoder.index.ledger import Ledger
from biencoder.index.opened import read_only_ledger
from biencoder.index.page_files import PageFiles
from biencoder.index.rights import check_readable
from biencoder.index.store import Store
from biencoder.index.table_files import UNFINISHED
from biencoder.index.writer import ACKNOWLEDGED


@dataclass(frozen=True, slots=True)
class Beside:
    """A generation beside the live one: kept from before a re-embedding, or not finished yet.

    model, purpose: empty where it does not say. documents: those that are done. damage: why its
    account cannot be read, where that is so.
    """

    name: str
    model: str
    purpose: str
    documents: int
    bytes: int
    damage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """version: the acknowledged one, None before a first commit. planned: documents that a run was
    to do and did not come to. failures: source and reason. notes: by file or document, what of it is
    not in the index, or hardly readable for the model. fragments: pieces of the table, None where it
    cannot be opened; damage says why. bytes: on the disk, by part. set_aside: damaged files that
    recovery moved out of the way. pages: pictures of pages kept beside the table.
    """

    facts: Facts
    generation: str
    version: int | None
    documents: int
    chunks: int
    planned: int
    failures: Mapping[str, str]
    notes: Mapping[str, tuple[str, ...]]
    fragments: int | None
    damage: str
    bytes: Mapping[str, int]
    set_aside: int
    pages: int
    kept: tuple[Beside, ...]
    building: Beside | None


def read_status(folder: str | Path) -> Status:
    """Look at an index without its model.

    Raises InputError where there is none, IndexDamagedError where its account cannot be read, of these
    RightsError where this user may not read it, or its table.
    """
    layout = read_layout(Path(folder))
    live = layout.generation()
    facts = read_facts(live)
    ledger = read_only_ledger(live)
    try:
        acknowledged = ledger.fact(ACKNOWLEDGED)
        documents, chunks = ledger.standing()
        counts = ledger.counts()
        failures = {entry.source: entry.reason for entry in ledger.entries("failed")}
        notes = _notes(ledger)
    finally:
        ledger.close()
    version = None if acknowledged is None else int(acknowledged["version"])
    fragments, damage = _fragments(live, version)
    return Status(
        facts=facts,
        generation=live.name,
        version=version,
        documents=documents,
        chunks=chunks,
        planned=counts["planned"] + counts["embedded"],
        failures=failures,
        notes=notes,
        fragments=fragments,
        damage=damage,
        bytes=_bytes_by_part(layout),
        set_aside=sum(not _is_unfinished(live, path) for path in _all_aside(live)),
        pages=len(PageFiles(live.pages).ids()),
        kept=tuple(_beside(layout.generation(name)) for name in layout.kept),
        building=None if layout.building is None else _beside(layout.generation(layout.building)),
    )


def _notes(ledger: Ledger) -> dict[str, tuple[str, ...]]:
    notes = {file: end.notes for file, end in ledger.files().items() if end.notes}
    for source, remark in ledger.remarked().items():
        notes[source] = (*notes.get(source, ()), remark)
    return notes


def _all_aside(generation: Generation) -> Iterator[Path]:
    return (path for place in _aside(generation) for path in files_below(place))


def _is_unfinished(generation: Generation, path: Path) -> bool:
    """Whether it is only what a stopped writer was about to do: nobody misses it."""
    if not path.is_relative_to(generation.quarantine):
        return False
    return path.relative_to(generation.quarantine).parts[0].endswith(UNFINISHED)


def _fragments(generation: Generation, version: int | None) -> tuple[int | None, str]:
    if version is None:
        return None, ""
    try:
        return Store.open(generation.folder, version).fragments(), ""
    except IndexDamagedError as error:
        # LanceDB tells a file that may not be read as it tells a damaged one.
        check_readable(generation.table)
        # The account can be read all the same, and a person who looks here needs it most now.
        return None, error.message


def _beside(generation: Generation) -> Beside:
    """What is known of it: whatever is wrong with another generation, the live one is told."""
    model = purpose = damage = ""
    documents = 0
    try:
        if has_facts(generation):
            facts = read_facts(generation)
            model, purpose = facts.model, facts.purpose
        documents = _documents(generation)
    except BiencoderError as error:
        damage = error.message
    size = bytes_below(generation.folder)
    return Beside(generation.name, model, purpose, documents, size, damage)


def _documents(generation: Generation) -> int:
    if not generation.ledger.exists():
        return 0
    ledger = Ledger(generation.ledger, read_only=True)
    try:
        return ledger.standing()[0]
    finally:
        ledger.close()


def _bytes_by_part(layout: Layout) -> dict[str, int]:
    live = layout.generation()
    indices = bytes_below(live.table / "_indices")
    parts = {
        "table": bytes_below(live.table) - indices,
        "full text": indices,
        "mirror": bytes_below(live.mirror),
        "page images": bytes_below(live.pages),
        "ledger": sum(size_of(path) for path in live.folder.glob(f"{live.ledger.name}*")),
        "set aside": sum(map(bytes_below, _aside(live))),
    }
    others = (*layout.kept, *([] if layout.building is None else [layout.building]))
    beside = sum(bytes_below(layout.generation(name).folder) for name in others)
    return {**parts, "other generations": beside, "total": bytes_below(layout.folder)}


def _aside(generation: Generation) -> tuple[Path, Path]:
    return generation.quarantine, generation.folder / "lost"
