"""Training rows with their source and licence, read from ``.jsonl`` or ``.jsonl.gz``.

Two layouts: *pairs* ``{"query", "positive", "source", "licence"}`` and *texts*
``{"text", "source", "licence", "kind"}`` with kind ``passage`` or ``short``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from biencoder.corpus.beir import read_jsonl
from biencoder.errors import InputError
from biencoder.types import Role


@dataclass(frozen=True, slots=True)
class TextRow:
    """One training text and the role in which the student will read it."""

    text: str
    role: Role
    source: str
    licence: str


@dataclass(frozen=True, slots=True)
class PairRow:
    """A query and a text that answers it."""

    query: str
    positive: str
    source: str
    licence: str

    @property
    def id(self) -> str:
        """The first 16 hex digits of SHA-256 over query, a zero byte and positive."""
        return hashlib.sha256(f"{self.query}\0{self.positive}".encode()).hexdigest()[:16]

    def texts(self) -> tuple[TextRow, TextRow]:
        """The pair as two training texts, the query first."""
        return (
            TextRow(self.query, "query", self.source, self.licence),
            TextRow(self.positive, "document", self.source, self.licence),
        )


def read_pairs(path: Path) -> list[PairRow]:
    """All pairs of a file, in order."""
    return [
        PairRow(row["query"], row["positive"], row["source"], row["licence"])
        for row in _rows(path, ("query", "positive", "source", "licence"))
    ]


def read_texts(path: Path) -> list[TextRow]:
    """All texts of a file, in order; short texts are read as queries, passages as documents."""
    return [
        TextRow(
            row["text"],
            "query" if row["kind"] == "short" else "document",
            row["source"],
            row["licence"],
        )
        for row in _rows(path, ("text", "source", "licence", "kind"))
    ]


def is_share_alike(licence: str) -> bool:
    """Whether a licence asks that derived works carry the same licence.

    >>> is_share_alike("CC BY-SA 3.0 (Wikipedia)"), is_share_alike("CC BY 4.0")
    (True, False)
    """
    return "BY-SA" in licence.upper().replace(" SA", "-SA")


def _rows(path: Path, fields: tuple[str, ...]) -> Iterator[dict[str, str]]:
    for number, row in read_jsonl(path):
        missing = [field for field in fields if not isinstance(row.get(field), str)]
        if missing:
            raise InputError(f"{path}, line {number} lacks the text field {missing[0]!r}")
        yield row
