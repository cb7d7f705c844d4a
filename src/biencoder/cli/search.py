"""`biencoder search`: ask a question of an index, or in memory of a file or folder."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from biencoder.cli.reach import KeyFile, Server, Tokenizer
from biencoder.cli.show import print_json, progress, say, warnings_as_lines

if TYPE_CHECKING:
    from biencoder.corpus.reader import Reader
    from biencoder.embedder import memory_search
    from biencoder.embedder.memory_search import MemoryIndex
    from biencoder.index import hits

NAME = "search"
HELP = "Answer a question with the best passages of an index, or in memory of a file or folder."


def run(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    in_: Annotated[Path, typer.Option("--in", help="An index, a file, a folder, a BEIR folder.")],
    model: Annotated[
        str | None,
        typer.Option(help="Family name, folder or hub id; of an index the one that made it."),
    ] = None,
    server: Server = None,
    api_key_file: KeyFile = None,
    tokenizer: Tokenizer = None,
    mode: Annotated[
        str | None, typer.Option(help="Of an index: dense, lexical or hybrid (the default).")
    ] = None,
    filter_: Annotated[
        str | None,
        typer.Option("--filter", help="Of an index: as 'source = \"a.pdf\" and page < 10'."),
    ] = None,
    fusion: Annotated[
        str | None,
        typer.Option(help="Of hybrid search: weighted (the default) or reciprocal-rank."),
    ] = None,
    top_k: Annotated[int, typer.Option(help="How many passages.")] = 5,
    dimensions: Annotated[int | None, typer.Option(help="A size the model offers.")] = None,
    instruction: Annotated[
        str | None, typer.Option(help="A task, for models that take one.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Find the best passages and print them."""
    with warnings_as_lines():
        from biencoder.errors import InputError
        from biencoder.index.layout import is_index

        if not question.strip():
            raise InputError("the question is empty")
        asked: dict[str, Any] = {"top_k": top_k, "instruction": instruction}
        chosen = _Chosen(model, server, tokenizer, api_key_file)
        if is_index(in_):
            asked |= {"mode": mode or "hybrid", "filters": filter_}
            asked |= {"fusion": fusion} if fusion is not None else {}
            _ask_index(question, in_, chosen, dimensions, asked, json_)
        elif in_.exists() and any((mode, filter_, fusion)):
            raise InputError(
                f"{in_} is no index, and --mode, --filter and --fusion are for indices",
                hint=f"make one with: {shlex.join(['biencoder', 'index', str(in_)])} --to my-index",
            )
        else:
            _ask_files(question, in_, chosen, dimensions, asked, json_)


class _Chosen(NamedTuple):
    """Which model, and where; None where nothing was said."""

    model: str | None
    server: str | None
    tokenizer: str | None
    api_key_file: Path | None


def _ask_index(
    question: str,
    folder: Path,
    chosen: _Chosen,
    dimensions: int | None,
    asked: dict[str, Any],
    as_json: bool,
) -> None:
    from biencoder.embedder.reach import open_encoder
    from biencoder.errors import DimensionError
    from biencoder.index.opened import Index

    index = Index.open(folder, api_key_file=chosen.api_key_file)
    if chosen.model is not None or chosen.server is not None:
        index = Index.open(folder, embedder=open_encoder(index.facts.reach(*chosen)))
    if dimensions not in (None, index.facts.dimensions):
        raise DimensionError(
            f"the vectors of {folder} have {index.facts.dimensions} dimensions, not {dimensions}",
            hint="leave --dimensions out, or: "
            + shlex.join(["biencoder", "reindex", str(folder), "--dimensions", str(dimensions)]),
        )
    found = index.search(question, **asked)
    server = chosen.server or (None if chosen.model else index.facts.server)
    at = f" at {server}" if server else ""
    say(f"{len(index):,} passages, {index.facts.model}{at}, {asked['mode']}")
    if as_json:
        print_json([_stored_record(hit, question) for hit in found])
    else:
        for hit in found:
            _print(hit, question, *_place(hit))
    if not found:
        say("No passage was found.")


def _ask_files(
    question: str,
    place: Path,
    chosen: _Chosen,
    dimensions: int | None,
    asked: dict[str, Any],
    as_json: bool,
) -> None:
    from biencoder.corpus.reader import Reader
    from biencoder.embedder.memory_search import MemoryIndex
    from biencoder.embedder.reach import Reach, open_encoder

    reader = Reader([place], lines="one text")
    reach = Reach(
        model=chosen.model or "mini",
        server=chosen.server or "",
        tokenizer=chosen.tokenizer or "",
        api_key_file=chosen.api_key_file,
    )
    index = MemoryIndex(open_encoder(reach), dimensions)
    with progress("reading", total=None, unit="passages") as tick:
        for count in index.add((item.id, item.title, item.text) for item in reader):
            tick(count)
    found = index.search(question, **asked)
    _tell(index, reader)
    if as_json:
        print_json([_record(hit, question) for hit in found])
    else:
        for hit in found:
            _print(hit, question, hit.title, "")


def _record(hit: memory_search.Hit | hits.Hit, question: str) -> dict[str, object]:
    from biencoder.text.snippet import snippet

    return {
        "rank": hit.rank,
        "score": hit.score,
        "text": hit.text,
        "source": hit.source,
        "title": hit.title,
        "start": hit.start,
        "snippet": snippet(hit.text, question),
    }


def _stored_record(hit: hits.Hit, question: str) -> dict[str, object]:
    return {
        **_record(hit, question),
        "page": hit.page,
        "heading": hit.heading,
        "end": hit.end,
        "id": hit.id,
        "scores": {"dense": hit.dense, "lexical": hit.lexical},
        "page_image": hit.pictured,
        "metadata": {n: value for n, value in hit.metadata.items() if value is not None},
    }


def _place(hit: hits.Hit) -> tuple[str, str]:
    """Page, and heading or title; the scores in either ranking."""
    page = [] if hit.page is None else [f"page {hit.page}"]
    words = [hit.heading or hit.title] if hit.heading or hit.title else []
    looks = ["page image"] if hit.pictured and hit.text.strip() else []
    scores = [
        *([] if hit.dense is None else [f"cosine {hit.dense:.3f}"]),
        *([] if hit.lexical is None else [f"BM25 {hit.lexical:.2f}"]),
    ]
    return "  ".join([*page, *words, *looks]), ", ".join(scores)


def _print(hit: memory_search.Hit | hits.Hit, question: str, place: str, scores: str) -> None:
    from rich.console import Console
    from rich.padding import Padding
    from rich.text import Text

    from biencoder.evaluate.report.words import visible
    from biencoder.text.snippet import matches, snippet

    head = Text(f"{hit.rank}. {hit.score:.3f}  ", style="bold")
    head.append(visible(hit.source), style="cyan")
    if place:
        head.append(f"  {visible(place)}", style="dim")
    body = Text(visible(snippet(hit.text, question)), style="default")
    if not hit.text.strip():
        body = Text("page image, without a text layer", style="italic dim")
    for start, stop in matches(body.plain, question):
        body.stylize("bold yellow", start, stop)
    if scores:
        body.append(f"\n{scores}", style="dim")
    console = Console(soft_wrap=False)
    console.print(head)
    console.print(Padding(body, (0, 0, 0, 3), expand=False))
    console.print()


def _tell(index: MemoryIndex, reader: Reader) -> None:
    from biencoder.evaluate.report.words import counted

    model = index.embedder.profile.name
    passages = counted(len(index.texts), "passage")
    say(f"{counted(index.documents, 'document')}, {passages}, {model}")
    if index.unreadable:
        hardly = counted(index.unreadable, "passage")
        say(f"Warning: {hardly} hardly readable for {model} (another language or script)")
    if reader.skipped:
        left = counted(len(reader.skipped), "file")
        say(f"Warning: {left} left out, because not text: first {reader.skipped[0]}")
