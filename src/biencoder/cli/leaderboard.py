"""`biencoder leaderboard`: rank models over many tasks from a table of scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biencoder.cli.show import print_json, say, warnings_as_lines

if TYPE_CHECKING:
    from rich.table import Table

    from biencoder.evaluate.leaderboard import Leaderboard, Next, Standing
    from biencoder.evaluate.score_table import ScoreTable

NAME = "leaderboard"
HELP = "Rank models over many tasks: Borda votes as mteb counts them, means, which are separable."

_TOP = 20


def run(
    scores: Annotated[
        str,
        typer.Argument(
            help="CSV(.gz): a column model, a column per task, percent, empty where missing; "
            "or mmteb-2025-10, mmteb-2026-08, shipped with biencoder."
        ),
    ],
    tasks: Annotated[str, typer.Option(help="Only these tasks or types, as A,B.")] = "",
    without: Annotated[str, typer.Option(help="Not these tasks or types, as A,B.")] = "",
    models: Annotated[
        str, typer.Option(help="List only these, as A,B; votes still count against all.")
    ] = "",
    types: Annotated[
        Path | None, typer.Option(help="CSV with the columns task,type, for tasks unknown to mteb.")
    ] = None,
    top: Annotated[
        int | None,
        typer.Option(min=0, help=f"How many lines; 0 for all. {_TOP} in a table, all in JSON."),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """Read, rank, show."""
    with warnings_as_lines():
        from biencoder.evaluate.leaderboard import card_votes, leaderboard, models_named
        from biencoder.evaluate.score_table import narrow, read_scores, read_types

        known = read_types(types)
        read = read_scores(scores)
        if read.at_most_one:
            say(
                f"Warning: no score in {read.source} is greater than 1: are they fractions? Here scores "
                "are percent;\nmultiply them by 100, or every mean is a hundredth of what it should be."
            )
        table = narrow(read, known, tasks=_names(tasks), without=_names(without))
        only = models_named(table, _names(models)) if _names(models) else None
        board = leaderboard(table, known, only=only)
        on_card = card_votes(table)
        if json_:
            shown = board.standings[: top or None]
            print_json([_record(standing, board, on_card) for standing in shown])
        else:
            _print(board, _TOP if top is None else top, on_card)
        _tell(board, table)


def _names(option: str) -> list[str]:
    return [name.strip() for name in option.split(",") if name.strip()]


def _record(standing: Standing, board: Leaderboard, on_card: Mapping[str, float]) -> dict[str, Any]:
    return asdict(standing) | {
        "mean_tasks": board.mean_tasks,
        "card_votes": on_card.get(standing.model),
    }


def _print(board: Leaderboard, top: int, on_card: Mapping[str, float]) -> None:
    from rich.console import Console

    console = Console()
    console.print(_standings(board, top))
    compared = [standing for standing in board.standings if standing.model in on_card]
    if compared:
        console.print()
        console.print(_beside_the_card(compared, on_card))
        console.print(
            _difference(compared, on_card, board.models),
            highlight=False,
        )


def _standings(board: Leaderboard, top: int) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False, collapse_padding=True)
    table.add_column("rank\n(95 %)", justify="right", no_wrap=True)
    table.add_column("model\n", overflow="fold")
    for heading in ("votes\n", "mean\ntask", "mean\ntype", "tasks\n"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("from the\nnext", no_wrap=True)
    for standing in board.standings[: top or None]:
        table.add_row(
            _rank(standing),
            standing.model,
            f"{standing.votes:,.1f}",
            _mean(standing.mean_task),
            _mean(standing.mean_type),
            str(standing.tasks),
            _verdict(standing.next),
        )
    return table


def _rank(standing: Standing) -> str:
    place = f"{standing.rank}{'=' if standing.tied else ''}"
    if standing.rank_interval is None:
        return place
    low, high = standing.rank_interval
    return f"{place} [dim]{low}–{high}[/dim]"


def _verdict(follower: Next | None) -> str:
    if follower is None or follower.separable is None:
        return "–"
    return "separable" if follower.separable else "[dim]not separable[/dim]"


def _mean(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def _beside_the_card(standings: list[Standing], on_card: Mapping[str, float]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("model")
    for heading in ("votes here", "votes on the card", "difference"):
        table.add_column(heading, justify="right", no_wrap=True)
    for standing in standings:
        printed = on_card[standing.model]
        difference = f"{printed - standing.votes:+,.1f}"
        table.add_row(standing.model, f"{standing.votes:,.1f}", f"{printed:,.0f}", difference)
    return table


def _difference(standings: list[Standing], on_card: Mapping[str, float], models: int) -> str:
    more = [on_card[standing.model] - standing.votes for standing in standings]
    spread = " to ".join(f"{votes:,.1f}" for votes in sorted({min(more), max(more)}))
    return (
        f"The card's votes are {spread} more: it counts one task more, FloresBitextMining, which "
        f"these models' public files lack. A task gives at most {models} models - 1 = {models - 1} "
        "votes."
    )


def _tell(board: Leaderboard, table: ScoreTable) -> None:
    from biencoder.evaluate.leaderboard import FEWEST_TASKS, RESAMPLES
    from biencoder.evaluate.report.words import counted

    cells = board.models * board.tasks
    say(
        f"\n{counted(board.models, 'model')}, {counted(board.tasks, 'task')}; missing, with 0 votes "
        f"each: {board.missing:,} of {counted(cells, 'score')}."
    )
    if table.without_score:
        left_out = counted(len(table.without_score), "model")
        say(f"Without any score in these tasks, and not counted: {left_out}.")
    say(
        f"Means: of {counted(board.mean_tasks, 'task')}, the same for all; – where a model lacks one."
    )
    if board.sparse:
        names = ", ".join(f"{task} ({count})" for task, count in board.sparse.items())
        say(f"Few models have {names}: it counts in votes, not in means; see --without.")
    if board.untyped:
        say(
            f"No mean of types: unknown for {len(board.untyped):,} of the tasks, first "
            f"{board.untyped[0]!r}; give --types FILE."
        )
    if board.tasks < FEWEST_TASKS:
        say(f"Fewer than {FEWEST_TASKS} tasks cannot tell neighbours apart: no intervals.")
        return
    say(
        f"Rank (95 %): over {RESAMPLES:,} resamples of the tasks. Not separable: the interval of\n"
        "the lead in votes over the next line contains 0. Tied ranks are marked =."
    )
