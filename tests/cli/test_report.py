"""`biencoder report`: the path on stdout, what was found on stderr."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands import fails, run
from tests.evaluate.made_results import made, saved


def test_the_page_is_written_and_its_path_is_printed(tmp_path: Path) -> None:
    saved(tmp_path / "r", made([0.5, 1.0]), made([0.0, 1.0], system="BM25"))
    (tmp_path / "r/other.json").write_text("{}")
    output = tmp_path / "pages" / "report.html"
    code, out, err = run("report", tmp_path / "r", "--output", output)
    assert code == 0, err
    assert out == f"{output}\n"
    assert "2 results on 1 set, 1 other JSON file passed over" in err
    assert output.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_programs_get_the_counts(tmp_path: Path) -> None:
    paths = saved(tmp_path / "r", made([0.5]), made([0.5], dataset="other"))
    output = tmp_path / "report.html"
    code, out, _ = run("report", *paths, "--output", output, "--json")
    assert code == 0
    assert json.loads(out) == {
        "path": str(output),
        "results": 2,
        "datasets": 2,
        "benchmarks": 0,
        "passed_over": 0,
        "older": 0,
    }


def test_data_that_were_not_judged_are_warned_about(tmp_path: Path) -> None:
    saved(tmp_path / "r", made([0.5]))
    data = Path(__file__).parents[2] / "examples" / "fastapi-docs" / "en"
    _, _, err = run("report", tmp_path / "r", "--output", tmp_path / "report.html", "--data", data)
    assert f"no result here was measured on {data}" in err


def test_faults_are_one_sentence(tmp_path: Path) -> None:
    fails("no file or folder", "report", tmp_path / "none")
    fails("there is no result in", "report", tmp_path)
    saved(tmp_path / "r", made([0.5]))
    fails("not every result has ndcg@3", "report", tmp_path / "r", "--metric", "ndcg@3")
