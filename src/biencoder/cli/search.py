"""`biencoder search`: ask a question of a file or folder, in memory."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biencoder.cli.show import print_json, progress, say, warnings_as_lines

if TYPE_CHECKING:
    from biencoder.corpus.reader import Reader
    from biencoder.embedder.memory_search import Hit, MemoryIndex

NAME = "search"
HELP = "Answer a question with the best passages of a file or folder, in memory."


def run(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    in_: Annotated[Path, typer.Option("--in", help="A file, a folder or a BEIR folder.")],
    model: Annotated[str, typer.Option(help="Family name, folder or hub id.")] = "mini",
    top_k: Annotated[int, typer.Option(help="How many passages.")] = 5,
    dimensions: Annotated[int | None, typer.Option(help="A size the model offers.")] = None,
    instruction: Annotated[
        str | None, typer.Option(help="A task, for models that take one.")
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Encode the passages, then the question; print the best."""
    with warnings_as_lines():
        from biencoder.corpus.reader import Reader
        from biencoder.embedder.embedder import Embedder
        from biencoder.embedder.memory_search import MemoryIndex
        from biencoder.errors import InputError

        if not question.strip():
            raise InputError("the question is empty")
        reader = Reader([in_], lines="one text")
        index = MemoryIndex(Embedder.load(model), dimensions)
        with progress("reading", total=None, unit="passages") as tick:
            for count in index.add((item.id, item.title, item.text) for item in reader):
                tick(count)
        hits = index.search(question, top_k=top_k, instruction=instruction)
        _tell(index, reader)
        if json_:
            print_json([_record(hit, question) for hit in hits])
        else:
            _print(hits, question)


def _record(hit: Hit, question: str) -> dict[str, object]:
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


def _print(hits: list[Hit], question: str) -> None:
    from rich.console import Console
    from rich.text import Text

    from biencoder.text.snippet import question_words, snippet

    console = Console(soft_wrap=False)
    for hit in hits:
        head = Text(f"{hit.rank}. {hit.score:.3f}  ", style="bold")
        head.append(hit.source, style="cyan")
        if hit.title:
            head.append(f"  {hit.title}", style="dim")
        body = Text(snippet(hit.text, question), style="default")
        for word in question_words(question):
            body.highlight_regex(rf"(?i)\b{word}\b", "bold yellow")
        body.pad_left(3)
        console.print(head)
        console.print(body)
        console.print()


def _tell(index: MemoryIndex, reader: Reader) -> None:
    say(
        f"{index.documents:,} documents, {len(index.texts):,} passages, {index.embedder.profile.name}"
    )
    if index.unreadable:
        say(
            f"Warning: {index.unreadable:,} passages are hardly readable for "
            f"{index.embedder.profile.name} (another language or script)"
        )
    if reader.skipped:
        count = len(reader.skipped)
        say(
            f"Warning: {count:,} files are no text files and were left out, first {reader.skipped[0]}"
        )
