"""`biencoder search --in` an index: modes, filters, places, and refusals that say what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.cli.made_index import PASSAGES, write_index
from tests.commands import fails, run, succeeds


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_index(tmp_path_factory.mktemp("search"))


def _search(index: Path, *arguments: object) -> list[dict[str, Any]]:
    code, out, err = run("search", *arguments, "--in", index, "--json")
    assert code == 0, err
    hits: list[dict[str, Any]] = json.loads(out)
    return hits


def test_a_hit_has_its_page_its_place_and_both_scores(index: Path) -> None:
    hit = _search(index, "how do I reset the device?")[0]
    assert (hit["rank"], hit["source"], hit["page"]) == (1, "manual.pdf", 1)
    assert hit["title"] == "Manual"
    assert hit["text"] == "Hold the button for ten seconds to reset the device."
    assert (hit["start"], hit["end"]) == (0, len(hit["text"]))
    assert hit["snippet"] == hit["text"]
    assert 0 < hit["scores"]["dense"] <= 1
    assert hit["scores"]["lexical"] > 0
    assert re.fullmatch(r"[0-9a-f]{32}", hit["id"])


def test_a_row_s_own_fields_come_back(index: Path) -> None:
    hit = _search(index, "moths at lamps")[0]
    assert hit["source"] == "animals.jsonl#r3"
    assert hit["metadata"] == {"year": 2024, "seen": True}


def test_the_modes_rank_by_their_own_scores(index: Path) -> None:
    dense = _search(index, "insects that dance", "--mode", "dense", "--top-k", 20)
    lexical = _search(index, "insects that dance", "--mode", "lexical", "--top-k", 20)
    assert len(dense) == PASSAGES
    assert all(hit["score"] == hit["scores"]["dense"] for hit in dense)
    assert all(hit["scores"]["lexical"] is None for hit in dense)
    assert [hit["score"] for hit in dense] == sorted((h["score"] for h in dense), reverse=True)
    # Only Bees and the rare leafhopper share a word with the question.
    assert {hit["source"] for hit in lexical} == {"animals.jsonl#r1", "trees/rare.txt"}
    assert all(hit["score"] == hit["scores"]["lexical"] for hit in lexical)


def test_a_filter_lets_only_its_rows_through(index: Path) -> None:
    hits = _search(index, "device", "--filter", 'source = "manual.pdf" and page < 2')
    assert [(hit["source"], hit["page"]) for hit in hits] == [("manual.pdf", 1)]
    hits = _search(index, "insects", "--filter", "year > 1950", "--mode", "dense")
    assert {hit["metadata"]["year"] for hit in hits} == {1959, 2024}


def test_where_nothing_is_found_that_is_said_and_no_error(index: Path) -> None:
    code, out, err = run("search", "tea", "--in", index, "--filter", "page = 99")
    assert (code, out) == (0, "")
    assert "No passage was found." in err


def test_people_see_page_heading_scores_and_snippet(index: Path) -> None:
    output = succeeds("search", "how do I reset the device?", "--in", index, "--top-k", 1)
    assert "manual.pdf  page 1  Manual" in output
    assert re.search(r"cosine 0\.\d{3}, BM25 \d+\.\d\d", output)
    assert "Hold the button" in output
    output = succeeds("search", "what is an oxbow lake?", "--in", index, "--top-k", 1)
    assert "lakes.md  Lakes" in output


def test_a_document_cannot_command_the_terminal(tmp_path: Path) -> None:
    docs, to = tmp_path / "docs", tmp_path / "index"
    docs.mkdir()
    (docs / "evil.txt").write_text("tea \x1b[31m red tea \x1b]0;title\x07")
    succeeds("index", docs, "--to", to)
    output = succeeds("search", "tea", "--in", to)
    assert "\x1b" not in output
    assert "␛[31m red tea" in output


def test_the_model_that_made_it_is_taken_and_any_other_refused(
    index: Path, checkpoints: dict[str, Path]
) -> None:
    assert _search(index, "oak", "--model", "mini") == _search(index, "oak")
    other = checkpoints["1b"]
    for mode in ("dense", "lexical", "hybrid"):
        err = fails("cannot be compared", "search", "oak", "--in", index, "--model", other,
                    "--mode", mode)  # fmt: skip
        assert f"biencoder reindex {index} --model" in err


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("question is empty", ["  "]),
        (
            r"no column yeer\nHint: did you mean year\? the columns are end, heading, ",
            ["tea", "--filter", "yeer > 2000"],
        ),
        ("cannot be read at character", ["tea", "--filter", "year >"]),
        (
            "mode 'fuzzy' is unknown\nHint: known: hybrid, dense, lexical",
            ["tea", "--mode", "fuzzy"],
        ),
        ("ask for at least 1 passage", ["tea", "--top-k", "0"]),
        ("have 384 dimensions, not 64", ["tea", "--dimensions", "64"]),
    ],
)
def test_a_fault_is_one_sentence(message: str, arguments: list[str], index: Path) -> None:
    fails(message, "search", *arguments, "--in", index)


@pytest.mark.parametrize("option", [("--mode", "dense"), ("--filter", "page < 3")])
def test_plain_folders_take_neither_mode_nor_filter(
    option: tuple[str, str], tmp_path: Path
) -> None:
    (tmp_path / "tea.txt").write_text("tea")
    err = fails("is no index", "search", "tea", "--in", tmp_path, *option)
    assert f"biencoder index {tmp_path} --to my-index" in err
    fails("no file or folder", "search", "tea", "--in", tmp_path / "missing", *option)
