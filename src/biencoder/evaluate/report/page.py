"""The whole page: one file, no script, nothing fetched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biencoder.drafts import write_text
from biencoder.evaluate.compare import METRIC
from biencoder.evaluate.report.benchmarks import benchmarks
from biencoder.evaluate.report.cards import cards
from biencoder.evaluate.report.compression import compression
from biencoder.evaluate.report.conditions import conditions, left_out
from biencoder.evaluate.report.domains import domains
from biencoder.evaluate.report.languages import languages
from biencoder.evaluate.report.markup import Html, Section, tag
from biencoder.evaluate.report.material import Material, gather, unique
from biencoder.evaluate.report.repeat import repeat
from biencoder.evaluate.report.scores import differences, scores
from biencoder.evaluate.report.speed import speed
from biencoder.evaluate.report.texts import Library, open_library
from biencoder.evaluate.report.words import counted, one_line
from biencoder.evaluate.report.worst import worst

_STYLE = Path(__file__).with_name("page.css")
# Should a text ever get past the escaping, the page still may not run or fetch anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """What became of a report. strangers: data folders that no result was measured on."""

    path: Path
    results: int
    datasets: int
    benchmarks: int
    passed_over: int
    older: int
    strangers: tuple[Path, ...]


def write_report(
    places: Sequence[Path],
    output: Path,
    *,
    data: Sequence[Path] = (),
    metric: str = METRIC,
    split: str = "test",
) -> Written:
    """Make one page of all results in files and folders.

    data: judged folders, to show what the documents of the worst questions say. metric: what
    pictures and comparisons are of. Equal results give an equal page, byte by byte.

    Raises InputError where there is no result, or a result without the metric.
    """
    material = gather(places, metric=metric)
    digests = {str(entry.result.data.get("digest")) for entry in material.entries}
    library = open_library(data, digests, split=split)
    write_text(output, page(material, library))
    return Written(
        path=output,
        results=len(material.entries),
        datasets=len(material.datasets),
        benchmarks=len(material.benchmarks),
        passed_over=material.passed_over,
        older=material.older,
        strangers=library.strangers,
    )


def page(material: Material, library: Library) -> str:
    """The page as HTML."""
    possible = (
        scores(material),
        differences(material),
        benchmarks(material),
        cards(material),
        domains(material),
        compression(material),
        languages(material),
        speed(material),
        worst(material, library),
        left_out(material),
        conditions(material),
        repeat(material),
    )
    sections = [part for part in possible if part is not None]
    main = tag("main", *(part.html for part in sections))
    body = [_header(material), _contents(sections), main, _footer()]
    return f"<!doctype html>\n{tag('html', _head(), tag('body', *body), lang='en')}\n"


def _head() -> Html:
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name_="color-scheme", content="light dark"),
        tag("title", "biencoder report"),
        tag("style", Html(_STYLE.read_text(encoding="utf-8"))),
    )


def _header(material: Material) -> Html:
    dates = sorted(filter(None, (_day(facts) for facts in material.conditions)))
    found = [
        f"{counted(len(material.entries), 'result')} of {counted(len(material.systems), 'system')} "
        f"on {counted(len(material.datasets), 'set')}"
        if material.entries
        else "",
        counted(len(material.benchmarks), "benchmark run") if material.benchmarks else "",
        f"measured {' to '.join(unique([dates[0], dates[-1]]))}" if dates else "",
    ]
    return tag(
        "header",
        tag("h1", "Retrieval, measured"),
        tag("p", ", ".join(filter(None, found)), class_="lead"),
    )


def _day(facts: Mapping[str, Any]) -> str:
    return one_line(str(facts.get("date", "")), 40).partition(" ")[0]


def _contents(sections: Sequence[Section]) -> Html:
    items = [tag("li", tag("a", part.title, href=f"#{part.id}")) for part in sections]
    return tag("nav", tag("ol", *items), aria_label="Contents")


def _footer() -> Html:
    return tag("footer", tag("p", "Made by biencoder report."))
