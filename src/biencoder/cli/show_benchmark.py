"""A benchmark's or suite's result as a table for people or as JSON for programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from biencoder.cli.show import print_json, say

if TYPE_CHECKING:
    from biencoder.evaluate.benchmark_result import BenchmarkResult, TaskScore


def show_benchmark(result: BenchmarkResult, output: Path, as_json: bool) -> None:
    """Scores, what could not be had, and the mean only under its own name."""
    if as_json:
        print_json([result.record()])
    else:
        _print_table(result)
    for name, reason in result.unavailable.items():
        say(f"Unavailable: {name}: {reason}")
    say(f"Results are in {output}; `biencoder report {output}` makes a page of them.")


def _print_table(result: BenchmarkResult) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, title_justify="left")
    table.title = f"{result.benchmark}: {result.model['name']}"
    for heading in ("task", "metric", "score", "texts cut"):
        table.add_column(heading, justify="left" if heading in ("task", "metric") else "right")
    for task in result.tasks:
        cut = task.counts.get("cut")
        table.add_row(
            task.name, task.metric, f"{100 * task.score:.2f}", "–" if cut is None else f"{cut:,}"
        )
    console = Console()
    console.print(table)
    for mean in result.means:
        console.print(str(mean))
    for told in filter(None, (result.note, *(_noted(task) for task in result.tasks))):
        say(told)


def _noted(task: TaskScore) -> str:
    return f"{task.name}: {task.note}" if task.note else ""
