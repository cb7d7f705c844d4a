"""Which model stands where over many tasks: Borda votes as mteb counts them, means, and how sure.

Per task a model gets N - rank votes, N models, rank 1 the best, tied scores sharing the mean of
their ranks. A missing score gives 0 votes and N stays. Source: mteb's benchmark tables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from biencoder.errors import InputError
from biencoder.evaluate.cards import printed
from biencoder.evaluate.score_table import ScoreTable, nearest
from biencoder.evaluate.significance import CONFIDENCE

Floats: TypeAlias = npt.NDArray[np.float64]

# A column that hardly anyone filled would leave nearly every model without a mean.
SPARSE = 0.1
# Ranking all models anew in each costs more than a mean does, hence fewer than for queries.
RESAMPLES = 2_000
# Fewer tasks cannot show a difference: six wins of six have a two-sided chance of 1/32, five 1/16.
FEWEST_TASKS = 6

_CARD_BENCHMARKS = {"mmteb-2025-10": "MTEB(Multilingual, v2), 2025-10-21"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Next:
    """The model on the next line, the lead in votes over it and the lead's 95 % interval.

    separable: the interval lies above 0. Interval and verdict are None for fewer than
    `FEWEST_TASKS` tasks.
    """

    model: str
    lead: float
    interval: tuple[float, float] | None
    separable: bool | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """One model's line. Means are percent, None where a task is missing, as in mteb.

    rank: equal votes share the better one, ``tied`` says so. tasks: how many have a score.
    rank_interval: 95 % of the ranks over resampled tasks.
    """

    rank: int
    model: str
    votes: float
    tied: bool
    mean_task: float | None
    mean_type: float | None
    tasks: int
    rank_interval: tuple[int, int] | None
    next: Next | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Leaderboard:
    """Models in order, and what the means are over.

    models, tasks, missing: N, the number of tasks, cells without a score. mean_tasks: how many
    tasks the means are over; ``sparse`` names the others with the models that have them. untyped:
    tasks of the means whose type is unknown; where there is one, there is no mean over types.
    """

    standings: tuple[Standing, ...]
    models: int
    tasks: int
    missing: int
    mean_tasks: int
    sparse: Mapping[str, int]
    untyped: tuple[str, ...]


def borda_votes(scores: Floats) -> Floats:
    """Votes, shape (models, tasks), of scores of that shape with NaN where missing.

    >>> borda_votes(np.array([[70.0], [60.0], [60.0], [np.nan]])).ravel().tolist()
    [3.0, 1.5, 1.5, 0.0]
    """
    votes = np.zeros_like(scores)
    for task, column in enumerate(scores.T):
        there = ~np.isnan(column)
        ascending = np.sort(column[there])
        below = np.searchsorted(ascending, column[there], side="left")
        up_to = np.searchsorted(ascending, column[there], side="right")
        ranks = len(ascending) - (below + up_to - 1) / 2
        votes[there, task] = len(scores) - ranks
    return votes


def leaderboard(
    table: ScoreTable,
    types: Mapping[str, str],
    *,
    only: Collection[str] | None = None,
    seed: int = 0,
) -> Leaderboard:
    """Rank the models of a table. ``types``: task to type, for the mean over types.

    ``only`` narrows what is listed, and what "next" means, to these models; votes and ranks are
    still counted against all of the table.
    """
    votes = borda_votes(table.scores)
    totals = votes.sum(axis=1)
    listed = [row for row, model in enumerate(table.models) if only is None or model in only]
    order = sorted(listed, key=lambda row: (-totals[row], table.models[row]))
    counts = (~np.isnan(table.scores)).sum(axis=0)
    counted = counts >= SPARSE * len(table.models)
    untyped = tuple(
        task
        for task, is_counted in zip(table.tasks, counted.tolist(), strict=True)
        if is_counted and task not in types
    )
    means = _means(table, counted, {} if untyped else types)
    return Leaderboard(
        standings=_standings(table, votes, order, means, seed),
        models=len(table.models),
        tasks=len(table.tasks),
        missing=int(np.isnan(table.scores).sum()),
        mean_tasks=int(counted.sum()),
        sparse={
            task: int(counts[column])
            for column, task in enumerate(table.tasks)
            if not counted[column]
        },
        untyped=untyped,
    )


def models_named(table: ScoreTable, names: Sequence[str]) -> set[str]:
    """The table's full names of these; the owner may be left out. Raises InputError with the nearest."""
    found: set[str] = set()
    for name in names:
        fits = {model for model in table.models if name in (model, _plain(model))}
        if not fits:
            plain = {_plain(model): model for model in table.models}
            raise InputError(
                f"{table.source} has no model {name!r}", hint=nearest(_plain(name), plain)
            )
        found |= fits
    return found


def card_votes(table: ScoreTable) -> dict[str, float]:
    """What a card prints for models of a shipped table; nothing for any other or narrowed table."""
    benchmark = _CARD_BENCHMARKS.get(table.shipped or "")
    if benchmark is None:
        return {}
    results = printed(benchmark=benchmark, metric="borda_votes")
    on_card = {_plain(result.model): result.value for result in results}
    return {model: on_card[_plain(model)] for model in table.models if _plain(model) in on_card}


def _standings(
    table: ScoreTable, votes: Floats, order: Sequence[int], means: tuple[Floats, Floats], seed: int
) -> tuple[Standing, ...]:
    totals = votes.sum(axis=1)
    sure = len(table.tasks) >= FEWEST_TASKS
    ranks, leads = _resampled(votes, order, seed) if sure else ([], [])
    lines: list[Standing] = []
    for place, row in enumerate(order):
        follower = None
        if place + 1 < len(order):
            after, interval = order[place + 1], leads[place] if sure else None
            follower = Next(
                model=table.models[after],
                lead=float(totals[row] - totals[after]),
                interval=interval,
                separable=None if interval is None else interval[0] > 0,
            )
        lines.append(
            Standing(
                rank=1 + int((totals > totals[row]).sum()),
                model=table.models[row],
                votes=float(totals[row]),
                tied=int((totals == totals[row]).sum()) > 1,
                mean_task=_known(means[0][row]),
                mean_type=_known(means[1][row]),
                tasks=int((~np.isnan(table.scores[row])).sum()),
                rank_interval=ranks[place] if sure else None,
                next=follower,
            )
        )
    return tuple(lines)


def _plain(model: str) -> str:
    return model.rsplit("/", 1)[-1]


def _known(mean: np.float64) -> float | None:
    return None if np.isnan(mean) else float(mean)


def _means(
    table: ScoreTable, counted: npt.NDArray[np.bool_], types: Mapping[str, str]
) -> tuple[Floats, Floats]:
    """Mean over the counted tasks and mean of the means per type, NaN where one is missing.

    All models are averaged over the same tasks: a mean over whatever is there compares nothing.
    """
    nothing = np.full(len(table.models), np.nan)
    by_task = table.scores[:, counted].mean(axis=1) if counted.any() else nothing
    columns: dict[str, list[int]] = {}
    for column in np.flatnonzero(counted).tolist() if types else ():
        columns.setdefault(types[table.tasks[column]], []).append(column)
    if not columns:
        return by_task, nothing
    per_type = [table.scores[:, of_type].mean(axis=1) for of_type in columns.values()]
    return by_task, np.mean(per_type, axis=0)


def _resampled(
    votes: Floats, order: Sequence[int], seed: int
) -> tuple[list[tuple[int, int]], list[tuple[float, float]]]:
    """95 % intervals by place in ``order``: of the rank, and of the lead over the next place.

    The tasks are drawn anew, the same for all models, so leads are paired differences.
    """
    tasks = votes.shape[1]
    draws = np.random.default_rng(seed).multinomial(tasks, np.full(tasks, 1 / tasks), RESAMPLES)
    # Votes are halves of whole numbers and draws are whole: the sums are exact, so ties are ties.
    totals = draws.astype(np.float64) @ votes.T
    listed = totals[:, order]
    ascending = np.sort(totals, axis=1)
    better = [
        len(votes) - np.searchsorted(sample, places, side="right")
        for sample, places in zip(ascending, listed, strict=True)
    ]
    tail = (1 - CONFIDENCE) / 2
    ends = (tail, 1 - tail)
    ranks = 1 + np.quantile(np.array(better), ends, axis=0, method="inverted_cdf")
    leads = np.quantile(listed[:, :-1] - listed[:, 1:], ends, axis=0)
    return [(int(low), int(high)) for low, high in ranks.T], [
        (low, high) for low, high in leads.T.tolist()
    ]
