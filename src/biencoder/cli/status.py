"""`biencoder status`: what an index is, what is in it, what failed, how large it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biencoder.cli.show import print_json, warnings_as_lines
from biencoder.cli.show_index import failure_lines, failure_records

if TYPE_CHECKING:
    from biencoder.index.status import Beside, Status

NAME = "status"
HELP = "Show an index: model, documents, passages, failed files with reasons, size on disk."


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
    facts, failures = rest.pop("facts"), rest.pop("failures")
    return {
        "index": str(folder),
        **{name: facts[name] for name in ("model", "fingerprint", "dimensions")},
        **rest,
        "failed": len(failures),
        "failures": failure_records(failures),
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
    for line in failure_lines(status.failures, folder):
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
    yield "failed", f"{len(status.failures):,}"
    if status.planned:
        yield "not finished", f"{status.planned:,} documents: run `biencoder index` again"
    if status.damage:
        yield "damaged", f"{status.damage}: run `biencoder index` again"
    pieces = "" if status.fragments is None else f", {counted(status.fragments, 'piece')}"
    yield "version", "none yet" if status.version is None else f"{status.version:,}{pieces}"
    parts = {part: size for part, size in status.bytes.items() if size and part != "total"}
    sizes = (f"{part} {gigabytes(size)}" for part, size in parts.items())
    yield "on disk", f"{gigabytes(status.bytes['total'])}: {', '.join(sizes)}"
    if status.set_aside:
        yield (
            "set aside",
            f"{status.set_aside:,} damaged or unfinished files; compact --purge drops them",
        )
    for kept in status.kept:
        yield "kept", f"{_beside(kept)}; compact --purge drops it"
    if status.building is not None:
        purpose = status.building.purpose or "rewriting"
        yield "not finished", f"{purpose}: {_beside(status.building)}; the same command goes on"


def _beside(generation: Beside) -> str:
    from biencoder.diagnosis.memory import gigabytes

    return (
        f"{generation.name} ({generation.model}), {generation.documents:,} documents, "
        f"{gigabytes(generation.bytes)}"
    )
