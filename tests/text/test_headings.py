"""Heading paths: what stands above a place, by CommonMark's rules, in linear time."""

from __future__ import annotations

import time

import pytest

from biencoder.text.headings import Headings

DOCUMENT = """\
Before any heading.

# Tea

All about it.

## Green ##

### Japan
Sencha.

## Black
Assam.

Coffee
======
Beans.
"""


def _under(text: str, words: str) -> tuple[str, ...]:
    return Headings(text).at(text.index(words))


@pytest.mark.parametrize(
    ("words", "path"),
    [
        ("Before", ()),
        ("# Tea", ("Tea",)),
        ("All about", ("Tea",)),
        ("## Green", ("Tea", "Green")),
        ("Sencha", ("Tea", "Green", "Japan")),
        ("Assam", ("Tea", "Black")),
        ("Coffee", ("Coffee",)),
        ("Beans", ("Coffee",)),
    ],
)
def test_a_place_stands_under_the_headings_above_it(words: str, path: tuple[str, ...]) -> None:
    assert _under(DOCUMENT, words) == path


def test_a_place_past_the_end_stands_under_the_last_heading() -> None:
    assert Headings(DOCUMENT).at(10**9) == ("Coffee",)
    assert Headings("").at(0) == ()


@pytest.mark.parametrize(
    ("line", "heading"),
    [
        ("# Tea { #tea }", "Tea"),
        ("# Tea {#tea .hot}", "Tea"),
        ("# C#", "C#"),
        ("# Tea #", "Tea"),
        ("# **Hot** _tea_ and `__init__`", "Hot tea and __init__"),
        ("# a snake_case_name, 2 * 3 * 4", "a snake_case_name, 2 * 3 * 4"),
        ("# [Tea](https://tea.example/) and [milk][m] ![a cup](cup.png)", "Tea and milk a cup"),
        ("# [**Tea** house](x)", "Tea house"),
        (r"# not \*starred\*", "not *starred*"),
        ("   # Tea", "Tea"),
        ("#\tTea", "Tea"),
        ("Tea\n===", "Tea"),
        ("Two\nlines\n---", "Two lines"),
    ],
)
def test_a_heading_is_its_words(line: str, heading: str) -> None:
    assert Headings(f"{line}\n\nbody").at(len(line) + 2) == (heading,)


@pytest.mark.parametrize(
    "text",
    [
        "```sh\n# a comment\n```\nbody",
        "~~~\n# a\n```\n# b\n~~~~\nbody",
        "```\n# unclosed\nbody",
        "```\n    ```\n# still code\n```\nbody",
        "    # code\nbody",
        "\tcode\n---\nbody",
        "#hashtag\nbody",
        "####### seven\nbody",
        "- item\n---\nbody",
        "> quote\n---\nbody",
        "text\n\n---\nbody",
        "---\ntitle: Tea\n---\nbody",
    ],
)
def test_what_only_looks_like_a_heading_is_none(text: str) -> None:
    assert _under(text, "body") == ()


def test_lines_of_dashes_without_front_matter_between_hide_no_heading() -> None:
    assert _under("---\n# Tea\n---\nbody", "body") == ("Tea",)


def test_a_fence_ends_and_headings_count_again() -> None:
    assert _under("```\n# no\n```\n# Tea\nbody", "body") == ("Tea",)


def test_an_empty_heading_ends_the_one_before_and_has_no_name() -> None:
    assert _under("# Tea\n## Green\n##\nbody", "body") == ("Tea",)


def test_the_title_is_the_first_heading_of_the_first_level() -> None:
    assert Headings("## Sub\n# **Tea**\n# Coffee").title == "Tea"
    assert Headings("## Sub").title == ""


@pytest.mark.parametrize("hostile", ["# " + "`" * 10**6, "# " + "*a" * 10**6, "# " + "[" * 10**6])
def test_a_hostile_heading_takes_no_time(hostile: str) -> None:
    start = time.process_time()
    Headings(hostile)
    assert time.process_time() - start < 1.0


def test_a_long_document_is_read_in_one_pass() -> None:
    text = "# Tea\n\nwords and words\n- - - x\n" * 50_000
    start = time.process_time()
    headings = Headings(text)
    assert headings.at(len(text) - 1) == ("Tea",)
    assert time.process_time() - start < 2.0
