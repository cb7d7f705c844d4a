"""Which files are read here, by their names."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from biencoder.corpus.reader import TEXT_SUFFIXES

Kind = Literal["text", "markdown", "html", "pdf", "docx", "pptx", "rows"]

_MARKDOWN_SUFFIXES = (".md", ".markdown")
KINDS: dict[str, Kind] = {
    **{suffix: "markdown" if suffix in _MARKDOWN_SUFFIXES else "text" for suffix in TEXT_SUFFIXES},
    ".html": "html",
    ".htm": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".pptx": "pptx",
    ".jsonl": "rows",
    ".jsonl.gz": "rows",
}
# Looked at by a page model; to the others they say nothing.
IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
# The kinds whose libraries may crash, hang or swell: read in worker processes only.
WORKER_KINDS: frozenset[Kind] = frozenset({"html", "pdf", "docx", "pptx"})


def kind_of(path: Path) -> Kind | None:
    """The kind of a file by its suffix, in any letter case; None where it is not read here.

    >>> kind_of(Path("Report.PDF")), kind_of(Path("rows.jsonl.gz")), kind_of(Path("a.exe"))
    ('pdf', 'rows', None)
    """
    name = path.name.lower()
    packed = name.endswith(".jsonl.gz")
    return KINDS.get(".jsonl.gz" if packed else path.suffix.lower())
