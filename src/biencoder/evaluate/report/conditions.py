"""What was left out, and what a reader must know to trust the numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from biencoder.evaluate.report.benchmarks import model_name
from biencoder.evaluate.report.markup import (
    Html,
    Section,
    count_cell,
    foreign,
    joined,
    section,
    short,
    table,
    tag,
    td,
    th,
    tr,
)
from biencoder.evaluate.report.material import Entry, Material, best_forms, by_dataset, unique
from biencoder.evaluate.report.speed import machine_line
from biencoder.evaluate.report.words import counted
from biencoder.types import PRECISIONS

_MODEL_COLUMNS = ("name", "fingerprint", "prompts", "dtype", "max_tokens")
_FORM = ("dimensions", "precision")


def left_out(material: Material) -> Section:
    """Notes of the sets, tasks without a score, files that are no results."""
    rows = [*_notes(material), *_missing_tasks(material)]
    head = tr(th("Set or benchmark"), th("What"), th("Count", class_="number"), th("Where"))
    lines = []
    if material.older:
        lines.append(
            f"{counted(material.older, 'older result')} of the same system on the same data"
        )
    if material.passed_over:
        lines.append(f"{counted(material.passed_over, 'JSON file')} of other kinds, passed over")
    found = table("Left out, cut or found amiss", [head], rows) if rows else Html("")
    nothing = "" if rows or lines else "Nothing was left out."
    return section(
        "left-out",
        "What was left out",
        "A mean over fewer questions is another mean, so everything that did not count is counted "
        f"here. {nothing}",
        found,
        tag("ul", *(tag("li", line) for line in lines)) if lines else "",
    )


def conditions(material: Material) -> Section:
    """Models with fingerprints and prompts, data with digests, machines and versions."""
    return section(
        "conditions",
        "Conditions",
        "What decides these numbers: the models as they were loaded, the data by their SHA-256, "
        "machines, versions and dates.",
        _models(material),
        _data(material),
        _runs(material),
    )


def _notes(material: Material) -> list[Html]:
    rows = []
    for dataset, members in by_dataset(material.entries).items():
        counts: dict[tuple[str, int], list[Entry]] = {}
        for entry in members:
            for note, count in entry.result.data.get("notes", {}).items():
                counts.setdefault((note, count), []).append(entry)
        everywhere = len(members)
        for (note, count), noted in counts.items():
            where = "all systems" if len(noted) == everywhere else _models_of(noted)
            cells = [td(foreign(note)), td(f"{count:,}", class_="number"), td(where)]
            rows.append(tr(th(foreign(dataset), scope="row"), *cells))
    return rows


def _models_of(entries: Sequence[Entry]) -> Html:
    """One name for all forms of a model."""
    return joined((foreign(name) for name in unique(e.system for e in best_forms(entries))), "; ")


def _missing_tasks(material: Material) -> list[Html]:
    rows = []
    for benchmark in material.benchmarks:
        for task, reason in [*benchmark.unavailable.items(), *benchmark.left_out.items()]:
            what = joined([foreign(task), ": ", foreign(reason)])
            where = td(foreign(model_name(benchmark)))
            title = th(foreign(benchmark.benchmark), scope="row")
            rows.append(tr(title, td(what), td("–", class_="number"), where))
    return rows


def _models(material: Material) -> Html:
    head = tr(
        th("System"),
        th("Model"),
        th("Fingerprint"),
        th("Prompts"),
        th("Computed in"),
        th("Tokens read, at most", class_="number"),
        th("Sizes and precisions judged"),
        th("Other"),
    )
    rows = [_model(material, entry) for entry in _one_of_each(material)]
    rows += [_benchmark_model(name, model) for name, model in _benchmark_models(material).items()]
    return table("Models", [head], rows)


def _one_of_each(material: Material) -> list[Entry]:
    """One entry of each model, its best form."""
    best = best_forms(material.entries)
    firsts = {entry.family: entry for entry in reversed(best)}
    return sorted(firsts.values(), key=lambda entry: material.systems.index(entry.system))


def _model(material: Material, entry: Entry) -> Html:
    members = [each for each in material.entries if each.family == entry.family]
    sizes = sorted({each.dimensions for each in members} - {0})
    precisions = [p for p in PRECISIONS if any(each.precision == p for each in members)]
    forms = " × ".join(filter(None, (", ".join(map(str, sizes)), ", ".join(precisions))))
    return _model_row(entry.system, entry.result.model, forms or "–")


def _benchmark_models(material: Material) -> dict[str, Any]:
    """Models that only a benchmark's file tells of; equal ones once."""
    return {model_name(benchmark): benchmark.model for benchmark in material.benchmarks}


def _benchmark_model(name: str, model: Any) -> Html:
    facts = {"fingerprint": model.get("revision"), **model}
    return _model_row(f"{name} (benchmarks)", facts, str(model.get("dimensions", "–")))


def _model_row(system: str, facts: Any, forms: str) -> Html:
    prompts = facts.get("prompts") or {}
    limit = facts.get("max_tokens")
    others = {k: v for k, v in facts.items() if v and k not in (*_MODEL_COLUMNS, *_FORM)}
    return tr(
        th(foreign(system), scope="row"),
        td(foreign(str(facts.get("name", "–")))),
        td(short(str(facts.get("fingerprint") or "–"))),
        td(_prompts(prompts) if prompts else "–"),
        td(foreign(str(facts.get("dtype", "–")))),
        count_cell(limit),
        td(forms),
        td(joined((foreign(f"{key} {value}") for key, value in others.items()), ", ") or "–"),
    )


def _prompts(prompts: Any) -> Html:
    texts = (
        joined([f"{side} ", tag("code", f"“{text}”") if text else "none"])
        for side, text in prompts.items()
    )
    return joined(texts, ", ")


def _data(material: Material) -> Html:
    counts = ("queries", "documents", "judgements")
    head = tr(
        th("Set"),
        th("Questions", class_="number"),
        th("Documents", class_="number"),
        th("Judgements", class_="number"),
        th("SHA-256 of texts and judgements"),
    )
    rows = []
    for dataset, members in by_dataset(material.entries).items():
        data = members[0].result.data
        cells = [count_cell(data.get(what)) for what in counts]
        digest = td(short(str(data.get("digest", "–"))))
        rows.append(tr(th(foreign(dataset), scope="row"), *cells, digest))
    return table("Data", [head], rows) if rows else Html("")


def _runs(material: Material) -> Html:
    """Results by machine and versions, with the time from the first to the last."""
    groups: dict[tuple[str, str], list[str]] = {}
    for facts in material.conditions:
        versions = facts.get("versions") or {}
        names = ", ".join(f"{name} {number}" for name, number in versions.items())
        commit = f"commit {facts['commit']}" if facts.get("commit") else ""
        key = machine_line(facts.get("machine")), ", ".join(filter(None, (names, commit)))
        groups.setdefault(key, []).append(str(facts.get("date", "")))
    head = tr(th("Machine"), th("Versions"), th("Dates"), th("Results", class_="number"))
    rows = [
        tr(
            td(foreign(machine)),
            td(foreign(versions, 600)),
            td(foreign(" to ".join(unique((min(dates), max(dates)))))),
            td(f"{len(dates):,}", class_="number"),
        )
        for (machine, versions), dates in groups.items()
    ]
    return table("Machines and versions", [head], rows)
