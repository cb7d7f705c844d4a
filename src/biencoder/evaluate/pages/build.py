"""A folder of judged pages made from PDFs: a row for each page, with its text layer and its place.

Nothing is copied: rows say where the PDF lies, and its pages are drawn when they are judged.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from biencoder.drafts import write_text
from biencoder.errors import InputError
from biencoder.reading.pdf_pages import pdf_pages

PageName: TypeAlias = Callable[[Path, int], str]
Advance: TypeAlias = Callable[[int], None]

# The pages are drawn only to see that they can be: at so few pixels it costs next to nothing.
_DPI = 9
_WORKERS = min(4, os.cpu_count() or 1)
_PART = 8 * _WORKERS


@dataclass(frozen=True, slots=True)
class ReadPdf:
    """What reading a PDF gave. texts: by page number, from 1. notes: pages lost, or why all are."""

    path: Path
    texts: Mapping[int, str]
    notes: tuple[str, ...]


def read_pdfs(paths: Sequence[Path], *, advance: Advance | None = None) -> Iterator[ReadPdf]:
    """The text layers of PDFs, in order, some read at a time, each in a limited process."""
    with ThreadPoolExecutor(_WORKERS, thread_name_prefix="building") as threads:
        # A part at a time, so that only so many files' texts wait for whoever writes them.
        for start in range(0, len(paths), _PART):
            for found in threads.map(_read, paths[start : start + _PART]):
                yield found
                if advance:
                    advance(1)


def write_corpus(folder: Path, pdfs: Iterable[ReadPdf], *, seen_from: Path, name: PageName) -> None:
    """``corpus.jsonl``, a row for each page. seen_from: where the folder will be when it is whole."""
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for pdf in pdfs:
            where = os.path.relpath(pdf.path, seen_from)
            for number, text in pdf.texts.items():
                row = {"_id": name(pdf.path, number), "text": text, "pdf": where, "page": number}
                file.write(json_line(row))


def write_questions(
    folder: Path, queries: Iterable[Mapping[str, Any]], qrels: Mapping[str, Mapping[str, int]]
) -> None:
    """``queries.jsonl``, rows with ``_id`` and ``text``, and ``qrels/test.tsv``."""
    write_text(folder / "queries.jsonl", "".join(map(json_line, queries)))
    judgements = (
        f"{query}\t{page}\t{grade}\n"
        for query, pages in qrels.items()
        for page, grade in pages.items()
    )
    write_text(folder / "qrels" / "test.tsv", "query-id\tcorpus-id\tscore\n" + "".join(judgements))


def json_line(row: Mapping[str, Any]) -> str:
    """One row of a .jsonl file."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def _read(path: Path) -> ReadPdf:
    notes: list[str] = []
    texts: dict[int, str] = {}
    try:
        for page in pdf_pages(path, notes=notes, dpi=_DPI):
            texts[page.number] = page.text.strip()
    except InputError as error:
        notes.append(error.message)
    return ReadPdf(path, texts, tuple(notes))
