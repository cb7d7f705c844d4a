"""`biencoder compact`: an index without what was deleted, in fewer pieces."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from biencoder.cli.show import print_json, say, warnings_as_lines
from biencoder.cli.show_index import bar

NAME = "compact"
HELP = "Rewrite an index without what was deleted; --purge also drops what was kept from before."


def run(
    folder: Annotated[Path, typer.Argument(help="The index.")],
    purge: Annotated[
        bool,
        typer.Option(
            "--purge",
            help="Drop older generations, one half done, damaged files: no deleted text stays.",
        ),
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Copy what stands, then remove the old."""
    with warnings_as_lines():
        from biencoder.diagnosis.memory import gigabytes
        from biencoder.evaluate.report.words import counted
        from biencoder.index.compaction import compact

        done = compact(folder, purge=purge, meter=bar)
        say(
            f"{counted(done.chunks, 'passage')}, {gigabytes(done.bytes_before)} before, "
            f"{gigabytes(done.bytes_after)} now: {folder}"
        )
        if json_:
            print_json({"index": str(folder), **asdict(done)})
