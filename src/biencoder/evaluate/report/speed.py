"""Speed beside quality."""

from __future__ import annotations

from collections.abc import Sequence

from biencoder.evaluate.report.charts import Point, Series, legend, scatter
from biencoder.evaluate.report.markup import (
    Html,
    Section,
    details,
    figure,
    foreign,
    joined,
    section,
    table,
    tag,
    td,
    th,
    tr,
)
from biencoder.evaluate.report.material import Entry, Material, best_forms, by_dataset, unique
from biencoder.evaluate.report.scores import style_of
from biencoder.evaluate.report.words import metric_name, one_line, quantity

_RATE = "documents/s"
_COLUMNS = {
    "documents/s": "Documents/s",
    "queries/s": "Questions/s",
    "tokens": "Tokens",
    "seconds": "Seconds",
    "bytes/document": "Bytes a document",
}


def speed(material: Material) -> Section | None:
    """A picture for each set on which two systems have a speed, and the figures."""
    timed = [e for e in best_forms(material.alone) if e.result.speed.get(_RATE, 0) > 0]
    if not timed:
        return None
    groups = by_dataset(timed)
    charts = [
        scatter(name, _series(material, members), x_title="documents a second")
        for name, members in groups.items()
        if len(members) > 1
    ]
    named = {e.system for members in groups.values() if len(members) > 1 for e in members}
    styles = [(name, style_of(material, name)) for name in material.systems if name in named]
    caption = f"{metric_name(material.metric)} × 100 with its interval; further right is faster"
    pictures = figure(caption, *charts, legend=legend(styles)) if charts else Html("")
    return section(
        "speed",
        "Speed beside quality",
        "How many documents a second were encoded (for BM25: indexed) in the same run that gave the "
        "score. Speeds on different machines, or on one that was busy, do not compare.",
        pictures,
        tag("p", "Measured on: ", _machines(timed)),
        details("The figures", _figures(timed)),
    )


def machine_line(machine: object) -> str:
    """A machine in words.

    >>> machine_line({"processor": "AMD EPYC", "cores": 2, "devices": []})
    'AMD EPYC, cores 2'
    """
    if not isinstance(machine, dict):
        return str(machine or "an unknown machine")
    words = []
    for key, value in machine.items():
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        if text and value is not None:
            words.append(text if key == "processor" else f"{key} {text}")
    return ", ".join(words)


def _machines(entries: Sequence[Entry]) -> Html:
    names = unique(
        one_line(machine_line(entry.result.conditions.get("machine"))) for entry in entries
    )
    return joined((foreign(name) for name in names), "; ")


def _series(material: Material, members: Sequence[Entry]) -> list[Series]:
    series = []
    for entry in members:
        value = 100 * entry.result.metrics[material.metric]
        low, high = entry.result.intervals.get(material.metric, (None, None))
        rate = entry.result.speed[_RATE]
        point = Point(
            rate,
            value,
            f"{entry.system}: {value:.1f}, {quantity(rate)} documents a second",
            None if low is None else 100 * low,
            None if high is None else 100 * high,
        )
        series.append(Series(entry.system, style_of(material, entry.system), (point,)))
    return series


def _figures(entries: Sequence[Entry]) -> Html:
    head = tr(th("Set"), th("System"), *(th(name, class_="number") for name in _COLUMNS.values()))
    rows = [
        tr(
            th(foreign(entry.dataset), scope="row"),
            td(foreign(entry.system)),
            *(
                # A count of 0 means that this system does not count it.
                td(
                    quantity(value) if (value := entry.result.speed.get(key)) else "–",
                    class_="number",
                )
                for key in _COLUMNS
            ),
        )
        for entry in entries
    ]
    return table("Speed as measured", [head], rows)
