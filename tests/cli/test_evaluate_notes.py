"""`biencoder evaluate`: sets of one name are told apart, and what is amiss in a set is said."""

from __future__ import annotations

import json
from pathlib import Path

from tests.commands import run

HEAD = "query-id\tcorpus-id\tscore\n"


def tiny(folder: Path, relevant: str, *more: str) -> Path:
    """Two documents, one question with its relevant document, and further questions."""
    (folder / "qrels").mkdir(parents=True)
    documents = {"tea": "Green tea is brewed with hot water.", "lake": "An oxbow lake is a bend."}
    questions = {"q1": "how is tea made?", **{f"m{n}": text for n, text in enumerate(more)}}
    for name, rows in (("corpus", documents), ("queries", questions)):
        lines = [json.dumps({"_id": id_, "text": text}) + "\n" for id_, text in rows.items()]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    (folder / "qrels" / "test.tsv").write_text(f"{HEAD}q1\t{relevant}\t1\n")
    return folder


def test_two_folders_of_one_name_keep_two_results_each_beside_its_own_bm25(tmp_path: Path) -> None:
    folders = [
        tiny(tmp_path / place / "data" / "set", relevant)
        for place, relevant in (("a", "tea"), ("b", "lake"))
    ]
    code, out, err = run(
        "evaluate", "--data", folders[0], "--data", folders[1], "--output", tmp_path / "r", "--json"
    )
    assert code == 0, err
    first, second = json.loads(out)
    assert first["metrics"]["mrr@10"] == first["bm25"]["metrics"]["mrr@10"] == 1
    assert second["metrics"]["mrr@10"] == 0.5
    assert second["bm25"]["metrics"]["mrr@10"] < 1
    assert second["settings"]["source"] == str(folders[1])
    assert len(list((tmp_path / "r" / "data-set").glob("mini*.json"))) == 2


def test_what_is_amiss_in_aligned_folders_is_said_and_same_id_is_passed_on(tmp_path: Path) -> None:
    for language in ("en", "de"):
        tiny(tmp_path / "set" / language, "tea", "unjudged?")
    code, out, err = run(
        "evaluate", "--aligned", tmp_path / "set", "--same-id", "keep", "--no-bm25",
        "--output", tmp_path / "r", "--json",
    )  # fmt: skip
    assert code == 0, err
    assert err.count("queries without a judgement, left out: 1") == 6
    assert {record["settings"]["same_id"] for record in json.loads(out)} == {"keep"}
