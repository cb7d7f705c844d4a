"""`biencoder compare`: two files or two folders, in words and as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.commands import fails, run, succeeds
from tests.evaluate.made_results import made, saved

from biencoder.evaluate.results import save_result

OURS, THEIRS = [1.0] * 12 + [0.0], [0.5] * 12 + [0.25]


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two sets, each judged with two systems."""
    folder = tmp_path / "results"
    for dataset, values in (("a", OURS), ("b", OURS[:4])):
        digest = f"d-{dataset}"
        texts = ["[bold]brackets[/bold] \x1b[2J"]
        saved(folder, made(values, dataset=dataset, digest=digest, texts=texts))
        other = THEIRS[: len(values)]
        saved(folder, made(other, system="BM25", dataset=dataset, digest=digest, texts=texts))
    return folder


def test_two_files_give_a_verdict_in_words(results: Path) -> None:
    output = succeeds("compare", results / "a/bm25.json", results / "a/mini.json")
    assert "nDCG@10: mini is better by 0.442" in output
    assert "B is better on 12 questions, worse on 1, equal on 0" in output
    assert "a: mini gains most on" in output
    assert "a: BM25 gains most on" in output
    assert "0.250 → 0.000  question 12" in output
    assert "BM25 found BM25-d12, d-other" in output


def test_texts_are_shown_as_they_are_and_cannot_steer_the_terminal(results: Path) -> None:
    output = succeeds("compare", results / "a/bm25.json", results / "a/mini.json", "--top", 12)
    assert "[bold]brackets[/bold] ␛[2J" in output
    assert "\x1b[2J" not in output


def test_top_0_shows_no_questions(results: Path) -> None:
    output = succeeds("compare", results / "a/bm25.json", results / "a/mini.json", "--top", 0)
    assert "gains most" not in output


def test_programs_get_one_object_for_one_set(results: Path) -> None:
    _, out, _ = run("compare", results / "a/bm25.json", results / "a/mini.json", "--json")
    record = json.loads(out)
    assert record["difference"] == pytest.approx(5.75 / 13)
    assert record["interval"][0] < record["difference"] < record["interval"][1]
    assert (record["a"]["system"], record["b"]["system"]) == ("BM25", "mini")
    assert (record["better"], record["worse"], record["equal"]) == (12, 1, 0)
    assert len(record["gained"]) == 5


def test_folders_are_paired_by_set(results: Path) -> None:
    options = (results, results, "--system-a", "BM25", "--system-b", "mini")
    output = succeeds("compare", *options)
    assert "nDCG@10, mean of 2 sets: mini is better by 0.471" in output
    assert "B is better on 2 sets, worse on 0, equal on 0" in output
    assert "p, Holm" in output
    _, out, _ = run("compare", *options, "--json")
    record = json.loads(out)
    assert [row["dataset"] for row in record["datasets"]] == ["a", "b"]
    assert record["macro"]["difference"] == pytest.approx((5.75 / 13 + 0.5) / 2)


def test_of_two_runs_as_evaluate_leaves_them_the_models_are_compared_and_not_bm25(
    results: Path, tmp_path: Path
) -> None:
    for dataset, values in (("a", THEIRS), ("b", THEIRS[:4])):
        texts = ["[bold]brackets[/bold] \x1b[2J"]
        common = {"dataset": dataset, "digest": f"d-{dataset}", "texts": texts}
        saved(tmp_path / "other", made(values, system="maxi", **common))  # type: ignore[arg-type]
        saved(tmp_path / "other", made(values, system="BM25", **common))  # type: ignore[arg-type]
    _, out, _ = run("compare", results, tmp_path / "other", "--json")
    record = json.loads(out)
    assert [(row["a"]["system"], row["b"]["system"]) for row in record["datasets"]] == [
        ("mini", "maxi")
    ] * 2


def test_a_file_is_paired_with_its_set_in_a_folder(results: Path) -> None:
    output = succeeds("compare", results / "b/bm25.json", results, "--system-b", "mini")
    assert "no difference between BM25 and mini that these 4 queries can show" in output
    assert "only in B: 1 set: a" in output


def test_of_two_results_of_one_system_on_one_set_none_is_chosen_silently(results: Path) -> None:
    dev = made(THEIRS, dataset="a", digest="dev")
    save_result(dev, results / "a" / "mini-0123abcd.json")
    fails(
        r"two results of mini on a: mini-0123abcd\.json and mini\.json(.|\n)*one of the files",
        "compare", results / "a" / "bm25.json", results,
    )  # fmt: skip
    # The other system's results are not in doubt.
    succeeds("compare", results / "a" / "bm25.json", results, "--system-b", "BM25")


def test_faults_are_one_sentence(results: Path, tmp_path: Path) -> None:
    a, b = results / "a/mini.json", results / "b/mini.json"
    fails("not judged on the same queries.*13 and 4 queries", "compare", a, b)
    fails("no result of 'maxi'", "compare", a, results, "--system-b", "maxi")
    fails("has no recall@5", "compare", a, a, "--metric", "recall@5")
    fails("no file or folder", "compare", a, results / "none")
    (empty := tmp_path / "empty").mkdir()
    fails("there is no result in", "compare", a, empty)
    saved(tmp_path / "c", made([0.5], dataset="c"), made([0.5], dataset="d"))
    fails("no set on which both", "compare", tmp_path / "c", results, "--system-b", "mini")
    saved(results, made(OURS, system="maxi", dataset="a", digest="d-a"))
    fails(r"several systems(.|\n)*--system-a: BM25; maxi; mini", "compare", results, results)
