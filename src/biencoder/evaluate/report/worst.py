"""The questions that a model answers worst, with what it found instead."""

from __future__ import annotations

from collections.abc import Mapping

from biencoder.evaluate.report.markup import Html, Section, details, foreign, joined, section, tag
from biencoder.evaluate.report.material import (
    Entry,
    Material,
    best_forms,
    by_dataset,
    queries_of,
)
from biencoder.evaluate.report.texts import Library, Texts
from biencoder.evaluate.report.words import counted, metric_name, percent
from biencoder.evaluate.results import JudgedQuery

_SHOWN = 8
_FOUND = 3
_RELEVANT = 3
Queries = Mapping[str, JudgedQuery]


def worst(material: Material, library: Library) -> Section | None:
    """A fold for each set; the questions that others answer well come first among equals."""
    entries = best_forms(material.entries)
    main = "".join(material.systems[:1])
    family = next((entry.family for entry in entries if entry.system == main), None)
    parts: list[str] = []
    # A set may stand alone and in an aligned run, under two names.
    seen: set[object] = set()
    for dataset, members in by_dataset(entries).items():
        ours = next((entry for entry in members if entry.family == family), None)
        digest = dataset if ours is None else ours.result.data.get("digest", dataset)
        if ours is not None and _in_one_language(ours) and digest not in seen:
            seen.add(digest)
            others = {e.system: queries_of(e) for e in members if e is not ours}
            texts = library.sets.get(str(digest))
            parts.append(_set(dataset, ours, others, material.metric, texts, first=not parts))
    if not parts:
        return None
    command = tag("code", "biencoder report … --data FOLDER")
    hint = joined([command, " adds the documents’ texts and which were relevant."])
    note = Html("") if library.sets else tag("p", hint, class_="note")
    return section(
        "worst",
        "Worst questions",
        joined(
            [
                "The questions that ",
                foreign(main),
                f" answers worst by {metric_name(material.metric)}; among equals, those come first "
                "that another system answers best.",
            ]
        ),
        *parts,
        note,
    )


def _in_one_language(entry: Entry) -> bool:
    return entry.languages is None or entry.languages[0] == entry.languages[1]


def _set(
    dataset: str,
    ours: Entry,
    others: Mapping[str, Queries],
    metric: str,
    texts: Texts | None,
    *,
    first: bool,
) -> Html:
    queries = queries_of(ours)
    ordered = sorted(queries.values(), key=lambda query: _badness(query, others, metric))
    items = [_question(query, others, metric, texts) for query in ordered[:_SHOWN]]
    none = sum(query.metrics[metric] == 0 for query in ordered)
    summary = joined(
        [
            foreign(dataset),
            f": {counted(none, 'question')} of {len(queries):,} at 0, "
            f"the worst {min(_SHOWN, len(queries))} shown",
        ]
    )
    return details(summary, tag("ol", *items, class_="questions"), open_=first)


def _badness(
    query: JudgedQuery, others: Mapping[str, Queries], metric: str
) -> tuple[float, float, str]:
    best = max(
        (each[query.id].metrics[metric] for each in others.values() if query.id in each),
        default=0.0,
    )
    return query.metrics[metric], -best, query.id


def _question(
    query: JudgedQuery, others: Mapping[str, Queries], metric: str, texts: Texts | None
) -> Html:
    beside = [
        joined([foreign(name), f" {percent(each[query.id].metrics[metric])}"])
        for name, each in others.items()
        if query.id in each
    ]
    scores = joined([f"{metric_name(metric)} {percent(query.metrics[metric])}", *beside], " · ")
    found = [
        tag("li", _document(id_, texts), " ", tag("small", f"score {score:.3f}"))
        for id_, score in query.ranking[:_FOUND]
    ]
    parts: list[str] = [
        tag("p", foreign(query.text), class_="question"),
        tag("p", scores, class_="note"),
        tag("p", "Found first:" if found else "Nothing was found.", class_="note"),
        tag("ol", *found, class_="found") if found else "",
    ]
    if texts is not None:
        parts += _relevant(query, texts)
    return tag("li", *parts)


def _relevant(query: JudgedQuery, texts: Texts) -> list[Html]:
    ids = texts.relevant(query.id)
    more = f", {_RELEVANT} shown" if len(ids) > _RELEVANT else ""
    items = [tag("li", _document(id_, texts)) for id_ in ids[:_RELEVANT]]
    return [
        tag("p", f"Relevant ({len(ids):,}{more}):", class_="note"),
        tag("ul", *items, class_="found"),
    ]


def _document(id_: str, texts: Texts | None) -> Html:
    name = tag("code", foreign(id_, 80))
    text = texts.of(id_) if texts else ""
    return joined([name, " ", foreign(text, 200)]) if text else name
