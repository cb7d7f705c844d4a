"""What was measured here beside what the model cards print: two groups, never one mean."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from biencoder.evaluate.benchmark_result import BenchmarkResult
from biencoder.evaluate.cards import CardResult, printed
from biencoder.evaluate.report.benchmarks import model_name
from biencoder.evaluate.report.markup import (
    Html,
    Section,
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
from biencoder.evaluate.report.material import Material, best_forms, unique
from biencoder.evaluate.report.words import metric_name

# So many printed models stand beside the measured; the fold below the table holds all of them.
_BESIDE = 6
_BRIGHT = "BRIGHT(v1.1) short"
_DOMAINS = (
    *("biology", "earth_science", "economics", "psychology", "robotics", "stackoverflow"),
    *("sustainable_living", "leetcode", "pony", "aops", "theoremqa_questions"),
    "theoremqa_theorems",
)


@dataclass(frozen=True, slots=True)
class CardTable:
    """One table of the cards: its rows as they are spelled there."""

    title: str
    metric: str
    rows: tuple[str, ...]
    decimals: int = 2


TABLES = (
    CardTable(
        "Text retrieval, Recall@5",
        "recall@5",
        (
            "NQ+HotpotQA+FiQA+TechQA",
            "MIRACL (internal hard-negative version)",
            "MLQA",
            "MLDR",
        ),
    ),
    CardTable(
        "BRIGHT, short, nDCG@10",
        "ndcg@10",
        (f"{_BRIGHT}/average", *(f"{_BRIGHT}/{domain}" for domain in _DOMAINS)),
        decimals=1,
    ),
    CardTable(
        "MTEB(Multilingual, v2), mean of the tasks",
        "mean_task",
        ("MTEB(Multilingual, v2), 2025-10-21",),
    ),
)
# Our name of a whole benchmark to the cards' and the measure that both must report.
_WHOLE = {
    "suite qa": "NQ+HotpotQA+FiQA+TechQA",
    "suite multilingual": "MIRACL (internal hard-negative version)",
    "suite mlqa": "MLQA",
    "suite long-documents": "MLDR",
    "BRIGHT(v1.1, short)": f"{_BRIGHT}/average",
    "MTEB(Multilingual, v2)": "MTEB(Multilingual, v2), 2025-10-21",
}


@dataclass(frozen=True, slots=True)
class Measured:
    """One number of ours under the cards' name for the benchmark; conditions in words."""

    row: str
    model: str
    name: str
    value: float
    conditions: str


def cards(material: Material) -> Section:
    """Tables with a group of columns for either side; all printed numbers folded away."""
    found = list(_measured(material))
    parts: list[str] = [_beside(each, found) for each in TABLES if _rows_of(each, found)]
    lead = (
        "Left: measured here, with the conditions below. Right: as printed on the model cards, under "
        "their conditions. The two groups are never averaged together."
    )
    if not found:
        lead = (
            "None of the sets measured here is in a table of the five model cards, so no number of "
            "theirs stands beside ours. What the cards print is folded away below."
        )
    folded = [_all_printed(each) for each in TABLES]
    return section(
        "cards",
        "Beside the cards’ printed numbers",
        lead,
        *parts,
        details("Everything that the cards’ tables print", *folded),
    )


def _measured(material: Material) -> Iterator[Measured]:
    for benchmark in material.benchmarks:
        row = _WHOLE.get(benchmark.benchmark)
        if row and benchmark.mean is not None and _same_metric(row, benchmark.metric):
            yield _from_benchmark(benchmark, row, benchmark.mean)
        if benchmark.benchmark.startswith("BRIGHT(v1.1"):
            for task in benchmark.tasks:
                domain = _domain_of(task.name)
                if domain and metric_name(task.metric) == "nDCG@10":
                    yield _from_benchmark(benchmark, f"{_BRIGHT}/{domain}", task.score)
    for entry in best_forms(material.alone):
        domain = str(entry.result.settings.get("domain", ""))
        named = f"{entry.group} {entry.dataset}".lower()
        if domain in _DOMAINS and "bright" in named and "ndcg@10" in entry.result.metrics:
            value = entry.result.metrics["ndcg@10"]
            facts = _conditions(entry.result.model)
            name = str(entry.result.model.get("name"))
            yield Measured(f"{_BRIGHT}/{domain}", entry.system, name, value, facts)


def _from_benchmark(benchmark: BenchmarkResult, row: str, value: float) -> Measured:
    facts = "; ".join(filter(None, (_conditions(benchmark.model), benchmark.note)))
    name = str(benchmark.model.get("name"))
    return Measured(row, model_name(benchmark), name, value, facts)


def _same_metric(row: str, metric: str) -> bool:
    wanted = next(each.metric for each in TABLES if row in each.rows)
    return wanted == "mean_task" or metric_name(wanted) == metric_name(metric)


def _domain_of(task: str) -> str | None:
    """``BrightEarthScienceRetrieval`` to the cards' ``earth_science``; None for the long tasks."""
    found = re.fullmatch(r"Bright(\w+)Retrieval", task)
    plain = found[1].lower() if found else ""
    return next((domain for domain in _DOMAINS if domain.replace("_", "") == plain), None)


def _conditions(model: object) -> str:
    facts = model if isinstance(model, dict) else {}
    prompts = facts.get("prompts", {})
    parts = [
        f"at most {facts['max_tokens']:,} tokens" if facts.get("max_tokens") else "",
        f"{facts['dimensions']:,} dimensions" if facts.get("dimensions") else "",
        str(facts.get("dtype", "")),
        f"prompts “{prompts.get('query', '')}” and “{prompts.get('document', '')}”"
        if prompts
        else "",
    ]
    return ", ".join(filter(None, parts))


def _rows_of(card_table: CardTable, found: Sequence[Measured]) -> list[str]:
    there = {each.row for each in found}
    return [row for row in card_table.rows if row in there]


def _beside(card_table: CardTable, found: Sequence[Measured]) -> Html:
    rows = _rows_of(card_table, found)
    ours = [each for each in found if each.row in rows]
    models = unique(each.model for each in ours)
    theirs = _printed_models(card_table, rows, unique(each.name for each in ours))
    head = [
        tr(
            td(class_="corner"),
            th("measured here", scope="colgroup", colspan=len(models), class_="here"),
            th("printed on the card", scope="colgroup", colspan=len(theirs), class_="printed"),
        ),
        tr(
            th("Benchmark"),
            *(th(foreign(name), class_="number here") for name in models),
            *(th(name, class_="number printed") for name in theirs),
        ),
    ]
    values = {(each.row, each.model): _number(100 * each.value, card_table) for each in ours}
    body = [
        tr(
            th(_short(row), scope="row"),
            *(td(values.get((row, model), "–"), class_="number here") for model in models),
            *(td(_printed(row, card_table, model), class_="number printed") for model in theirs),
        )
        for row in rows
    ]
    told = unique(f"{each.model}: {each.conditions}" for each in ours)
    conditions = tag("ul", *(tag("li", "Here, ", foreign(line, 600)) for line in told))
    return joined([table(card_table.title, head, body, kind="beside"), conditions])


def _printed_models(
    card_table: CardTable, rows: Sequence[str], measured: Sequence[str]
) -> tuple[str, ...]:
    """The measured models where a card prints them, the cards' own, BM25, then the others."""
    there = [result for row in rows for result in _of_row(row, card_table)]
    ours = _spellings(rows, measured)
    owners = _spellings(rows, unique(result.card for result in there))
    lexical = {"BM25"}
    groups = (ours, owners, lexical, {result.model for result in there})
    return unique(r.model for group in groups for r in there if r.model in group)[:_BESIDE]


def _spellings(rows: Sequence[str], names: Sequence[str]) -> set[str]:
    """How the cards write these models in these rows, additions such as ``(384)`` included."""
    return {r.model for name in names for row in rows for r in printed(benchmark=row, model=name)}


def _of_row(row: str, card_table: CardTable) -> tuple[CardResult, ...]:
    return printed(benchmark=row, metric=card_table.metric)


def _printed(row: str, card_table: CardTable, model: str) -> str:
    found = [result.value for result in _of_row(row, card_table) if result.model == model]
    return _number(found[0], card_table) if found else "–"


def _short(row: str) -> str:
    """A row without what the table's title says."""
    return row.removeprefix(f"{_BRIGHT}/").replace("_", " ")


def _number(value: float, card_table: CardTable) -> str:
    """With as many decimals as that table has on the cards."""
    return f"{value:.{card_table.decimals}f}"


def _all_printed(card_table: CardTable) -> Html:
    results = [result for row in card_table.rows for result in _of_row(row, card_table)]
    models = unique(result.model for result in results)
    head = tr(th("Model"), *(th(_short(row), class_="number") for row in card_table.rows))
    body = [
        tr(
            th(model, scope="row"),
            *(td(_printed(row, card_table, model), class_="number") for row in card_table.rows),
        )
        for model in models
    ]
    sources = ", ".join(unique(result.source for result in results))
    caption = f"{card_table.title}, printed on the {sources}"
    return table(caption, [head], body)
