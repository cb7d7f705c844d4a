"""What smaller and coarser vectors cost: the Matryoshka curve."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from biencoder.evaluate.report.charts import Point, Series, legend, line_chart
from biencoder.evaluate.report.markup import (
    Html,
    Section,
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
from biencoder.evaluate.report.words import metric_name, percent, quantity
from biencoder.types import PRECISIONS

Size: TypeAlias = Callable[[Entry], float]


def compression(material: Material) -> Section | None:
    """Curves and a table for each model that was judged in several forms."""
    models = [
        _model(material, family)
        for family in unique(entry.family for entry in material.entries)
        if _forms(material, family)
    ]
    if not models:
        return None
    return section(
        "compression",
        "Smaller vectors",
        f"{metric_name(material.metric)} against the number of dimensions and against the bytes that "
        "one document’s vector takes, for each precision. Documents are stored in the given form, "
        "questions stay float32. The score axis does not begin at 0.",
        *models,
    )


def _forms(material: Material, family: str) -> list[Entry]:
    """The results of a model on sets where it has at least two sizes or precisions."""
    groups = by_dataset(entry for entry in material.entries if entry.family == family)
    several = [members for members in groups.values() if len(members) > 1]
    return [entry for members in several for entry in members if entry.dimensions]


def _model(material: Material, family: str) -> Html:
    entries = _forms(material, family)
    name = best_forms(entries)[0].system
    precisions = [p for p in PRECISIONS if any(entry.precision == p for entry in entries)]
    charts: list[str] = []
    for dataset, members in by_dataset(entries).items():
        charts += _charts(material, dataset, members)
    caption = joined(
        [foreign(name), f": {metric_name(material.metric)} × 100, dotted level: another system"]
    )
    styles = [(precision, PRECISIONS.index(precision)) for precision in precisions]
    curves = figure(caption, *charts, legend=legend(styles, lines=True), pairs=True)
    return joined([curves, _kept_table(name, entries, material.metric)])


def _charts(material: Material, dataset: str, members: Sequence[Entry]) -> list[Html]:
    """By dimensions, then by bytes; each only where it would have a width."""
    charts = []
    for x_title, size_of in _SIZES.items():
        sizes = sorted({size for entry in members if (size := size_of(entry)) > 0})
        if len(sizes) > 1:
            chart = line_chart(
                dataset,
                _series(members, material.metric, size_of),
                x_title=x_title,
                x_ticks=sizes,
                levels=_levels(material, dataset, members),
            )
            charts.append(chart)
    return charts


def _series(members: Sequence[Entry], metric: str, size_of: Size) -> list[Series]:
    """A line for each precision."""
    series = []
    for style, precision in enumerate(PRECISIONS):
        points = [
            Point(size_of(entry), 100 * entry.result.metrics[metric], _tip(entry, metric))
            for entry in sorted(members, key=size_of)
            if entry.precision == precision and size_of(entry) > 0
        ]
        if points:
            series.append(Series(precision, style, tuple(points)))
    return series


def _tip(entry: Entry, metric: str) -> str:
    size = f"{entry.dimensions} dimensions, {entry.precision}"
    return f"{size}, {quantity(_bytes(entry))} bytes: {percent(entry.result.metrics[metric])}"


def _levels(material: Material, dataset: str, members: Sequence[Entry]) -> list[tuple[str, float]]:
    """Other models' best scores, where they are near enough not to flatten the curve."""
    values = [100 * entry.result.metrics[material.metric] for entry in members]
    span = max(values) - min(values)
    family = members[0].family
    others = [
        (entry.system, 100 * entry.result.metrics[material.metric])
        for entry in best_forms(material.entries)
        if entry.dataset == dataset and entry.family != family
    ]
    return [
        (name, value)
        for name, value in others
        if min(values) - span / 2 <= value <= max(values) + span / 2
    ]


def _kept_table(name: str, entries: Sequence[Entry], metric: str) -> Html:
    """Every form’s score and its share of the full form’s, set by set, and the worst share."""
    groups = by_dataset(entries)
    full = {dataset: best_forms(members)[0] for dataset, members in groups.items()}
    scores = {(e.dimensions, e.precision, e.dataset): e.result.metrics[metric] for e in entries}
    forms = _forms_in_order(entries)
    head = tr(
        th("Dimensions"),
        th("Precision"),
        th("Bytes", class_="number"),
        *(th(foreign(dataset), class_="number") for dataset in groups),
        th("Least kept", class_="number"),
    )
    rows = []
    for dimensions, precision, size in forms:
        values = [scores.get((dimensions, precision, dataset)) for dataset in groups]
        shares = [
            None if value is None or not whole else value / whole
            for value, whole in zip(
                values, (full[d].result.metrics[metric] for d in groups), strict=True
            )
        ]
        there = [share for share in shares if share is not None]
        rows.append(
            tr(
                th(f"{dimensions:,}", scope="row"),
                td(precision),
                td(quantity(size) if size else "–", class_="number"),
                *(_kept_cell(v, share) for v, share in zip(values, shares, strict=True)),
                td(f"{100 * min(there):.0f} %" if there else "–", class_="number"),
            )
        )
    title = f"{metric_name(metric)} × 100 of "
    caption = joined([title, foreign(name), ", and how much of the full form’s is kept"])
    return table(caption, [head], rows, kind="forms")


def _forms_in_order(entries: Sequence[Entry]) -> list[tuple[int, str, float]]:
    """Dimensions, precision and bytes of each form, the full one first."""
    forms = {
        (entry.dimensions, entry.precision): _bytes(entry)
        for entry in sorted(entries, key=lambda entry: entry.form_order)
    }
    return [(dimensions, precision, size) for (dimensions, precision), size in forms.items()]


def _kept_cell(value: float | None, share: float | None) -> Html:
    if value is None:
        return td("–", class_="number")
    kept = "" if share is None else f"{100 * share:.0f} %"
    return td(percent(value), " ", tag("small", kept), class_="number")


def _bytes(entry: Entry) -> float:
    return float(entry.result.speed.get("bytes/document", 0))


_SIZES: dict[str, Size] = {
    "dimensions": lambda entry: entry.dimensions,
    "bytes a document": _bytes,
}
