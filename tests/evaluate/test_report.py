"""The page: one file that needs nothing, holds every number, and lets no text out of its place."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from tests.evaluate.made_results import made, saved

from biencoder.errors import InputError
from biencoder.evaluate.benchmark_result import (
    BenchmarkResult,
    TaskScore,
    means,
    save_benchmark_result,
)
from biencoder.evaluate.judged_set import read_judged_set
from biencoder.evaluate.report.page import write_report
from biencoder.evaluate.results import Result

HOSTILE = (
    "</title></svg></style><script>alert(1)</script>",
    "\u202eright to left\u202c \u05d0\u05d1\u05d2 \u0627\u0644",
    '" onload="alert(1)',
    "nul \x00 escape \x1b[31m bell \x07 half \ud800",
    "x" * 5000,
    "&lt;b&gt; &amp;",
)
NAMES = {384: "", 128: "128 dimensions", "float32": "", "int8": "int8", "binary": "binary"}
FETCHING = {"src", "srcset", "data", "action", "poster", "background", "xlink:href"}
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


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Page:
    return report(tmp_path_factory.mktemp("everything"), *everything())


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Page:
    ours = made([0.0] * 6, texts=[*HOSTILE[:3], "control", *HOSTILE[4:]], dataset=HOSTILE[0])
    again = replace(ours, dataset=HOSTILE[1])
    odd = {"fingerprint": HOSTILE[0], "prompts": {"query": HOSTILE[2], "document": "<i>"}}
    other = replace(ours, system=HOSTILE[2], model={**ours.model, **odd})
    noted = replace(other, dataset=HOSTILE[5], data={**ours.data, "notes": {HOSTILE[0]: 3}})
    folder = tmp_path_factory.mktemp("hostile")
    # Half a surrogate pair cannot be written as UTF-8, but JSON's escapes bring it in.
    for path in saved(folder / "results", ours, again, other, noted):
        queries = path.with_name(path.name.replace(".json", ".queries.jsonl"))
        text = queries.read_text(encoding="utf-8")
        queries.write_text(text.replace('"control"', json.dumps(HOSTILE[3])), encoding="utf-8")
    return report(folder)


def test_the_page_needs_nothing_from_outside_and_runs_nothing(page: Page, hostile: Page) -> None:
    for each in (page, hostile):
        tags = Counter(element for element in re.findall(r"<([a-zA-Z]+)", each.text))
        assert not {"script", "link", "img", "iframe", "object", "image", "use"} & set(tags)
        assert tags["style"] == 1
        names = {name for element in each.root.all("") for name in element.attributes}
        assert not {name for name in names if name.startswith("on") or name in FETCHING}
        assert not re.search(r"url\(|@import|https?:", each.root.first("style").text)
        hrefs = [element.attributes["href"] or "" for element in each.root.all("a")]
        assert all(href.startswith("#") for href in hrefs)


def test_links_in_the_page_lead_somewhere_and_ids_are_unique(page: Page) -> None:
    ids = re.findall(r'\sid="([^"]*)"', page.text)
    assert len(ids) == len(set(ids))
    links = {element.attributes["href"] for element in page.root.all("a")}
    assert links <= {f"#{id_}" for id_ in ids}
    contents = [link.attributes["href"] for link in page.root.first("nav").all("a")]
    assert contents == [f"#{id_}" for id_ in page.sections]


def test_tables_have_captions_and_scopes_and_pictures_have_names(page: Page) -> None:
    tables = page.root.all("table")
    assert len(tables) > 8
    assert all(table.first("caption").words for table in tables)
    headings = page.root.all("th")
    assert {heading.attributes.get("scope") for heading in headings} <= {"col", "row", "colgroup"}
    for table in tables:
        widths = {
            sum(int(cell.attributes.get("colspan") or 1) for cell in row.children)
            for row in table.all("tr")
        }
        assert len(widths) == 1
    pictures = page.root.all("svg")
    assert len(pictures) > 5
    for picture in pictures:
        named = picture.attributes.get("role") == "img" and picture.children[0].text
        assert named or picture.attributes.get("aria-hidden") == "true"


def test_the_page_says_its_language_and_fits_a_phone(page: Page) -> None:
    assert page.root.first("html").attributes["lang"] == "en"
    named = {meta.attributes.get("name"): meta.attributes for meta in page.root.all("meta")}
    assert "width=device-width" in str(named["viewport"]["content"])
    style = page.root.first("style").text
    assert "prefers-color-scheme: dark" in style
    assert "max-width: 40rem" in style
    levels = [element.tag for element in page.root.all("h1")] + ["h2"] * len(page.sections)
    assert levels.count("h1") == 1
    assert len(page.root.all("h2")) == len(page.sections)


def test_hostile_texts_stay_texts(hostile: Page) -> None:
    shown = hostile.section("worst").words
    assert "</title></svg></style><script>alert(1)</script>" in shown
    assert '" onload="alert(1)' in shown
    assert "&lt;b&gt; &amp;" in shown
    assert "nul ␀ escape ␛[31m bell ␇ half �" in shown
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", hostile.text)
    assert "x" * 299 + "…" in shown
    assert "x" * 300 not in hostile.text


def test_a_text_cannot_turn_its_neighbours_round(hostile: Page) -> None:
    places = [found.start() for found in re.finditer("\u202e", hostile.text)]
    assert len(places) > 5
    for place in places:
        before = hostile.text[:place]
        alone = before.rfind("<bdi") > before.rfind("</bdi>")
        # A picture's title, an attribute and a line of commands stand by themselves.
        assert alone or re.search(r"<title>[^<]*$|<[^>]*$|\n# [^\n]*$", before), before[-80:]


def test_sections_appear_only_with_their_data(tmp_path: Path, page: Page) -> None:
    alone = report(tmp_path, made([0.5, 1.0]))
    assert alone.sections == ["scores", "cards", "worst", "left-out", "conditions", "repeat"]
    assert page.sections == [
        *("scores", "differences", "cards", "domains", "compression", "languages", "speed"),
        *("worst", "left-out", "conditions", "repeat"),
    ]


def test_the_score_table_holds_means_and_intervals_with_the_baseline_last(page: Page) -> None:
    table = page.section("scores").first("table")
    assert [cell.words for cell in table.first("tr").children] == [
        *("Set", "mini", "BM25", "Questions", "Documents")
    ]
    assert rows(table) == [
        ["notes", "80.0 70.0–90.0", "45.0 35.0–55.0", "2", "7"],
        ["other", "50.0 40.0–60.0", "–", "2", "7"],
    ]
    assert [best.words for best in table.all("b")] == ["80.0"]


def test_a_mean_over_sets_stands_only_where_every_system_has_every_set(tmp_path: Path) -> None:
    results = [
        made([value], system=system, dataset=dataset, digest=dataset)
        for system, dataset, value in (
            ("mini", "a", 0.2),
            ("mini", "b", 0.6),
            ("BM25", "a", 0.3),
            ("BM25", "b", 0.4),
        )
    ]
    whole = report(tmp_path / "whole", *results)
    assert rows(whole.section("scores").first("table"))[-1][:3] == [
        "mean of the 2 sets",
        "40.0",
        "35.0",
    ]
    assert "mean of" not in report(tmp_path / "part", *results[:3]).section("scores").words


def test_differences_are_paired_and_corrected(tmp_path: Path) -> None:
    ours, lexical = [0.5] * 40 + [0.0], [0.0] * 40 + [0.0]
    page = report(tmp_path, made(ours), made(lexical, system="BM25"))
    row = rows(page.section("differences").first("table"))[0]
    assert row[:3] == ["notes", "BM25", "+48.8"]
    assert row[4:] == ["< 0.001", "40, 0, 1", "mini is better"]


def test_the_curves_have_a_line_for_each_precision(page: Page) -> None:
    part = page.section("compression")
    by_dimensions, by_bytes = part.all("svg", "chart")
    assert "dimensions and score, float32, int8, binary" in by_dimensions.children[0].text
    assert len(by_dimensions.all("polyline")) == 3
    assert "512 bytes: 60.0" in by_bytes.text
    ticks = [text.text for text in by_bytes.all("text", "tick")]
    assert {"16", "1,536"} <= set(ticks)


def test_the_share_that_is_kept_is_of_the_full_form(page: Page) -> None:
    assert rows(page.section("compression").first("table")) == [
        ["384", "float32", "1,536", "80.0 100 %", "100 %"],
        ["384", "int8", "384", "78.0 98 %", "98 %"],
        ["128", "float32", "512", "60.0 75 %", "75 %"],
        ["128", "binary", "16", "40.0 50 %", "50 %"],
    ]


def test_the_heat_map_has_questions_in_rows_and_documents_in_columns(page: Page) -> None:
    table = page.section("languages").first("table", "heat")
    heads = [[cell.words for cell in row.children] for row in table.first("thead").all("tr")]
    assert heads == [["", "documents"], ["questions", "de", "en", "mixed"]]
    assert rows(table) == [["de", "90.0", "30.0", "50.0"], ["en", "40.0", "95.0", "60.0"]]
    own = [cell.words for cell in table.all("td", "own")]
    assert own == ["90.0", "95.0"]
    regions = rows(page.section("languages").all("table")[1])
    assert regions == [["mini", "92.5 of 2", "35.0 of 2", "55.0 of 2", "75 %"]]


def test_bars_show_each_set_from_zero(page: Page) -> None:
    charts = page.section("domains").all("svg", "chart")
    names = [chart.children[0].text for chart in charts]
    assert names == ["notes: mini 80.0, BM25 45.0", "other: mini 50.0"]
    widths = [float(bar.attributes["width"] or 0) for bar in charts[0].all("rect", "bar")]
    assert widths[0] / widths[1] == pytest.approx(80 / 45, rel=1e-3)


def test_domains_are_used_where_results_name_them(tmp_path: Path) -> None:
    results = [
        made([value], dataset=f"x/{domain}", digest=domain, settings={"domain": domain})
        for domain, value in (("law", 0.2), ("tea", 0.6))
    ]
    part = report(tmp_path, *results).section("domains")
    assert [head.words for head in part.all("h3")] == ["law", "tea"]
    assert "by domain" in part.first("figcaption").words


def test_speed_stands_beside_quality(page: Page) -> None:
    part = page.section("speed")
    assert "BM25: 45.0, 5,000 documents a second" in part.first("svg", "chart").text
    assert "Test, cores 2" in part.words


def test_the_worst_questions_come_first_those_that_another_system_answers_leading(
    tmp_path: Path,
) -> None:
    ours, other = [0.0, 1.0, 0.0, 0.5], [0.2, 1.0, 0.9, 0.5]
    page = report(tmp_path, made(ours), made(other, system="BM25"))
    part = page.section("worst")
    assert [item.words for item in part.all("p", "question")] == [
        *("question 2", "question 0", "question 3", "question 1")
    ]
    assert "nDCG@10 0.0 · BM25 90.0" in part.words
    assert "mini-d2 score 0.750" in part.words
    assert "2 questions of 4 at 0" in part.words


def test_given_the_data_the_worst_questions_show_what_was_right(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "qrels").mkdir(parents=True)
    documents = [("mini-d0", "Rivers", "flow <down>"), ("right", "", "The right one")]
    (data / "corpus.jsonl").write_text(
        "".join(json.dumps({"_id": i, "title": t, "text": x}) + "\n" for i, t, x in documents)
    )
    (data / "queries.jsonl").write_text('{"_id": "q0", "text": "question 0"}\n')
    (data / "qrels" / "test.tsv").write_text("q0\tright\t2\nq0\tmini-d0\t0\n")
    digest = read_judged_set(data).digest
    page = report(tmp_path, made([0.0], digest=digest), data=[data])
    part = page.section("worst")
    assert "mini-d0 Rivers flow <down>" in part.words
    assert "Relevant (1): right The right one" in part.words
    assert "adds the documents" not in part.words
    written = write_report([tmp_path / "results"], tmp_path / "r.html", data=[data])
    assert written.strangers == ()


def test_data_that_no_result_was_measured_on_are_told(tmp_path: Path) -> None:
    data = Path(__file__).parents[2] / "examples" / "fastapi-docs" / "en"
    saved(tmp_path / "results", made([0.5]))
    written = write_report([tmp_path / "results"], tmp_path / "r.html", data=[data])
    assert written.strangers == (data,)
    with pytest.raises(InputError, match=r"holds no corpus\.jsonl"):
        write_report([tmp_path / "results"], tmp_path / "r.html", data=[tmp_path])


def test_what_was_left_out_is_counted(page: Page, tmp_path: Path) -> None:
    assert ["notes", "odd rows", "2", "BM25"] in rows(page.section("left-out").first("table"))
    nothing = report(tmp_path, made([0.5]))
    assert "Nothing was left out." in nothing.section("left-out").words


def test_conditions_hold_prompts_fingerprints_digests_versions_and_dates(page: Page) -> None:
    words = page.section("conditions").words
    for fact in ("00112233aabbccdd", "“query: ”", "“passage: ”", "bfloat16", "d2", "k1 0.9"):
        assert fact in words
    for fact in ("128, 384 × float32, int8, binary", "biencoder 0.1.0", "2026-01-02 03:04 UTC"):
        assert fact in words


def test_the_way_to_repeat_it_is_a_list_of_commands(page: Page) -> None:
    lines = page.section("repeat").first("pre").text.splitlines()
    assert "pip install 'biencoder[eval]==0.1.0'" in lines
    assert (
        "biencoder evaluate --model mini --data FOLDER --dimensions 128,384 "
        "--precision float32,int8,binary"
    ) in lines
    assert "biencoder evaluate --model mini --aligned FOLDER --languages de,en --no-bm25" in lines


def test_measured_and_printed_are_two_groups_of_columns(tmp_path: Path) -> None:
    suite = benchmark("suite mlqa", {"MLQARetrieval": 0.7712}, "recall_at_5")
    part = with_benchmark(tmp_path, suite).section("cards")
    table = part.first("table", "beside")
    groups = [cell.words for cell in table.first("tr").children]
    assert groups == ["", "measured here", "printed on the card"]
    heads = [cell.words for cell in table.first("thead").all("tr")[1].children]
    assert heads[1] == "llama-nemotron-embed-1b-v2, 2048 dimensions"
    # The card prints this model as llama-3.2-nv-embedqa-1b-v2, its former name: 79.86.
    printed = dict(zip(heads, rows(table)[0], strict=True))
    assert rows(table)[0][:2] == ["MLQA", "77.12"]
    assert printed["llama-3.2-nv-embedqa-1b-v2 (2048)"] == "79.86"
    assert printed["llama-3.2-nv-embedqa-1b-v2 (384)"] == "71.61"
    assert printed["BM25"] == "13.01"
    assert [cell.words for cell in table.all("td", "here")] == ["77.12"]
    assert "at most 8,192 tokens, 2,048 dimensions" in part.words
    assert "a note of the suite" in part.words


def test_a_mean_that_lacks_a_set_or_another_measure_stands_beside_no_printed_one(
    tmp_path: Path,
) -> None:
    part = with_benchmark(
        tmp_path / "part", benchmark("suite qa", {"NQ": 0.5}, "recall_at_5", missing="TechQA")
    )
    assert "None of the sets measured here" in part.section("cards").words
    assert "1 of 2 tasks" in part.section("benchmarks").words
    assert ["suite qa", "TechQA: no data offline"] in [
        row[:2] for row in rows(part.section("left-out").first("table"))
    ]
    other = with_benchmark(
        tmp_path / "other", benchmark("suite mlqa", {"MLQARetrieval": 0.5}, "ndcg_at_10")
    )
    assert "None of the sets measured here" in other.section("cards").words


def test_the_domains_of_bright_meet_their_printed_rows(tmp_path: Path) -> None:
    tasks = {"BrightEarthScienceRetrieval": 0.3, "BrightTheoremQATheoremsRetrieval": 0.1}
    page = with_benchmark(
        tmp_path,
        benchmark("BRIGHT(v1.1, short)", tasks, "ndcg_at_10", missing="BrightPonyRetrieval"),
    )
    table = page.section("cards").first("table", "beside")
    assert [row[:2] for row in rows(table)] == [
        ["earth science", "30.0"],
        ["theoremqa theorems", "10.0"],
    ]
    heads = [cell.words for cell in table.first("thead").all("tr")[1].children]
    printed = dict(zip(heads, rows(table)[0], strict=True))
    assert printed["llama-nv-embed-reasoning-3b"] == "60.2"
    names = [head.words for head in page.section("domains").all("h3")]
    assert names == list(tasks)


def test_equal_results_give_an_equal_page(tmp_path: Path, page: Page) -> None:
    again = report(tmp_path, *everything())
    assert again.text == page.text


def test_two_models_of_one_name_are_told_apart(tmp_path: Path) -> None:
    ours, retrained = made([0.5]), made([0.7], model={"fingerprint": "other"})
    saved(tmp_path / "results/old", ours)
    page = report(tmp_path, retrained)
    table = page.section("scores").first("table")
    assert {cell.words for cell in table.first("tr").children} >= {"mini", "mini (variant 2)"}


def test_one_name_for_two_sets_is_told_apart(tmp_path: Path) -> None:
    saved(tmp_path / "results/old", made([0.5], digest="old"))
    page = report(tmp_path, made([0.7], digest="new"))
    assert {row[0] for row in rows(page.section("scores").first("table"))} >= {
        *("notes", "notes (data 2)")
    }


def test_of_two_runs_of_one_system_the_newer_is_shown(tmp_path: Path) -> None:
    saved(tmp_path / "results/a", made([0.9], date="2026-03-01"))
    saved(tmp_path / "results/b", made([0.1], date="2026-01-01"))
    output = tmp_path / "r.html"
    written = write_report([tmp_path / "results"], output)
    assert (written.results, written.older) == (1, 1)
    text = output.read_text()
    assert "90.0" in text
    assert "1 older result" in text


def test_files_of_other_kinds_are_counted_and_a_file_given_twice_is_read_once(
    tmp_path: Path,
) -> None:
    path = saved(tmp_path / "results", made([0.5]))[0]
    (tmp_path / "results/other.json").write_text("{}")
    (tmp_path / "results/broken.json").write_text("{")
    (tmp_path / "results/.vectors").mkdir()
    (tmp_path / "results/.vectors/account.json").write_text("{}")
    written = write_report([tmp_path / "results", path], tmp_path / "r.html")
    assert (written.results, written.datasets, written.passed_over) == (1, 1, 2)
    assert (written.older, written.benchmarks) == (0, 0)


def test_another_metric_may_be_chosen_and_must_be_everywhere(tmp_path: Path) -> None:
    result = made([0.5, 0.7], metric="recall@5")
    page = report(tmp_path, result)
    assert "Recall@5" in page.section("scores").words
    with pytest.raises(InputError, match=r"not every result has mrr@10(.|\n)*recall@5"):
        write_report([tmp_path / "results"], tmp_path / "r.html", metric="mrr@10")


def test_no_result_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="there is no result in"):
        write_report([tmp_path], tmp_path / "r.html")
    with pytest.raises(InputError, match="is no result of"):
        write_report([tmp_path / "other.json"], tmp_path / "r.html")
    with pytest.raises(InputError, match="no file or folder"):
        write_report([tmp_path / "none"], tmp_path / "r.html")
    assert not (tmp_path / "r.html").exists()
