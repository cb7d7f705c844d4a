"""`biencoder status`: what an index is, what is in it, what failed, how large it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biencoder.cli.show import print_json, warnings_as_lines
from biencoder.cli.show_index import failure_lines, failure_records, note_lines, note_records

if TYPE_CHECKING:
    from biencoder.index.status import Beside, Status

NAME = "status"
HELP = "Show an index: model, documents, passages, failed files with reasons, size on disk."

# From here on opening the table takes noticeably longer.
_MANY_PIECES = 100


def run(
    folder: Annotated[Path, typer.Argument(help="The index.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Look, and change nothing."""
    with warnings_as_lines():
        from biencoder.index.status import read_status

        status = read_status(folder)
        if json_:
            print_json(_record(status, folder))
        else:
            _print(status, folder)


def _record(status: Status, folder: Path) -> dict[str, object]:
    rest = asdict(status)
    facts, failures, notes = (rest.pop(name) for name in ("facts", "failures", "notes"))
    return {
        "index": str(folder),
        **{name: facts[name] for name in ("model", "fingerprint", "dimensions", "modality")},
        **rest,
        "failed": len(failures),
        "failures": failure_records(failures),
        "notes": note_records(notes),
        "settings": facts,
    }


def _print(status: Status, folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from biencoder.evaluate.report.words import visible

    table = Table.grid(padding=(0, 2))
    for label, value in _lines(status, folder):
        table.add_row(Text(label, style="dim"), Text(visible(value)))
    Console().print(table)
    for line in (*note_lines(status.notes, folder), *failure_lines(status.failures, folder)):
        typer.echo(line)


def _lines(status: Status, folder: Path) -> Iterator[tuple[str, str]]:
    from biencoder.diagnosis.memory import gigabytes
    from biencoder.evaluate.report.words import counted

    facts = status.facts
    yield "index", str(folder)
    yield "made of", facts.root
    yield "model", f"{facts.model} ({facts.fingerprint}), {facts.dimensions:,} dimensions"
    yield "documents", f"{status.documents:,}"
    yield "passages", f"{status.chunks:,} of up to {facts.chunk_tokens:,} tokens"
    if facts.reads_pages:
        yield "page images", _told_pages(status)
    yield "failed", f"{len(status.failures):,}"
    if status.planned:
        waiting = counted(status.planned, "document")
        yield "not finished", f"{waiting}: run `biencoder index` again"
    if status.damage:
        yield "damaged", f"{status.damage}: run `biencoder index` again"
    if status.version is None:
        yield "committed", "nothing yet"
    if status.fragments is not None and status.fragments >= _MANY_PIECES:
        pieces = f"the table lies in {status.fragments:,} pieces, one a commit"
        yield "scattered", f"{pieces}; `biencoder compact` joins them"
    parts = {part: size for part, size in status.bytes.items() if size and part != "total"}
    sizes = (f"{part} {gigabytes(size)}" for part, size in parts.items())
    yield "on disk", f"{gigabytes(status.bytes['total'])}: {', '.join(sizes)}"
    if status.set_aside:
        yield (
            "set aside",
            f"{counted(status.set_aside, 'damaged file')}, replaced since; compact --purge drops "
            "what was set aside",
        )
    for kept in status.kept:
        yield "kept", f"{_beside(kept)}; compact --purge drops it"
    if status.building is not None:
        purpose = status.building.purpose or "rewriting"
        yield "not finished", f"{purpose}: {_beside(status.building)}; the same command goes on"


def _told_pages(status: Status) -> str:
    from biencoder.index.page_settings import told_tiles

    facts = status.facts
    what = "image and text" if facts.modality == "image_text" else "image alone"
    how = f"tiles {told_tiles(facts)}, PDFs drawn at {facts.dpi} dpi"
    return f"{status.pages:,}, embedded by {what}; {how}"


def _beside(generation: Beside) -> str:
    from biencoder.diagnosis.memory import gigabytes
    from biencoder.evaluate.report.words import counted

    documents = counted(generation.documents, "document")
    model = f" ({generation.model})" if generation.model else ""
    if generation.damage:
        documents = f"its account cannot be read: {generation.damage}"
    return f"{generation.name}{model}, {documents}, {gigabytes(generation.bytes)}"
