"""The scores of every system on every set, and which differences are real."""

from __future__ import annotations

from collections.abc import Sequence

from biencoder.evaluate.compare import Comparison, compare, holm, p_text, signed
from biencoder.evaluate.report.charts import REFERENCE, difference_bar
from biencoder.evaluate.report.markup import (
    Html,
    Section,
    count_cell,
    details,
    foreign,
    joined,
    section,
    table,
    tag,
    td,
    th,
    tr,
)
from biencoder.evaluate.report.material import (
    Entry,
    Material,
    best_forms,
    by_dataset,
    unique,
)
from biencoder.evaluate.report.words import metric_name, percent
from biencoder.evaluate.significance import CONFIDENCE

_BESIDE = "recall@5"
_METHOD = (
    "on the same questions: paired bootstrap for the interval, random sign flips for p, Holm’s "
    "correction for the number of comparisons shown. The last figures count questions."
)
_RISK = 1 - CONFIDENCE


def scores(material: Material) -> Section | None:
    """A table for the main metric and one for Recall@5, the rest folded away."""
    entries = best_forms(material.alone)
    if not entries:
        return None
    systems = _in_order(material, entries)
    shared = [name for name in (material.metric, _BESIDE) if _all_have(entries, name)]
    tables = [_score_table(entries, systems, name) for name in unique(shared)]
    return section(
        "scores",
        "Scores",
        "Mean over the questions of each set, × 100, with the 95 % bootstrap interval of that mean; "
        "the best of a row is bold. Two overlapping intervals do not make two systems equal: the "
        "differences below are tested question by question.",
        *tables,
        details("Every measure", _all_measures(entries)),
    )


def differences(material: Material) -> Section | None:
    """The first system against each other one, paired by question."""
    compared = _comparisons(material)
    if not compared:
        return None
    corrected = holm([comparison.paired.p_value for comparison in compared])
    reach = max(max(abs(c.paired.low), abs(c.paired.high)) for c in compared)
    head = tr(
        th("Set"),
        th("Against"),
        th("Difference", class_="number"),
        th("95 % interval"),
        th("p, corrected", class_="number"),
        th("Better, worse, equal", class_="number"),
        th("Verdict"),
    )
    rows = [_difference_row(c, p, reach) for c, p in zip(compared, corrected, strict=True)]
    name = foreign(compared[0].b)
    metric = metric_name(material.metric)
    return section(
        "differences",
        "Differences",
        joined([name, f" minus each other system, in points of {metric}, {_METHOD}"]),
        table(joined([name, f" against the others, {metric}"]), [head], rows),
    )


def style_of(material: Material, system: str) -> int:
    """The same colour and shape for a system in every picture."""
    lexical = {entry.system for entry in material.entries if entry.lexical}
    return REFERENCE if system in lexical else material.systems.index(system)


def best_marked(values: Sequence[float | None]) -> list[bool]:
    """Which values are the best of a row; none where there is only one to choose from.

    >>> best_marked([0.5, None, 0.7]), best_marked([0.5, None])
    ([False, False, True], [False, False])
    """
    there = [value for value in values if value is not None]
    return [value is not None and len(there) > 1 and value == max(there) for value in values]


def _score_table(entries: Sequence[Entry], systems: Sequence[str], metric: str) -> Html:
    head = tr(
        th("Set"),
        *(th(foreign(system), class_="number") for system in systems),
        th("Questions", class_="number"),
        th("Documents", class_="number"),
    )
    rows = []
    for dataset, members in by_dataset(entries).items():
        by_system = {entry.system: entry for entry in members}
        values = [by_system[s].result.metrics[metric] if s in by_system else None for s in systems]
        cells = [
            _score_cell(by_system.get(system), metric, best)
            for system, best in zip(systems, best_marked(values), strict=True)
        ]
        counts = [count_cell(members[0].result.data.get(what)) for what in ("queries", "documents")]
        rows.append(tr(th(foreign(dataset), scope="row"), *cells, *counts))
    rows += _mean_row(entries, systems, metric)
    return table(f"{metric_name(metric)} × 100", [head], rows, kind="scores")


def _mean_row(entries: Sequence[Entry], systems: Sequence[str], metric: str) -> list[Html]:
    """Only where every system was judged on every set: another mean would be no comparison."""
    groups = by_dataset(entries)
    if len(groups) < 2 or len(entries) != len(groups) * len(systems):
        return []
    means = [
        sum(e.result.metrics[metric] for e in entries if e.system == system) / len(groups)
        for system in systems
    ]
    cells = [
        td(tag("b" if best else "span", percent(mean)), " ", tag("small"), class_="number")
        for mean, best in zip(means, best_marked(means), strict=True)
    ]
    title = th(f"mean of the {len(groups)} sets", scope="row")
    return [tr(title, *cells, td(), td(), class_="mean")]


def _score_cell(entry: Entry | None, metric: str, best: bool) -> Html:
    if entry is None:
        return td("–", class_="number")
    value = tag("b" if best else "span", percent(entry.result.metrics[metric]))
    interval = entry.result.intervals.get(metric)
    if interval is None:
        return td(value, class_="number")
    return td(
        value, " ", tag("small", f"{percent(interval[0])}–{percent(interval[1])}"), class_="number"
    )


def _all_measures(entries: Sequence[Entry]) -> Html:
    metrics = unique(name for entry in entries for name in entry.result.metrics)
    head = tr(
        th("Set"), th("System"), *(th(metric_name(name), class_="number") for name in metrics)
    )
    rows = [
        tr(
            th(foreign(entry.dataset), scope="row"),
            td(foreign(entry.system)),
            *(_score_cell(entry if _has(entry, name) else None, name, False) for name in metrics),
        )
        for entry in entries
    ]
    return table("Every measure × 100, with 95 % intervals", [head], rows)


def _comparisons(material: Material) -> list[Comparison]:
    found: list[Comparison] = []
    main, others = "".join(material.systems[:1]), material.systems[1:]
    for members in by_dataset(best_forms(material.alone)).values():
        by_system = {entry.system: entry for entry in members}
        if main in by_system:
            ours = by_system[main].load()
            found += [
                compare(by_system[other].load(), ours, metric=material.metric, top=0)
                for other in others
                if other in by_system
            ]
    return found


def _difference_row(comparison: Comparison, p_value: float, reach: float) -> Html:
    paired = comparison.paired
    picture = difference_bar(paired.low, paired.difference, paired.high, reach)
    better = comparison.b if paired.difference > 0 else comparison.a
    real = p_value < _RISK
    return tr(
        th(foreign(comparison.dataset), scope="row"),
        td(foreign(comparison.a)),
        td(signed(100 * paired.difference, 1), class_="number"),
        td(
            picture,
            " ",
            tag("small", f"{signed(100 * paired.low, 1)} to {signed(100 * paired.high, 1)}"),
            class_="range",
        ),
        td(p_text(p_value).removeprefix("p = ").removeprefix("p "), class_="number"),
        td(f"{paired.better:,}, {paired.worse:,}, {paired.equal:,}", class_="number"),
        td(joined([foreign(better), " is better"]) if real else "no difference shown"),
    )


def _in_order(material: Material, entries: Sequence[Entry]) -> list[str]:
    there = {entry.system for entry in entries}
    return [system for system in material.systems if system in there]


def _all_have(entries: Sequence[Entry], metric: str) -> bool:
    return all(_has(entry, metric) for entry in entries)


def _has(entry: Entry, metric: str) -> bool:
    return metric in entry.result.metrics
