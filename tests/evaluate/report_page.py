"""A report read back as a tree, and the results it is made of in the tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

from tests.evaluate.made_results import made, saved

from biencoder.evaluate.benchmark_result import (
    BenchmarkResult,
    TaskScore,
    means,
    save_benchmark_result,
)
from biencoder.evaluate.report.page import write_report
from biencoder.evaluate.results import Result

NAMES = {384: "", 128: "128 dimensions", "float32": "", "int8": "int8", "binary": "binary"}
_BLOCKS = {"p", "li", "td", "th", "h2", "h3", "caption", "summary", "pre"}
_VOID = {"meta", "br", "hr", "link"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    parent: Element | None
    text: str = ""
    children: list[Element] = field(default_factory=list)

    def all(self, tag: str, class_: str = "") -> list[Element]:
        found = (
            [self]
            if tag in (self.tag, "") and class_ in (self.attributes.get("class") or "")
            else []
        )
        return found + [item for child in self.children for item in child.all(tag, class_)]

    def first(self, tag: str, class_: str = "") -> Element:
        return self.all(tag, class_)[0]

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


class Reader(HTMLParser):
    """A tree of the page; a tag that is not closed in order is an error."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = self.here = Element("root", {}, None)
        self.feed(text)
        self.close()
        assert self.here is self.root

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute stands twice in {tag}"
        element = Element(tag, dict(attrs), self.here)
        self.here.children.append(element)
        if tag not in _VOID:
            self.here = element

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.here.tag
        assert self.here.parent is not None
        if tag in _BLOCKS:
            self.handle_data(" ")
        self.here = self.here.parent

    def handle_data(self, data: str) -> None:
        above: Element | None = self.here
        while above is not None:
            above.text += data
            above = above.parent


@dataclass
class Page:
    text: str
    root: Element

    def section(self, id_: str) -> Element:
        return next(part for part in self.root.all("section") if part.attributes["id"] == id_)

    @property
    def sections(self) -> list[str | None]:
        return [part.attributes["id"] for part in self.root.all("section")]


def report(folder: Path, *results: Result, **options: object) -> Page:
    saved(folder / "results", *results)
    output = folder / "report.html"
    write_report([folder / "results"], output, **options)  # type: ignore[arg-type]
    text = output.read_text(encoding="utf-8")
    return Page(text, Reader(text).root)


def rows(table: Element) -> list[list[str]]:
    return [
        [cell.words for cell in row.children]
        for body in table.all("tbody")
        for row in body.all("tr")
    ]


def forms() -> list[Result]:
    values = {
        (384, "float32"): 0.8,
        (384, "int8"): 0.78,
        (128, "float32"): 0.6,
        (128, "binary"): 0.4,
    }
    sizes = {"float32": 4.0, "int8": 1.0, "binary": 0.125}
    return [
        made(
            [value, value],
            system=", ".join(filter(None, ("mini", NAMES[dimensions], NAMES[precision]))),
            model={"dimensions": dimensions, "precision": precision},
            speed={"bytes/document": dimensions * sizes[precision], "documents/s": 100.0},
        )
        for (dimensions, precision), value in values.items()
    ]


def aligned() -> list[Result]:
    values = {
        ("de", "de"): 0.9,
        ("de", "en"): 0.3,
        ("en", "de"): 0.4,
        ("en", "en"): 0.95,
        ("de", "mixed"): 0.5,
        ("en", "mixed"): 0.6,
    }
    return [
        made(
            [value],
            dataset=f"pets/{query}-{document}",
            digest=f"{query}{document}",
            settings={"group": "pets", "query_language": query, "document_language": document},
            extra={"same language@5": 0.75} if document == "mixed" else {},
        )
        for (query, document), value in values.items()
    ]


def everything() -> list[Result]:
    lexical = made([0.0, 0.9], system="BM25", speed={"documents/s": 5000.0}, notes={"odd rows": 2})
    return [*forms(), lexical, *aligned(), made([0.4, 0.6], dataset="other", digest="d2")]


def benchmark(
    name: str, tasks: dict[str, float], metric: str, missing: str = ""
) -> BenchmarkResult:
    scores = [
        TaskScore(name=task, type="Retrieval", metric=metric, score=score, scores={})
        for task, score in tasks.items()
    ]
    expected = dict.fromkeys([*tasks, *([missing] if missing else [])], ("Retrieval", metric))
    return BenchmarkResult(
        benchmark=name,
        model={
            "name": "llama-nemotron-embed-1b-v2",
            "prompts": {"query": "query: ", "document": "passage: "},
            "dimensions": 2048,
            "max_tokens": 8192,
        },
        tasks=tuple(scores),
        unavailable={missing: "no data offline"} if missing else {},
        left_out={},
        means=means(scores, expected),
        note="a note of the suite",
        conditions={"date": "2026-02-03 00:00 UTC"},
    )


def with_benchmark(folder: Path, *results: BenchmarkResult) -> Page:
    for number, result in enumerate(results):
        save_benchmark_result(result, folder / f"results/benchmarks/{number}.json")
    return report(folder)
