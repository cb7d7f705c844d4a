"""What a benchmark gave, what it could not give, and how that is kept.

A mean over fewer tasks is another mean. So a mean that lacks a task is never called the
benchmark's: it carries its count, and the missing are named.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from biencoder.drafts import write_json
from biencoder.errors import InputError

FORMAT = "biencoder-benchmark-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class TaskScore:
    """One task. ``score``: the plain mean over its splits and subsets, as a fraction.

    scores: split to subset to fraction. metrics: all that is known, by our names (``recall@5``), each
    the mean over splits and subsets. intervals, bm25: None where they were not measured. prompts:
    what stood before the texts, by side (``query``, ``document``, or ``text`` where a task has no
    sides). counts: texts, tokens, how many texts were cut or hardly readable; empty where another
    run had counted them. seconds: encoding and scoring. data: which version of the texts, mteb's
    revision or a folder's digest. mteb: the version that scored. conditions: of the run that
    measured, as far as known.
    """

    name: str
    type: str
    metric: str
    score: float
    scores: Mapping[str, Mapping[str, float]]
    metrics: Mapping[str, float] = field(default_factory=dict)
    intervals: Mapping[str, tuple[float, float]] | None = None
    bm25: Mapping[str, Any] | None = None
    prompts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)
    seconds: float | None = None
    note: str = ""
    data: str = ""
    mteb: str = ""
    conditions: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Unavailable:
    """A task without a score, and why."""

    name: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Mean:
    """A plain mean over tasks. ``value``: over those that are there, None if none is."""

    name: str
    value: float | None
    tasks: int
    expected: int
    missing: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether this is the mean that its name promises."""
        return not self.missing

    def __str__(self) -> str:
        value = "no score" if self.value is None else f"{100 * self.value:.2f}"
        if self.complete:
            return f"{self.name}: {value}"
        return f"{self.name}: {value} over {self.tasks} of {self.expected} tasks, not the mean"


@dataclass(frozen=True, kw_only=True, slots=True)
class BenchmarkResult:
    """One model on one benchmark.

    means: first the whole, then by type of task, or by metric where one type has several.
    unavailable: tasks that were asked for and could not be had, with the reason. left_out: tasks of
    the benchmark that were not asked for, with the reason. asked: benchmark or suite and its options,
    by the names that the command line has for them. conditions: of the run that measured last.
    """

    benchmark: str
    model: Mapping[str, Any]
    tasks: tuple[TaskScore, ...]
    unavailable: Mapping[str, str]
    left_out: Mapping[str, str]
    means: tuple[Mean, ...]
    note: str = ""
    asked: Mapping[str, Any] = field(default_factory=dict)
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def complete(self) -> bool:
        """Whether every task of the benchmark has a score."""
        return self.means[0].complete

    @property
    def mean(self) -> float | None:
        """The benchmark's mean, or None where a task is missing."""
        return self.means[0].value if self.complete else None

    @property
    def metric(self) -> str:
        """The one metric of all tasks, or a word for several."""
        metrics = {task.metric for task in self.tasks}
        return metrics.pop() if len(metrics) == 1 else "each task's own"

    @property
    def counts(self) -> dict[str, int]:
        """Texts, tokens, cut and unreadable texts of all tasks whose counts are known."""
        total: Counter[str] = Counter()
        for task in self.tasks:
            total.update(task.counts)
        return dict(total)

    def summary(self) -> dict[str, Any]:
        """All of it as plain values for JSON; ``mean`` is null where a task is missing."""
        return {
            "format": FORMAT,
            "benchmark": self.benchmark,
            "note": self.note,
            "model": dict(self.model),
            "metric": self.metric,
            "mean": self.mean,
            "complete": self.complete,
            "means": [asdict(mean) for mean in self.means],
            "tasks": [asdict(task) for task in self.tasks],
            "unavailable": dict(self.unavailable),
            "left_out": dict(self.left_out),
            "counts": self.counts,
            "asked": dict(self.asked),
            "conditions": dict(self.conditions),
        }

    def record(self) -> dict[str, Any]:
        """The summary for programs: it and each of its sets with the keys that a folder's result has."""
        summary, model = self.summary(), dict(self.model)
        metrics = {task.metric for task in self.tasks}
        return summary | {
            "metrics": {own_name(metric): self.mean for metric in metrics if len(metrics) == 1},
            "intervals": None,
            "bm25": None,
            "tasks": [
                {"dataset": task["name"], **task, "model": model} for task in summary["tasks"]
            ],
        }


def own_name(metric: str) -> str:
    """mteb's name of a measure as we write it.

    >>> own_name("ndcg_at_10"), own_name("cosine_spearman")
    ('ndcg@10', 'cosine_spearman')
    """
    return metric.replace("_at_", "@")


def means(tasks: Sequence[TaskScore], expected: Mapping[str, tuple[str, str]]) -> tuple[Mean, ...]:
    """The means of a benchmark. ``expected``: each of its tasks to its type and metric.

    >>> sts = TaskScore(name="a", type="STS", metric="m", score=0.5, scores={})
    >>> print(*means([sts], {"a": ("STS", "m"), "b": ("STS", "m")}))
    all tasks: 50.00 over 1 of 2 tasks, not the mean
    """
    groups: dict[str, list[str]] = {"all tasks": list(expected)}
    types = {type_ for type_, _ in expected.values()}
    metrics = {metric for _, metric in expected.values()}
    if len(types) > 1 or len(metrics) > 1:
        for name, (type_, metric) in expected.items():
            groups.setdefault(type_ if len(types) > 1 else metric, []).append(name)
    scores = {task.name: task.score for task in tasks}
    return tuple(_mean(group, names, scores) for group, names in groups.items())


def _mean(group: str, names: Sequence[str], scores: Mapping[str, float]) -> Mean:
    there = [scores[name] for name in names if name in scores]
    return Mean(
        name=group,
        value=sum(there) / len(there) if there else None,
        tasks=len(there),
        expected=len(names),
        missing=tuple(name for name in names if name not in scores),
    )


def newest(conditions: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """Those of the latest date; empty where there are none."""
    return max(conditions, key=lambda each: str(each.get("date", "")), default={})


def save_benchmark_result(result: BenchmarkResult, path: Path) -> None:
    """Write the summary, whole or not at all."""
    write_json(path, result.summary())


def place_of_summary(plain: Path, model: Mapping[str, Any], asked: Mapping[str, Any]) -> Path:
    """Where a summary goes: with a short hash where another thing's stands under the plain name."""
    if not plain.exists():
        return plain
    earlier = load_benchmark_result(plain)
    # Files of before `asked` was kept do not tell what was asked for.
    if earlier.model == model and earlier.asked in ({}, asked):
        return plain
    what = json.dumps([model, asked], sort_keys=True)
    return plain.with_stem(f"{plain.stem}-{hashlib.sha256(what.encode()).hexdigest()[:8]}")


def load_benchmark_result(path: Path) -> BenchmarkResult:
    """Read a summary back. Raises InputError for a file of another kind."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a benchmark's result: {error}") from error
    if not is_benchmark_result(value):
        raise InputError(
            f"{path} is no result of `biencoder evaluate --benchmark` or `--suite`",
            hint="such files stand in the folder benchmarks of its output",
        )
    try:
        return BenchmarkResult(
            benchmark=value["benchmark"],
            model=value["model"],
            tasks=tuple(_task(row) for row in value["tasks"]),
            unavailable=value["unavailable"],
            left_out=value["left_out"],
            means=tuple(
                Mean(**{**row, "missing": tuple(row["missing"])}) for row in value["means"]
            ),
            note=value["note"],
            asked=value.get("asked", {}),
            conditions=value["conditions"],
        )
    except (KeyError, TypeError) as error:
        raise InputError(f"{path} is no benchmark result of this version: {error}") from error


def is_benchmark_result(value: object) -> bool:
    """Whether parsed JSON is a benchmark's summary."""
    return isinstance(value, dict) and value.get("format") == FORMAT


def _task(row: dict[str, Any]) -> TaskScore:
    prompts = {side: tuple(texts) for side, texts in row["prompts"].items()}
    intervals = row.get("intervals")
    if intervals is not None:
        intervals = {name: (low, high) for name, (low, high) in intervals.items()}
    return TaskScore(**{**row, "prompts": prompts, "intervals": intervals})
