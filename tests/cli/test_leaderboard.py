"""`biencoder leaderboard`: a table in words for people, JSON in order for programs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.commands import fails, run, succeeds


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    path = tmp_path / "scores.csv"
    path.write_text("model,STS12,STS13,Mine\na/x,90,80,70\nb/y,80,90,60\nc/z,50,,40\n")
    return path


def test_json_is_a_list_in_order(scores: Path) -> None:
    code, out, err = run("leaderboard", scores, "--json")
    assert code == 0, err
    rows = json.loads(out)
    assert [(row["rank"], row["model"], row["votes"]) for row in rows] == [
        (1, "a/x", 5.0),
        (2, "b/y", 4.0),
        (3, "c/z", 0.0),
    ]
    assert [row["mean_task"] for row in rows] == [80.0, pytest.approx(230 / 3), None]
    assert {row["mean_type"] for row in rows} == {None}
    assert [row["tasks"] for row in rows] == [3, 3, 2]
    assert rows[0]["next"] == {"model": "b/y", "lead": 1.0, "interval": None, "separable": None}
    assert "first 'Mine'" in err
    assert "missing, with 0 votes each: 1 of 9 scores" in err


def test_types_for_own_tasks_give_a_mean_over_types(scores: Path, tmp_path: Path) -> None:
    types = tmp_path / "types.csv"
    types.write_text("task,type\nMine,Own\n")
    _, out, _ = run("leaderboard", scores, "--json", "--types", types)
    assert [row["mean_type"] for row in json.loads(out)] == [77.5, 72.5, None]


def test_tasks_models_and_top_narrow_what_is_ranked_and_listed(scores: Path) -> None:
    def listed(*options: object) -> list[tuple[str, float]]:
        _, out, _ = run("leaderboard", scores, "--json", *options)
        return [(row["model"], row["votes"]) for row in json.loads(out)]

    assert listed("--tasks", "STS") == [("a/x", 3.0), ("b/y", 3.0), ("c/z", 0.0)]
    assert listed("--without", "STS12, Mine") == [("b/y", 1.0), ("a/x", 0.0)]
    assert listed("--models", "z,a/x") == [("a/x", 5.0), ("c/z", 0.0)]
    assert listed("--top", 1) == [("a/x", 5.0)]
    assert len(listed("--top", 0)) == 3


@pytest.mark.parametrize("width", [80, 120])
def test_people_see_the_card_beside_and_who_is_not_separable(
    width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    code, out, err = run("leaderboard", "mmteb-2025-10")
    assert code == 0, err
    lines = out.splitlines()
    assert max(map(len, lines)) <= width
    first = next(line for line in lines if "1 1–" in line)
    for cell in ("nvidia/llama-embed-nemotron-8b", "39,269.0", "69.38", "130", "not separable"):
        assert cell in first
    (beside,) = [line.split() for line in lines if "39,573" in line]
    assert beside == ["nvidia/llama-embed-nemotron-8b", "39,269.0", "39,573", "+304.0"]
    assert "FloresBitextMining" in out
    assert "= 309 votes" in " ".join(out.split())
    assert "stella_en" in out
    assert "310 models, 131 tasks; missing, with 0 votes each: 18,631 of 40,610 scores" in err


def test_json_carries_the_cards_votes() -> None:
    _, out, _ = run("leaderboard", "mmteb-2025-10", "--json", "--models", "Linq-Embed-Mistral")
    (row,) = json.loads(out)
    assert (row["votes"], row["card_votes"], row["mean_tasks"]) == (36_865.5, 37_149, 130)


def test_fractions_are_warned_about_and_percent_is_not(scores: Path, tmp_path: Path) -> None:
    fractions = tmp_path / "fractions.csv"
    fractions.write_text("model,STS12,STS13\na/x,0.9,0.8\nb/y,-0.1,1\n")
    _, _, err = run("leaderboard", fractions)
    assert "Warning: no score in fractions.csv is greater than 1" in err
    _, _, err = run("leaderboard", scores)
    assert "Warning" not in err


def test_one_of_a_thing_is_told_in_the_singular(tmp_path: Path) -> None:
    table = tmp_path / "one.csv"
    table.write_text("model,STS12,Mine\na/x,90,\nb/y,,80\n")
    _, _, err = run("leaderboard", table, "--tasks", "STS12")
    assert "1 model, 1 task; missing, with 0 votes each: 0 of 1 score." in err
    assert "not counted: 1 model." in err


def test_ties_are_marked_and_other_tables_stand_alone(scores: Path) -> None:
    output = succeeds("leaderboard", scores, "--tasks", "STS")
    assert output.count("1=") == 2
    assert "card" not in output


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("no file nowhere.csv(.|\n)*mmteb-2026-08", ("nowhere.csv",)),
        ("no task or type 'STS1'(.|\n)*STS12", ("mmteb-2025-10", "--tasks", "STS1")),
        ("no model 'gemini'(.|\n)*gemini-embedding-001", ("mmteb-2025-10", "--models", "gemini")),
        ("cannot be opened", ("mmteb-2025-10", "--types", "nowhere.csv")),
    ],
)
def test_a_fault_is_one_sentence(message: str, arguments: tuple[str, ...]) -> None:
    fails(message, "leaderboard", *arguments)
