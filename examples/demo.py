"""Embed the documentation of a real project, offline, and ask it questions."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console

from biencoder import Embedder
from biencoder.corpus.beir import read_corpus
from biencoder.embedder.memory_search import MemoryIndex
from biencoder.text.snippet import snippet

CORPUS = Path(__file__).with_name("fastapi-docs") / "en"
ASK = '  .venv/bin/biencoder search "your question" --in examples/fastapi-docs/en'
QUESTIONS = (
    "how do I let people upload pictures?",
    "how can I write unit tests for my app?",
    "run something after the answer was sent",
    "log in with a user name and password",
)


def main() -> None:
    """Index once, then answer each question with its two best passages."""
    console = Console()
    began = time.perf_counter()
    index = MemoryIndex(Embedder.load("mini"))
    for _ in index.add((page.id, page.title, page.text) for page in read_corpus(CORPUS)):
        pass
    console.print(
        f"{index.documents} pages of the FastAPI documentation, {len(index.texts):,} passages,\n"
        f"encoded by [bold]mini[/bold] in {time.perf_counter() - began:.1f} s, offline.\n"
    )
    for question in QUESTIONS:
        console.print(f"[bold]{question}[/bold]")
        for hit in index.search(question, top_k=2):
            shown = snippet(hit.text, question, characters=150)
            console.print(f"  {hit.score:.2f}  [cyan]{hit.source}[/cyan]  ", end="")
            console.print(shown, markup=False, highlight=False)
        console.print()
    console.print("Ask your own:")
    console.print(ASK, markup=False, highlight=False)


if __name__ == "__main__":
    main()
