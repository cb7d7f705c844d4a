"""What a search gives: passages with their place and where they stand in either ranking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

Mode: TypeAlias = Literal["hybrid", "dense", "lexical"]
MODES: tuple[Mode, ...] = get_args(Mode)


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage found.

    score: cosine (dense), BM25 (lexical) or the fused score (hybrid). page counts from 1, None where a
    document has no pages. start, end: characters of the page's text, or of the document's without
    pages. dense, lexical: its score there where it was among the candidates. pictured: it is a page whose
    picture is kept beside the table; ``text`` is then its text layer, which may be empty.
    """

    rank: int
    score: float
    text: str
    source: str
    title: str
    heading: str
    page: int | None
    start: int
    end: int
    id: str
    dense: float | None = None
    lexical: float | None = None
    pictured: bool = False
    metadata: Mapping[str, Any] = field(default_factory=dict)
