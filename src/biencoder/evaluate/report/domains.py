"""Bars: the same measure over the domains of a benchmark, or over several sets."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from biencoder.evaluate.benchmark_result import BenchmarkResult
from biencoder.evaluate.report.benchmarks import model_name
from biencoder.evaluate.report.charts import REFERENCE, Point, Series, bars, legend
from biencoder.evaluate.report.markup import Html, Section, figure, foreign, section
from biencoder.evaluate.report.material import Entry, Material, best_forms, unique
from biencoder.evaluate.report.scores import style_of
from biencoder.evaluate.report.words import metric_name

Rows = Mapping[str, Sequence[Series]]
"""The bars of each domain."""


def domains(material: Material) -> Section | None:
    """One figure for the sets, one for each benchmark of several tasks."""
    figures = [_figure(caption, rows) for caption, rows in _groups(material) if len(rows) > 1]
    if not figures:
        return None
    return section(
        "domains",
        "By domain",
        "The same measure over different subjects: a mean hides where a model is weak. Bars begin at "
        "0; the thin line is the 95 % interval where it is known.",
        *figures,
    )


def _groups(material: Material) -> list[tuple[str, Rows]]:
    entries = best_forms(material.alone)
    metric = metric_name(material.metric)
    with_domain = [entry for entry in entries if entry.result.settings.get("domain")]
    groups: list[tuple[str, Rows]] = []
    if with_domain:
        groups.append((f"{metric} × 100 by domain", _set_rows(material, with_domain, _domain)))
    else:
        groups.append((f"{metric} × 100 by set", _set_rows(material, entries, _dataset)))
    for name in unique(benchmark.benchmark for benchmark in material.benchmarks):
        of_one = [b for b in material.benchmarks if b.benchmark == name]
        groups.append((f"{name}, × 100 by task", _task_rows(of_one)))
    return groups


def _figure(caption: str, rows: Rows) -> Html:
    points = [point for row in rows.values() for each in row for point in each.points]
    longest = max(max(point.high or point.y for point in points), 1.0)
    names = {each.name: each.style for row in rows.values() for each in row}
    ordered = sorted(names.items(), key=lambda name: (name[1] == REFERENCE, name[1]))
    charts = [bars(name, row, longest) for name, row in rows.items()]
    return figure(foreign(caption), *charts, legend=legend(ordered, solid=True))


def _set_rows(
    material: Material, entries: Sequence[Entry], name_of: Callable[[Entry], str]
) -> Rows:
    rows: dict[str, list[Series]] = {}
    for entry in entries:
        value = 100 * entry.result.metrics[material.metric]
        low, high = entry.result.intervals.get(material.metric, (None, None))
        tip = f"{entry.system} on {entry.dataset}: {value:.1f}"
        point = Point(
            0, value, tip, None if low is None else 100 * low, None if high is None else 100 * high
        )
        style = style_of(material, entry.system)
        rows.setdefault(name_of(entry), []).append(Series(entry.system, style, (point,)))
    order = {name: place for place, name in enumerate(material.systems)}
    return {name: sorted(row, key=lambda each: order[each.name]) for name, row in rows.items()}


def _task_rows(benchmarks: Sequence[BenchmarkResult]) -> Rows:
    rows: dict[str, list[Series]] = {}
    for style, benchmark in enumerate(benchmarks):
        name = model_name(benchmark)
        for task in benchmark.tasks:
            value = 100 * task.score
            tip = f"{name} on {task.name}: {value:.1f}, {metric_name(task.metric)}"
            rows.setdefault(task.name, []).append(Series(name, style, (Point(0, value, tip),)))
    return rows


def _domain(entry: Entry) -> str:
    return str(entry.result.settings["domain"])


def _dataset(entry: Entry) -> str:
    return entry.dataset
