"""Every question language against every document language, and against the mixed pool."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

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
from biencoder.evaluate.report.material import Entry, Material, best_forms, unique
from biencoder.evaluate.report.words import counted, metric_name, percent

MIXED = "mixed"
# From here on, black and white change places as the more readable ink; at least 4.5 : 1 throughout.
_DARK = 0.645
_SAME = "same language@5"
Pair: TypeAlias = tuple[str, str]
Pairs: TypeAlias = Mapping[Pair, Entry]
_REGIONS: dict[str, Callable[[Pair], bool]] = {
    "within a language": lambda pair: pair[0] == pair[1],
    "across languages": lambda pair: pair[0] != pair[1] and not _is_pool(pair[1]),
}


def languages(material: Material) -> Section | None:
    """A heat map for each system, the means of its regions, and each set with its interval."""
    entries = best_forms(material.aligned)
    if not entries:
        return None
    groups = unique(entry.group for entry in entries)
    parts: list[str] = []
    for group in groups:
        members = [entry for entry in entries if entry.group == group]
        systems = [s for s in material.systems if any(entry.system == s for entry in members)]
        maps = [
            _heat_map(group, system, _pairs(members, system), material.metric) for system in systems
        ]
        parts.append(tag("div", *maps, class_="maps"))
        parts.append(_regions(group, systems, members, material.metric))
        parts.append(details("Every pair with its interval", _every_pair(members, material.metric)))
    return section(
        "languages",
        "Languages",
        f"{metric_name(material.metric)} × 100 for questions in one language and documents in "
        "another; under “mixed” all languages lie in one pool and every translation of a relevant "
        "document counts. The stronger the colour the higher, on one scale from 0 to 100.",
        *parts,
    )


def _pairs(entries: Iterable[Entry], system: str) -> Pairs:
    """One system's results by question language and by document language or pool."""
    return {
        (entry.languages[0], _pool(entry) or entry.languages[1]): entry
        for entry in entries
        if entry.system == system and entry.languages is not None
    }


def _pool(entry: Entry) -> str:
    """What the mixed pool of a result is of, as two pools have no mean; empty for a single language."""
    if entry.languages is None or entry.languages[1] != MIXED:
        return ""
    members = entry.result.settings.get("languages") or ()
    return f"{MIXED}: {', '.join(map(str, members))}" if members else MIXED


def _is_pool(name: str) -> bool:
    return name.split(":")[0] == MIXED


def _heat_map(group: str, system: str, pairs: Pairs, metric: str) -> Html:
    asked = unique(query for query, _ in pairs)
    written = unique(document for _, document in pairs)
    columns = sorted(written, key=_is_pool)
    head = [
        tr(td(class_="corner"), th("documents", colspan=len(columns), scope="colgroup")),
        tr(th("questions"), *(th(foreign(name), class_=_gap(name)) for name in columns)),
    ]
    rows = [
        tr(
            th(foreign(query), scope="row"),
            *(_heat_cell(pairs.get((query, name)), query, name, metric) for name in columns),
        )
        for query in asked
    ]
    caption = joined([foreign(group), ": ", foreign(system), f", {metric_name(metric)} × 100"])
    return table(caption, head, rows, kind="heat")


def _heat_cell(entry: Entry | None, query: str, document: str, metric: str) -> Html:
    if entry is None:
        return td("–", class_=_gap(document))
    value = entry.result.metrics[metric]
    kinds = [
        "own" if query == document else "",
        "high" if value >= _DARK else "",
        _gap(document) or "",
    ]
    # The style sheet mixes the colour from this share.
    style = f"--share:{100 * max(0.0, min(1.0, value)):.0f}%"
    return td(percent(value), class_=" ".join(filter(None, kinds)) or None, style=style)


def _gap(name: str) -> str | None:
    return "mixed" if _is_pool(name) else None


def _regions(group: str, systems: Sequence[str], entries: Sequence[Entry], metric: str) -> Html:
    """Means over the pairs within a language, across languages, and over each mixed pool."""
    pools = unique(filter(None, map(_pool, entries)))
    head = tr(
        th("System"),
        *(th(name, class_="number") for name in _REGIONS),
        *(
            cell
            for pool in pools
            for cell in (
                th(foreign(pool.replace(MIXED, "mixed pool", 1)), class_="number"),
                th("First five in the question’s language", class_="number"),
            )
        ),
    )
    rows = []
    for system in systems:
        pairs = _pairs(entries, system)
        cells = [
            _mean_cell([e.result.metrics[metric] for pair, e in pairs.items() if inside(pair)])
            for inside in _REGIONS.values()
        ]
        for pool in pools:
            members = [entry.result.metrics for pair, entry in pairs.items() if pair[1] == pool]
            shares = [metrics[_SAME] for metrics in members if _SAME in metrics]
            cells.append(_mean_cell([metrics[metric] for metrics in members]))
            cells.append(
                td(f"{100 * sum(shares) / len(shares):.0f} %" if shares else "–", class_="number")
            )
        rows.append(tr(th(foreign(system), scope="row"), *cells))
    return table(
        joined([foreign(group), f": means over the pairs, {metric_name(metric)} × 100"]),
        [head],
        rows,
    )


def _mean_cell(values: Sequence[float]) -> Html:
    if not values:
        return td("–", class_="number")
    mean = percent(sum(values) / len(values))
    return td(mean, " ", tag("small", f"of {len(values)}"), class_="number")


def _every_pair(entries: Sequence[Entry], metric: str) -> Html:
    head = tr(
        th("Set"),
        th("System"),
        th(metric_name(metric), class_="number"),
        th("95 % interval", class_="number"),
        th("Questions", class_="number"),
    )
    rows = []
    for entry in entries:
        low, high = entry.result.intervals.get(metric, (None, None))
        interval = "–" if low is None or high is None else f"{percent(low)}–{percent(high)}"
        rows.append(
            tr(
                th(foreign(entry.dataset), scope="row"),
                td(foreign(entry.system)),
                td(percent(entry.result.metrics[metric]), class_="number"),
                td(interval, class_="number"),
                count_cell(entry.result.data.get("queries")),
            )
        )
    return joined([table(counted(len(rows), "result"), [head], rows)])
