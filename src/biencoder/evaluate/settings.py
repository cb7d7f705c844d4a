"""What is measured, and on which forms of the vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from biencoder.embedder.pages.page import Modality
from biencoder.errors import InputError
from biencoder.evaluate.metrics import measure
from biencoder.reading.pdf_pages import DPI
from biencoder.types import PRECISIONS, Precision

Measure: TypeAlias = Callable[[Sequence[str], Mapping[str, int]], float]
"""A ranking and the query's grades to a number."""

MEASURES = ("ndcg@10", "recall@5", "recall@10", "recall@100", "mrr@10", "map@100", "precision@5")


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """One run's choices.

    dimensions: empty for the full size alone. bm25: options of `BM25`, None leaves the baseline
    out. extra: measures that belong to this set alone. modality: what of a page is read; None for
    all that set and model have. dpi: at which pages of PDFs are drawn.
    """

    measures: tuple[str, ...] = MEASURES
    dimensions: tuple[int, ...] = ()
    precisions: tuple[Precision, ...] = ("float32",)
    bm25: Mapping[str, Any] | None = field(default_factory=dict)
    extra: Mapping[str, Measure] = field(default_factory=dict)
    modality: Modality | None = None
    dpi: int = DPI
    seed: int = 0

    def __post_init__(self) -> None:
        self.functions()
        unknown = [name for name in self.precisions if name not in PRECISIONS]
        if unknown:
            raise InputError(
                f"precision {unknown[0]!r} is unknown", hint=f"known: {', '.join(PRECISIONS)}"
            )

    def functions(self) -> dict[str, Measure]:
        """The measures by name. Raises InputError for an unknown name."""
        return {name: measure(name) for name in self.measures} | dict(self.extra)
