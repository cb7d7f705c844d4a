"""Benchmarks that mteb ran: every task, and a mean only where no task is missing."""

from __future__ import annotations

from collections.abc import Sequence

from biencoder.evaluate.benchmark_result import BenchmarkResult
from biencoder.evaluate.report.markup import (
    Html,
    Section,
    foreign,
    joined,
    section,
    short,
    table,
    td,
    th,
    tr,
)
from biencoder.evaluate.report.material import Material, unique
from biencoder.evaluate.report.words import metric_name


def benchmarks(material: Material) -> Section | None:
    """One table for each benchmark, its models side by side."""
    if not material.benchmarks:
        return None
    names = unique(benchmark.benchmark for benchmark in material.benchmarks)
    tables: list[Html] = []
    for name in names:
        runs = [benchmark for benchmark in material.benchmarks if benchmark.benchmark == name]
        tables += filter(None, (_table(name, runs), _origins(name, runs)))
    return section(
        "benchmarks",
        "Benchmarks",
        "Scores × 100 of whole benchmarks, run through mteb. A mean that lacks a task is another "
        "mean: where tasks are missing, their number stands in its place.",
        *tables,
    )


def model_name(benchmark: BenchmarkResult) -> str:
    """The model and what sets this run apart from its plain one."""
    model = benchmark.model
    name = str(model.get("name", "unknown model"))
    prompting = model.get("prompting", "family")
    parts = [name, *([f"{prompting} prompts"] if prompting != "family" else [])]
    dimensions = model.get("dimensions")
    return ", ".join([*parts, *([f"{dimensions} dimensions"] if dimensions else [])])


def _table(name: str, runs: Sequence[BenchmarkResult]) -> Html:
    head = tr(
        th("Task"),
        th("Measure"),
        *(th(foreign(model_name(run)), class_="number") for run in runs),
    )
    metrics = {task.name: task.metric for run in runs for task in run.tasks}
    missing = unique(name for run in runs for name in run.unavailable)
    rows = [
        tr(
            th(foreign(task), scope="row"),
            td(metric_name(metrics[task]) if task in metrics else "–"),
            *(_cell(run, task) for run in runs),
        )
        for task in unique([*metrics, *missing])
    ]
    means = [td(str(_mean(run)), class_="number") for run in runs]
    rows.append(tr(th("mean of all tasks", scope="row", colspan=2), *means, class_="mean"))
    return table(joined([foreign(name), ", × 100"]), [head], rows)


def _origins(name: str, runs: Sequence[BenchmarkResult]) -> Html:
    """Which data and which mteb gave each score, and when; nothing where no file says it."""
    rows = [
        tr(
            th(foreign(task.name), scope="row"),
            td(foreign(model_name(run))),
            td(short(task.data) if task.data else "–"),
            td(foreign(task.mteb or "–")),
            td(foreign(str(task.conditions.get("date", "–")))),
        )
        for run in runs
        for task in run.tasks
        if task.data or task.mteb or task.conditions
    ]
    head = tr(*map(th, ("Task", "Model", "Version of the data", "Scored by mteb", "Measured")))
    caption = joined([foreign(name), ", where the scores come from"])
    return table(caption, [head], rows) if rows else Html("")


def _cell(run: BenchmarkResult, task: str) -> Html:
    if task in run.unavailable:
        return td("not to be had", class_="number")
    score = next((each.score for each in run.tasks if each.name == task), None)
    return td("–" if score is None else f"{100 * score:.2f}", class_="number")


def _mean(run: BenchmarkResult) -> str:
    if run.mean is not None:
        return f"{100 * run.mean:.2f}"
    whole = run.means[0]
    return f"{whole.tasks} of {whole.expected} tasks"
