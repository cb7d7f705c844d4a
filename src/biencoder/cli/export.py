"""`biencoder export`: an index as one Parquet file, for other stores (see examples/export)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biencoder.cli.show import print_json, say, warnings_as_lines
from biencoder.cli.show_index import bar

NAME = "export"
HELP = "Write an index's passages, metadata and vectors to a Parquet file."


def run(
    folder: Annotated[Path, typer.Argument(help="The index.")],
    to: Annotated[Path, typer.Option(help="File to write: .parquet.")],
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Stream every passage into the file."""
    with warnings_as_lines():
        from biencoder.evaluate.report.words import counted
        from biencoder.index.export import export_parquet

        rows = export_parquet(folder, to, meter=bar)
        say(f"{counted(rows, 'passage')} -> {to}")
        if json_:
            print_json({"index": str(folder), "path": str(to), "chunks": rows})
