"""Index a folder of real documents, offline, and ask it questions: by meaning, by words, by both."""

from __future__ import annotations

import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

from biencoder import Index
from biencoder.index.build import index_folder
from biencoder.index.hits import Mode
from biencoder.text.snippet import snippet

DOCUMENTS = Path(__file__).with_name("documents")
INDEX = Path("demo-index")
FIRST = 10
# A question and the document that answers it. Dense search finds the first four, which share few words
# with their answers; the last three ask for a word, and there BM25 is the better one.
QUESTIONS = (
    ("how do I let people upload pictures?", "fastapi/tutorial/request-files.md"),
    ("run something after the answer was sent", "fastapi/tutorial/background-tasks.md"),
    ("keep several copies of the program running", "fastapi/deployment/concepts.md"),
    (
        "why do so many big government IT projects fail?",
        "pdf/18f-technology-budgeting-handbook.pdf",
    ),
    ("DEN08WA042", "pdf/ntsb-20080102X00002.pdf"),
    ("NYC08CA055", "pdf/ntsb-20071229X02007.pdf"),
    ("ge and le", "fastapi/tutorial/path-params-numeric-validations.md"),
)
MODES: tuple[Mode, ...] = ("dense", "lexical", "hybrid")


def main() -> None:
    """Index once (a second run reads only what changed), then ask every question in three ways."""
    console = Console(highlight=False)
    began = time.perf_counter()
    tally = index_folder(DOCUMENTS, INDEX)
    index = Index.open(INDEX)
    done = f"{tally.documents} documents read" if tally.documents else "nothing has changed"
    console.print(
        f"{INDEX}: {len(index):,} passages of pages of the FastAPI documentation and eight PDF files;\n"
        f"{done}, {time.perf_counter() - began:.1f} s with [bold]mini[/bold], offline.\n"
    )
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("place of the document that answers")
    for mode in ("dense", "BM25", "hybrid"):
        table.add_column(mode, justify="right")
    for question, answer in QUESTIONS:
        table.add_row(question, *(place(index, question, answer, mode) for mode in MODES))
    console.print(table)
    console.print()
    for question, _ in QUESTIONS[:5]:
        (hit,) = index.search(question, top_k=1)
        where = f"page {hit.page}" if hit.page else hit.heading
        console.print(f"[bold]{question}[/bold]")
        console.print(f"  [cyan]{hit.source}[/cyan]  {where}")
        console.print(f"  {snippet(hit.text, question, characters=150)}", markup=False)
    console.print("\nAsk your own:")
    console.print(f'  .venv/bin/biencoder search "your question" --in {INDEX}', markup=False)


def place(index: Index, question: str, answer: str, mode: Mode) -> str:
    """At which place a mode has the document that answers; a dash if not among the first ten."""
    found = [hit.source for hit in index.search(question, top_k=FIRST, mode=mode)]
    return str(found.index(answer) + 1) if answer in found else "–"


if __name__ == "__main__":
    main()
