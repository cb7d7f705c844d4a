"""Judging retrieval: metrics in trec_eval's sense, exact search, benchmarks, comparisons, reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from biencoder.evaluate.metrics import ndcg_at, rank, recall_at

if TYPE_CHECKING:
    from biencoder.evaluate.run import evaluate as evaluate
    from biencoder.evaluate.settings import Settings as Settings

__all__ = ["Settings", "evaluate", "ndcg_at", "rank", "recall_at"]


def __getattr__(name: str) -> object:
    """The rest is imported when it is asked for: a leaderboard needs no torch."""
    if name == "evaluate":
        from biencoder.evaluate.run import evaluate

        return evaluate
    if name == "Settings":
        from biencoder.evaluate.settings import Settings

        return Settings
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
