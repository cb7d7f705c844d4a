"""`biencoder report`: one page with tables and pictures of what was measured."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from biencoder.cli.show import print_json, say, warnings_as_lines

NAME = "report"
HELP = "Make one self-contained HTML page of results: tables, curves, languages, worst questions."


def run(
    results: Annotated[
        list[Path], typer.Argument(help="Result files, or folders that `evaluate` wrote.")
    ],
    output: Annotated[Path, typer.Option(help="The page to write.")] = Path("report.html"),
    metric: Annotated[
        str, typer.Option(help="What pictures and comparisons are of, as recall@5.")
    ] = "ndcg@10",
    data: Annotated[
        list[Path] | None,
        typer.Option(
            help="A judged folder, or one of several: adds documents to the worst questions; "
            "may be repeated."
        ),
    ] = None,
    split: Annotated[str, typer.Option(help="Which qrels file of --data.")] = "test",
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Write the page; the path goes to stdout, what was found to stderr."""
    with warnings_as_lines():
        from biencoder.drafts import check_file
        from biencoder.evaluate.report.page import write_report
        from biencoder.evaluate.report.words import counted

        check_file(output)
        written = write_report(results, output, data=data or [], metric=metric, split=split)
        for folder in written.strangers:
            say(f"Warning: no result here was measured on {folder} (texts or judgements differ)")
        found = [
            f"{counted(written.results, 'result')} on {counted(written.datasets, 'set')}",
            *([counted(written.benchmarks, "benchmark run")] if written.benchmarks else []),
            f"{counted(written.passed_over, 'other JSON file')} passed over",
            *([f"{counted(written.older, 'older result')} left out"] if written.older else []),
        ]
        say(", ".join(found))
        if json_:
            print_json(
                {
                    "path": str(output),
                    "results": written.results,
                    "datasets": written.datasets,
                    "benchmarks": written.benchmarks,
                    "passed_over": written.passed_over,
                    "older": written.older,
                }
            )
        else:
            typer.echo(str(output))
