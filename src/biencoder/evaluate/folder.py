"""A folder as a judged set, of texts or of pages, that knows how it was read."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from biencoder.evaluate.judged_set import JudgedSet, SameId, how_read
from biencoder.evaluate.pages.page_set import read_set


def read_folder(
    folder: Path,
    *,
    split: str = "test",
    queries_from: Path | None = None,
    same_id: SameId = "auto",
) -> JudgedSet:
    """As `read_set`; ``reading`` says what was asked for."""
    judged = read_set(folder, split=split, queries_from=queries_from, same_id=same_id)
    return replace(judged, reading=how_read(folder, split, same_id, queries_from))
