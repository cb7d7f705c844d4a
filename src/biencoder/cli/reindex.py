"""`biencoder reindex`: an index's passages through another model; searching goes on meanwhile."""

from __future__ import annotations

import shlex
import time
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from biencoder.cli.page_options import Dpi, MaxTiles, Modality, Thumbnail, page_options
from biencoder.cli.reach import KeyFile, Server, Tokenizer
from biencoder.cli.show import print_json, say, warnings_as_lines
from biencoder.cli.show_index import FAULTS, bar, failure_records, tell_tally

NAME = "reindex"
HELP = "Re-embed an index with another model; it answers as before until the new one is whole."


def run(
    folder: Annotated[Path, typer.Argument(help="The index.")],
    model: Annotated[
        str | None, typer.Option(help="Family name, folder or hub id; the same without this.")
    ] = None,
    dimensions: Annotated[
        int | None,
        typer.Option(help="A size the model offers; as before, of another model its largest."),
    ] = None,
    chunk_tokens: Annotated[
        int | None, typer.Option(help="The longest passage; as before without this.")
    ] = None,
    modality: Modality = None,
    max_tiles: MaxTiles = None,
    thumbnail: Thumbnail = None,
    dpi: Dpi = None,
    commit_every: Annotated[
        int | None, typer.Option(help="Passages between two commits; 10,000 without this.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Make all vectors anew though nothing differs.")
    ] = False,
    server: Server = None,
    api_key_file: KeyFile = None,
    tokenizer: Tokenizer = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Build a new generation beside the old one, then swap."""
    with warnings_as_lines():
        from biencoder.index.build import Options
        from biencoder.index.facts import read_facts
        from biencoder.index.layout import read_layout
        from biencoder.index.rewrite import reindex

        before = read_layout(folder).generation()
        options = Options(
            model=model,
            server=server,
            tokenizer=tokenizer,
            api_key_file=api_key_file,
            dimensions=dimensions,
            chunk_tokens=chunk_tokens,
            again=again,
            pages=page_options(modality, max_tiles, thumbnail, dpi),
        )
        if commit_every is not None:
            options = replace(options, commit_every=commit_every)
        began = time.monotonic()
        try:
            tally = reindex(folder, options, meter=bar)
        except KeyboardInterrupt:
            say("Stopped. The index answers as before; the same command goes on from there.")
            raise typer.Exit(130) from None
        seconds = time.monotonic() - began
        if tally.as_before:
            say(
                f"Nothing differs from what {folder} has: nothing was done. --again does it all anew."
            )
        else:
            tell_tally(tally, folder, seconds)
            drop = shlex.join(["biencoder", "compact", str(folder), "--purge"])
            say(f"The old vectors are kept in {before.name}; this drops them: {drop}")
        if json_:
            print_json(
                {
                    "index": str(folder),
                    "model": read_facts(read_layout(folder).generation()).model,
                    "documents": tally.documents,
                    "chunks": tally.chunks,
                    "pages": tally.pages,
                    "unchanged": tally.unchanged,
                    "failed": len(tally.failures),
                    "unreadable": tally.unreadable,
                    "seconds": round(seconds, 3),
                    "failures": failure_records(tally.failures),
                }
            )
        raise typer.Exit(FAULTS if tally.failures else 0)
