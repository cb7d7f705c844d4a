"""`biencoder compare`: is one run better than another, and on which questions?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from biencoder.cli.show import print_json, say, warnings_as_lines
from biencoder.cli.show_results import LEXICAL

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from biencoder.evaluate.compare import Change, Comparison, Comparisons
    from biencoder.evaluate.results import Result
    from biencoder.evaluate.significance import Paired

NAME = "compare"
HELP = "Compare two runs question by question: difference, interval, p-value, what changed most."

_FIRST = 3


def run(
    run_a: Annotated[Path, typer.Argument(help="A result file, or a folder of results.")],
    run_b: Annotated[Path, typer.Argument(help="The other; differences are B minus A.")],
    system_a: Annotated[
        str | None, typer.Option(help="Which system of A; without it, its one model beside BM25.")
    ] = None,
    system_b: Annotated[str | None, typer.Option(help="Which system of B.")] = None,
    metric: Annotated[str, typer.Option(help="As recall@5.")] = "ndcg@10",
    top: Annotated[
        int | None,
        typer.Option(help="Changed questions to show each way: 5, or 1 a set for several.", min=0),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the resampling.")] = 0,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Pair the results by set, compare, show."""
    with warnings_as_lines():
        from biencoder.evaluate.compare import compare_sets

        left, right = _chosen(run_a, system_a, "--system-a"), _chosen(run_b, system_b, "--system-b")
        shared = _shared(left, right)
        shown = top if top is not None else 5 if len(shared) == 1 else 1
        pairs = _loaded(left, right, shared)
        comparisons = compare_sets(pairs, metric=metric, seed=seed, top=shown)
        if json_:
            single = comparisons.rows[0] if len(comparisons.rows) == 1 else None
            print_json((single or comparisons).record())
        else:
            _print(comparisons)


def _chosen(place: Path, system: str | None, option: str) -> dict[str, Path]:
    """One result file for each set."""
    from biencoder.errors import InputError
    from biencoder.evaluate.results import find_results, read_summary

    found: dict[str, dict[str, Path]] = {}
    twins: dict[str, str] = {}
    for path in find_results([place]):
        summary = read_summary(path)
        of_set = found.setdefault(summary["dataset"], {})
        before = of_set.setdefault(summary["system"], path)
        if before != path:
            twins[summary["system"]] = f"on {summary['dataset']}: {before.name} and {path.name}"
    systems = list(dict.fromkeys(name for of_set in found.values() for name in of_set))
    if not systems:
        raise InputError(f"there is no result in {place}")
    if system is not None and system not in systems:
        raise InputError(
            f"{place} holds no result of {system!r}", hint=f"systems there: {'; '.join(systems)}"
        )
    wanted = systems if system is None else [system]
    if system is None and any(len(of_set) > 1 for of_set in found.values()):
        # `evaluate` puts BM25 beside every model: a folder of one run means its model.
        wanted = [name for name in systems if name != LEXICAL]
        if len(wanted) > 1:
            raise InputError(
                f"{place} holds several systems",
                hint=f"choose with {option}: {'; '.join(systems)}; or give one result file",
            )
    for name in wanted:
        if name in twins:
            raise InputError(
                f"{place} holds two results of {name} {twins[name]}",
                hint="they are of two splits, data or settings: give one of the files",
            )
    return {
        dataset: path
        for dataset, of_set in found.items()
        for name, path in of_set.items()
        if name in wanted
    }


def _shared(left: Mapping[str, Path], right: Mapping[str, Path]) -> list[tuple[str, str]]:
    """Names of the sets to pair; two single files are a pair whatever their sets are called."""
    from biencoder.evaluate.report.words import counted

    if len(left) == len(right) == 1:
        return [(next(iter(left)), next(iter(right)))]
    for name, here, there in (("A", left, right), ("B", right, left)):
        alone = [dataset for dataset in here if dataset not in there]
        if alone:
            say(f"Warning: only in {name}: {counted(len(alone), 'set')}: {', '.join(alone)}")
    return [(dataset, dataset) for dataset in left if dataset in right]


def _loaded(
    left: Mapping[str, Path], right: Mapping[str, Path], shared: Sequence[tuple[str, str]]
) -> Iterator[tuple[Result, Result]]:
    from biencoder.evaluate.results import load_result

    for name_a, name_b in shared:
        yield load_result(left[name_a]), load_result(right[name_b])


def _print(comparisons: Comparisons) -> None:
    """A row for each set, the outcome in words, and for a single set the changed questions."""
    from rich.console import Console
    from rich.text import Text

    from biencoder.evaluate.report.words import metric_name

    console = Console(highlight=False)
    rows, metric = comparisons.rows, metric_name(comparisons.rows[0].metric)
    console.print(_table(comparisons))
    if len(rows) > 1:
        outcome = f"{metric}, mean of {len(rows):,} sets: {comparisons.verdict}"
        counts = _counts(comparisons.macro, "set")
    else:
        outcome = f"{metric}: {rows[0].verdict}"
        counts = _counts(rows[0].paired, "question")
    for text, style in ((outcome, "bold"), (counts, "")):
        console.print(Text(text, style=style), soft_wrap=True)
    for row in rows:
        for better, changes in ((row.b, row.gained), (row.a, row.lost)):
            for line in _change_lines(row, better, changes):
                console.print(line, soft_wrap=True)


def _counts(paired: Paired, what: str) -> str:
    from biencoder.evaluate.report.words import counted

    better = counted(paired.better, what)
    return f"B is better on {better}, worse on {paired.worse:,}, equal on {paired.equal:,}"


def _table(comparisons: Comparisons) -> Table:
    from rich.table import Table
    from rich.text import Text

    from biencoder.evaluate.compare import p_text, signed
    from biencoder.evaluate.report.words import visible

    several = len(comparisons.rows) > 1
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("set", "A", "B"):
        table.add_column(name, overflow="fold")
    for name in ("mean A", "mean B", "B − A", "95 % interval", "p, Holm" if several else "p"):
        table.add_column(name, justify="right", no_wrap=True)
    for row, p_value in zip(comparisons.rows, comparisons.corrected, strict=True):
        difference = row.paired
        table.add_row(
            *(Text(visible(name)) for name in (row.dataset, row.a, row.b)),
            f"{row.mean_a:.3f}",
            f"{row.mean_b:.3f}",
            signed(difference.difference),
            f"{signed(difference.low)} to {signed(difference.high)}",
            p_text(p_value).removeprefix("p ").removeprefix("= "),
        )
    return table


def _change_lines(row: Comparison, better: str, changes: Sequence[Change]) -> Iterator[Text]:
    from rich.text import Text

    from biencoder.evaluate.report.words import one_line, visible

    if changes:
        yield Text(visible(f"\n{row.dataset}: {better} gains most on"), style="bold")
    for change in changes:
        head = Text(f"  {change.a:.3f} → {change.b:.3f}  ", style="cyan")
        yield head.append(one_line(change.text, 200), style="default")
        for system, found in ((row.a, change.found_a), (row.b, change.found_b)):
            first = ", ".join(one_line(id_, 60) for id_, _ in found[:_FIRST]) or "nothing"
            yield Text(visible(f"      {system} found {first}"), style="dim")
