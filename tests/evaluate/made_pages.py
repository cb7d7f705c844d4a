"""Small judged folders of pages: coloured images, and PDFs with a word a page."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image
from tests.reading import made

EXAMPLES = Path(__file__).parents[2] / "examples"
COLOURS = {"red": (220, 20, 20), "green": (20, 200, 40), "blue": (20, 40, 220)}


def write_lines(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def folder_of(
    folder: Path,
    corpus: Sequence[Mapping[str, Any]],
    qrels: Mapping[str, Mapping[str, int]],
    queries: Mapping[str, str] | None = None,
) -> Path:
    """A folder in BEIR's layout; each query asks for its own id unless told."""
    write_lines(folder / "corpus.jsonl", corpus)
    texts = queries or {id_: id_ for id_ in qrels}
    write_lines(folder / "queries.jsonl", [{"_id": id_, "text": texts[id_]} for id_ in qrels])
    lines = [f"{q}\t{d}\t{grade}\n" for q, found in qrels.items() for d, grade in found.items()]
    (folder / "qrels").mkdir()
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(lines))
    return folder


def images(folder: Path, size: tuple[int, int] = (60, 80)) -> Path:
    """Three pages as image files; the one with the text "red" is red."""
    (folder / "pages").mkdir(parents=True)
    for name, colour in COLOURS.items():
        Image.new("RGB", size, colour).save(folder / "pages" / f"{name}.png")
    rows = [{"_id": name, "text": name, "image": f"pages/{name}.png"} for name in COLOURS]
    return folder_of(folder, rows, {"q": {"red": 1}}, {"q": "what is red?"})


def pdfs(folder: Path, files: Mapping[str, Sequence[str]]) -> Path:
    """PDFs with a line of text a page, by name, below a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, pages in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(made.pdf(pages))
    return folder


def pdf_rows(files: Mapping[str, Sequence[str]], *, below: str = "") -> list[dict[str, Any]]:
    """Rows of a corpus over such PDFs."""
    return [
        {"_id": f"{name}#{number}", "text": text, "pdf": f"{below}{name}", "page": number}
        for name, pages in files.items()
        for number, text in enumerate(pages, start=1)
    ]
