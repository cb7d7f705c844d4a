"""`biencoder index`: a folder of documents into an index, or an index brought up to its folder."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biencoder.cli.page_options import Dpi, MaxTiles, Modality, Thumbnail, page_options
from biencoder.cli.reach import KeyFile, Server, Tokenizer
from biencoder.cli.show import print_json, say, warnings_as_lines
from biencoder.cli.show_index import FAULTS, bar, failure_records, note_records, tell_tally

if TYPE_CHECKING:
    from biencoder.index.ingest import Tally

NAME = "index"
HELP = (
    "Make an index of a folder (pdf, md, html, txt, docx, pptx, jsonl; images by a page model), or bring "
    "it up to date."
)


def run(
    source: Annotated[Path, typer.Argument(help="A folder or a file; run again after changes.")],
    to: Annotated[Path, typer.Option(help="The index's folder; made if it is not there.")],
    model: Annotated[
        str | None, typer.Option(help="Of a new index: family name, folder or hub id.")
    ] = None,
    server: Server = None,
    api_key_file: KeyFile = None,
    tokenizer: Tokenizer = None,
    dimensions: Annotated[
        int | None, typer.Option(help="Of a new index: a size the model offers.")
    ] = None,
    chunk_tokens: Annotated[
        int | None, typer.Option(help="Of a new index: the longest passage.")
    ] = None,
    modality: Modality = None,
    max_tiles: MaxTiles = None,
    thumbnail: Thumbnail = None,
    dpi: Dpi = None,
    commit_every: Annotated[
        int | None, typer.Option(help="Passages between two commits; 10,000 without this.")
    ] = None,
    retry: Annotated[bool, typer.Option("--retry", help="Read failed files again.")] = False,
    moved: Annotated[
        bool, typer.Option("--moved", help="It is the folder of before under another name.")
    ] = False,
    allow_empty: Annotated[
        bool,
        typer.Option(
            "--allow-empty", help="Every document may leave: the folder is meant to be empty."
        ),
    ] = False,
    workers: Annotated[
        int | None, typer.Option(help="Processes that read files; up to four without this.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Index what is new or changed, remove what is gone."""
    with warnings_as_lines():
        from biencoder.index.build import Options, index_folder

        chosen: dict[str, Any] = {
            "model": model,
            "server": server,
            "api_key_file": api_key_file,
            "tokenizer": tokenizer,
            "dimensions": dimensions,
            "chunk_tokens": chunk_tokens,
            "commit_every": commit_every,
            "workers": workers,
            "pages": page_options(modality, max_tiles, thumbnail, dpi),
        }
        given = {name: value for name, value in chosen.items() if value is not None}
        options = Options(retry=retry, moved=moved, allow_empty=allow_empty, **given)
        began = time.monotonic()
        try:
            tally = index_folder(source, to, options, meter=bar)
        except KeyboardInterrupt:
            say("Stopped. What was finished is kept; the same command goes on from there.")
            raise typer.Exit(130) from None
        seconds = time.monotonic() - began
        others = [str(path.relative_to(source.resolve())) for path in tally.others]
        tell_tally(tally, to, seconds, others)
        if json_:
            print_json(_record(tally, to, seconds, others))
        raise typer.Exit(FAULTS if tally.failures else 0)


def _record(tally: Tally, to: Path, seconds: float, others: list[str]) -> dict[str, object]:
    return {
        "index": str(to),
        "documents": tally.documents,
        "chunks": tally.chunks,
        "pages": tally.pages,
        "unchanged": tally.unchanged,
        "removed": tally.removed,
        "failed": len(tally.failures),
        "unreadable": tally.unreadable,
        "seconds": round(seconds, 3),
        "failures": failure_records(tally.failures),
        "hardly_read": [
            {"source": source, "passages": count} for source, count in tally.hardly_read.items()
        ],
        "notes": note_records(tally.notes),
        "remarks": note_records(tally.remarks),
        "not_read": others,
    }
