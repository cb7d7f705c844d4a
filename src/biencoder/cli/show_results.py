"""Results of an evaluation as a table for people or as JSON for programs."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biencoder.cli.show import print_json, say

if TYPE_CHECKING:
    from biencoder.evaluate.results import Result

_COLUMNS = ("ndcg@10", "recall@5")
_WIDE_COLUMNS = (*_COLUMNS, "recall@100")
_WIDE = 110
_LABELS = {"ndcg@10": "nDCG@10", "recall@5": "Recall@5", "recall@100": "Recall@100"}
LEXICAL = "BM25"


def show_results(results: Iterable[Result], output: Path, as_json: bool) -> None:
    """Print everything at the end; one object per set and system, BM25 within it."""
    taken = list(results)
    told = {
        f"Warning: {result.dataset}, {result.model['name']}: {note}: {count:,}": None
        for result in taken
        for note, count in result.data["notes"].items()
        if note.endswith(("cut", "unreadable", "found by no query"))
    }
    for warning in told:
        say(warning)
    if as_json:
        print_json(as_records(taken))
    else:
        _print_table(taken)
    say(f"Results are in {output}; `biencoder report {output}` makes a page of them.")


def as_records(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Each system's result with BM25's on the same set beside it."""
    taken = list(results)
    lexical = {_set_of(result): result for result in taken if result.system == LEXICAL}
    return [
        result.summary() | {"bm25": _beside(lexical.get(_set_of(result)))}
        for result in taken
        if result.system != LEXICAL
    ]


def _set_of(result: Result) -> tuple[str, str]:
    """Two folders may have one name."""
    return result.dataset, result.data["digest"]


def _beside(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {
        "metrics": dict(result.metrics),
        "intervals": dict(result.intervals),
        "model": dict(result.model),
    }


def _print_table(results: list[Result]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    columns = _WIDE_COLUMNS if console.width >= _WIDE else _COLUMNS
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("set")
    table.add_column("system")
    for name in columns:
        table.add_column(_LABELS[name], justify="right", no_wrap=True)
    table.add_column("queries", justify="right")
    last = ""
    for result in results:
        cells = [_cell(result, name) for name in columns]
        shown = result.dataset if result.dataset != last else ""
        system = result.system.replace(" dimensions", "d")
        table.add_row(shown, system, *cells, f"{len(result.queries):,}")
        last = result.dataset
    console.print(table)
    say("Percent, with 95 % bootstrap intervals over the queries.")


def _cell(result: Result, name: str) -> str:
    if name not in result.metrics:
        return "–"
    low, high = result.intervals[name]
    return f"{100 * result.metrics[name]:.1f} [dim]{100 * low:.1f}–{100 * high:.1f}[/dim]"
