"""The page: one file that needs nothing, holds every number, and lets no text out of its place."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluate.made_results import made, saved
from tests.evaluate.report_page import (
    Page,
    everything,
    report,
    rows,
)

from biencoder.errors import InputError
from biencoder.evaluate.report.page import write_report

HOSTILE = (
    "</title></svg></style><script>alert(1)</script>",
    "\u202eright to left\u202c \u05d0\u05d1\u05d2 \u0627\u0644",
    '" onload="alert(1)',
    "nul \x00 escape \x1b[31m bell \x07 half \ud800",
    "x" * 5000,
    "&lt;b&gt; &amp;",
)
FETCHING = {"src", "srcset", "data", "action", "poster", "background", "xlink:href"}


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
