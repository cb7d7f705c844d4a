"""Index a folder of real documents, offline, and ask it questions: by meaning, by words, by both."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from rich.console import Console
from rich.table import Table

from biencoder import Index
from biencoder.cli.show_index import bar
from biencoder.index.build import index_folder
from biencoder.index.hits import Mode
from biencoder.text.snippet import snippet

DOCUMENTS = Path(__file__).with_name("documents")
INDEX = Path("demo-index")
FIRST = 10
# A question and the document that answers it: four that share few words with their answers, then three
# that ask for a word.
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
MODES: dict[Mode, str] = {"dense": "dense", "lexical": "BM25", "hybrid": "hybrid"}


def main() -> None:
    """Index once (a second run reads only what changed), then ask every question in three ways."""
    console = Console(highlight=False)
    console.print("Reading FastAPI's documentation and eight PDF files with mini, offline …")
    began = time.perf_counter()
    tally = index_folder(DOCUMENTS, INDEX, meter=bar)
    index = Index.open(INDEX)
    done = f"{tally.documents} documents read" if tally.documents else "nothing has changed"
    console.print(
        f"{INDEX}: {len(index):,} passages; {done}, {time.perf_counter() - began:.1f} s.\n"
    )
    places = {
        question: {mode: place(index, question, answer, mode) for mode in MODES}
        for question, answer in QUESTIONS
    }
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("place of the document that answers")
    for name in MODES.values():
        table.add_column(name, justify="right")
    for question, found in places.items():
        table.add_row(question, *(str(at or "–") for at in found.values()))
    console.print(table)
    console.print(f"\n{outcome(places)}\n")
    for question, _ in QUESTIONS[:5]:
        (hit,) = index.search(question, top_k=1)
        where = f"page {hit.page}" if hit.page else hit.heading
        console.print(f"[bold]{question}[/bold]")
        console.print(f"  [cyan]{hit.source}[/cyan]  {where}")
        console.print(f"  {snippet(hit.text, question, characters=150)}", markup=False)
    console.print("\nAsk your own:")
    console.print(f'  .venv/bin/biencoder search "your question" --in {INDEX}', markup=False)


def place(index: Index, question: str, answer: str, mode: Mode) -> int | None:
    """At which place a mode has the document that answers; None if not among the first ten."""
    found = [hit.source for hit in index.search(question, top_k=FIRST, mode=mode)]
    return found.index(answer) + 1 if answer in found else None


def outcome(places: Mapping[str, Mapping[Mode, int | None]]) -> str:
    """The table in two sentences, counted from it.

    >>> outcome({"a?": {"dense": 1, "lexical": None, "hybrid": 2}})
    'In first place: dense 1 of 1, BM25 0, hybrid 0. Among the first ten: dense 1, BM25 0, hybrid 1.'
    """
    first, ten = (
        {
            name: sum((found[mode] or FIRST + 1) <= limit for found in places.values())
            for mode, name in MODES.items()
        }
        for limit in (1, FIRST)
    )
    told = ", ".join(f"{name} {count}" for name, count in first.items())
    told = told.replace(",", f" of {len(places)},", 1)
    found = ", ".join(f"{name} {count}" for name, count in ten.items())
    return f"In first place: {told}. Among the first ten: {found}."


if __name__ == "__main__":
    main()
