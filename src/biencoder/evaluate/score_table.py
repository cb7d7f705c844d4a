"""Tables of scores, a line per model and a column per task: read, checked, narrowed."""

from __future__ import annotations

import csv
import difflib
import gzip
import hashlib
import io
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biencoder.corpus.beir import open_text
from biencoder.errors import InputError
from biencoder.evaluate.cards import TABLES

SHIPPED = {
    "mmteb-2025-10": "mmteb_scores_2025-10.csv.gz",
    "mmteb-2026-08": "mmteb_scores_2026-08.csv.gz",
}


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScoreTable:
    """Scores in percent, float64, shape (models, tasks), NaN where missing.

    Every model has at least one score; ``without_score`` names those that had none. shipped: the
    name of the shipped table with just this content, wherever it was read from.
    """

    source: str
    models: tuple[str, ...]
    tasks: tuple[str, ...]
    scores: npt.NDArray[np.float64]
    without_score: tuple[str, ...] = ()
    shipped: str | None = None

    @property
    def at_most_one(self) -> bool:
        """Whether no score is greater than 1: then they are hardly percent, but fractions."""
        return bool(np.nanmax(np.abs(self.scores)) <= 1)


def read_scores(name: str) -> ScoreTable:
    """A file CSV or CSV.GZ, or a shipped table by its name.

    The first line names the columns: ``model``, then tasks. Scores are percent; a cell is empty
    where one is missing. Raises InputError with line and column for anything else.
    """
    if name in SHIPPED and not Path(name).exists():
        text, source = _text(TABLES / SHIPPED[name]), name
    elif Path(name).exists():
        text, source = _text(Path(name)), Path(name).name
    else:
        raise InputError(
            f"there is no file {name}, and no shipped table of this name",
            hint=f"shipped tables: {', '.join(SHIPPED)}",
        )
    models, tasks, scores = _parse(text, source)
    table = ScoreTable(source=source, models=models, tasks=tasks, scores=scores)
    return replace(_with_scores(table), shipped=_recognised(text))


def read_types(path: Path | None = None) -> dict[str, str]:
    """Task to type: mteb's for the tasks of the shipped tables, then those of a file.

    The file is CSV with the columns ``task`` and ``type``; further columns are passed over.
    """
    types: dict[str, str] = {}
    for file in (TABLES / "mmteb_tasks.csv", *([path] if path else [])):
        rows = _rows(_text(file), file.name)
        _, head = next(rows)
        if not {"task", "type"} <= set(head):
            raise InputError(f"{file.name} lacks a column 'task' or 'type'", hint=_columns(head))
        task, type_ = head.index("task"), head.index("type")
        types |= {cells[task]: cells[type_] for _, cells in rows}
    return types


def narrow(
    table: ScoreTable,
    types: dict[str, str],
    *,
    tasks: Sequence[str] = (),
    without: Sequence[str] = (),
) -> ScoreTable:
    """Only these tasks, and not those; each a task or a type. Models left without a score go, too."""
    if not (tasks or without):
        return table
    known = dict.fromkeys([*table.tasks, *(types[task] for task in table.tasks if task in types)])
    for name in (*tasks, *without):
        if name not in known:
            raise InputError(
                f"{table.source} has no task or type {name!r}", hint=nearest(name, known)
            )

    def kept(task: str) -> bool:
        names = {task, types.get(task)}
        return (not tasks or not names.isdisjoint(tasks)) and names.isdisjoint(without)

    columns = [column for column, task in enumerate(table.tasks) if kept(task)]
    if not columns:
        raise InputError("no task is left", hint="--without took all that --tasks had kept")
    chosen = replace(
        table,
        tasks=tuple(table.tasks[column] for column in columns),
        scores=table.scores[:, columns],
        shipped=None,
    )
    return _with_scores(chosen)


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known spelling nearest to a wrong one."""
    lower = {other.lower(): other for other in known}
    parts = [other for other in lower if name.lower() in other]
    near = parts[:3] or difflib.get_close_matches(name.lower(), lower, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(lower[other] for other in near)}?"
    return f"there are {len(lower)}, such as {', '.join(list(lower.values())[:3])}"


def _with_scores(table: ScoreTable) -> ScoreTable:
    """Without the models that have no score at all: they do not count as models of a benchmark."""
    there = (~np.isnan(table.scores)).sum(axis=1) > 0
    if not there.any():
        raise InputError(f"{table.source} holds no score", hint="every cell is empty")
    chosen = dict(zip(table.models, there.tolist(), strict=True))
    return replace(
        table,
        models=tuple(model for model, has in chosen.items() if has),
        scores=table.scores[there],
        without_score=(*table.without_score, *(model for model, has in chosen.items() if not has)),
    )


def _text(path: Path) -> str:
    try:
        with open_text(path) as file:
            # Spreadsheets put a byte order mark before the first column's name.
            return file.read().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        raise InputError(f"{path.name} is not UTF-8 text: {error}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} is a damaged gzip file: {error}") from error


def _recognised(text: str) -> str | None:
    digest = hashlib.sha256(text.encode()).digest()
    for name, file in SHIPPED.items():
        if hashlib.sha256(_text(TABLES / file).encode()).digest() == digest:
            return name
    return None


def _parse(
    text: str, source: str
) -> tuple[tuple[str, ...], tuple[str, ...], npt.NDArray[np.float64]]:
    rows = _rows(text, source)
    _, head = next(rows)
    if "model" not in head:
        raise InputError(f"{source} has no column 'model'", hint=_columns(head))
    place = head.index("model")
    tasks = (*head[:place], *head[place + 1 :])
    if not tasks:
        raise InputError(f"{source} has no task: its only column is 'model'")
    lines: dict[str, int] = {}
    scores: list[list[float]] = []
    for number, cells in rows:
        model = cells.pop(place)
        if not model:
            raise InputError(f"{source}, line {number} names no model")
        if model in lines:
            raise InputError(
                f"{source}, line {number} names {model!r} a second time, after line {lines[model]}",
                hint="join the scores of one model into one line",
            )
        lines[model] = number
        where = f"{source}, line {number}"
        scores.append([_score(cell, where, task) for cell, task in zip(cells, tasks, strict=True)])
    if not lines:
        raise InputError(f"{source} names no model: it has no line after the first")
    return tuple(lines), tasks, np.array(scores)


def _rows(text: str, source: str) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells, each line as long as the first, whose names are each there once."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    head: list[str] = []
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if not any(cells):
                continue
            if not head:
                head = cells
                _check_names(head, source)
            if len(cells) != len(head):
                raise InputError(
                    f"{source}, line {reader.line_num} has {len(cells)} cells, the first line {len(head)}"
                )
            yield reader.line_num, cells
    except csv.Error as error:
        raise InputError(f"{source}, line {reader.line_num} is no CSV: {error}") from error
    if not head:
        raise InputError(f"{source} is empty", hint="the first line names the columns")


def _check_names(head: Sequence[str], source: str) -> None:
    if "" in head:
        raise InputError(f"{source}: column {head.index('') + 1} has no name", hint=_columns(head))
    for name, count in Counter(head).items():
        if count > 1:
            raise InputError(f"{source} has the column {name!r} {count} times")


def _columns(head: Sequence[str]) -> str:
    rest = f" and {len(head) - 5} more" if len(head) > 5 else ""
    return f"the first line names {', '.join(map(repr, head[:5]))}{rest}; commas part the columns"


def _score(cell: str, where: str, task: str) -> float:
    if not cell:
        return math.nan
    try:
        score = float(cell)
    except ValueError:
        raise InputError(
            f"{where}, column {task!r}: {cell!r} is no number",
            hint="leave the cell empty where a score is missing",
        ) from None
    if not abs(score) <= 100:
        raise InputError(
            f"{where}, column {task!r}: {cell} is no score in percent, -100 to 100",
            hint="leave the cell empty where a score is missing",
        )
    return score
