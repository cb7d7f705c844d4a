"""`biencoder evaluate`: figures that the library gives too, JSON for programs, one clear sentence."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from tests.cli.small_sets import cut_set
from tests.commands import fails, run, succeeds

from biencoder.embedder.embedder import Embedder
from biencoder.errors import EncodingError
from biencoder.evaluate.systems import EmbedderSystem, Part
from biencoder.types import Role

EXAMPLES = Path(__file__).parent.parent.parent / "examples"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three documents, three questions, one of them without judgement."""
    folder = tmp_path_factory.mktemp("data") / "small"
    (folder / "qrels").mkdir(parents=True)
    documents = {
        "tea": "Green tea is brewed with hot water.",
        "lake": "An oxbow lake is an old river bend.",
        "ant": "Ants live in colonies.",
    }
    questions = {
        "q1": "how is tea made?",
        "q2": "where do oxbow lakes come from?",
        "q3": "unjudged",
    }
    (folder / "corpus.jsonl").write_text(
        "".join(
            json.dumps({"_id": id_, "title": "", "text": text}) + "\n"
            for id_, text in documents.items()
        )
    )
    (folder / "queries.jsonl").write_text(
        "".join(json.dumps({"_id": id_, "text": text}) + "\n" for id_, text in questions.items())
    )
    (folder / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\ttea\t1\nq2\tlake\t1\n"
    )
    return folder


def test_json_holds_metrics_intervals_bm25_and_model(small: Path, tmp_path: Path) -> None:
    code, out, err = run("evaluate", "--data", small, "--output", tmp_path, "--json")
    assert code == 0, err
    (record,) = json.loads(out)
    assert record["dataset"] == "data0/small" or record["dataset"].endswith("/small")
    assert record["metrics"]["ndcg@10"] == record["metrics"]["recall@5"] == 1
    assert record["intervals"]["ndcg@10"] == [1, 1]
    assert record["bm25"]["metrics"]["ndcg@10"] == 1
    assert record["model"]["name"] == "mini"
    assert len(record["model"]["fingerprint"]) == 16
    assert "queries without a judgement, left out: 1\n" in err


def test_results_are_kept_with_every_query_and_not_made_twice(small: Path, tmp_path: Path) -> None:
    succeeds("evaluate", "--data", small, "--output", tmp_path)
    files = sorted(path.name for path in tmp_path.rglob("*") if path.is_file())
    assert files == ["bm25.json", "bm25.queries.jsonl", "mini.json", "mini.queries.jsonl"]
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    succeeds("evaluate", "--data", small, "--output", tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")} == before


def test_the_table_shows_every_form(small: Path, tmp_path: Path) -> None:
    shown = succeeds(
        "evaluate", "--data", small, "--output", tmp_path, "--dimensions", "64,384",
        "--precision", "float32,binary", "--no-bm25",
    )  # fmt: skip
    assert "mini, 64d, binary" in shown
    assert "BM25" not in shown
    assert "100.0" in shown


def test_aligned_folders_give_every_pair(tmp_path: Path) -> None:
    for language in ("en", "de"):
        cut_set(EXAMPLES / "xquad" / language, tmp_path / "xquad" / language, 40)
    code, out, err = run(
        "evaluate", "--aligned", tmp_path / "xquad", "--languages", "en,de", "--no-bm25",
        "--output", tmp_path / "results", "--json",
    )  # fmt: skip
    assert code == 0, err
    rows = {record["dataset"]: record["metrics"] for record in json.loads(out)}
    assert set(rows) == {f"xquad/{a}-{b}" for a in ("en", "de") for b in ("en", "de", "mixed")}
    assert rows["xquad/en-en"]["recall@5"] > 0.9
    assert rows["xquad/en-mixed"]["same language@5"] > 0.5


@pytest.mark.parametrize(
    ("pattern", "arguments"),
    [
        ("say what to judge", ()),
        ("say what to judge", ("--data", "x", "--suite", "qa")),
        ("there is no folder no-such-folder", ("--data", "no-such-folder")),
        ("no vectors of 100 dimensions", ("--dimensions", "100")),
        ("is no list of numbers", ("--dimensions", "big")),
        ("int4", ("--precision", "int4")),
        ("splits there: test", ("--split", "dev")),
        ("no language folder 'xx'", ("--languages", "xx,en")),
        ("did you mean|known", ("--model", "minni")),
        ("tokens|known", ("--bm25-tokens", "syllables")),
    ],
)
def test_wrong_input_is_one_clear_sentence(
    pattern: str, arguments: tuple[str, ...], small: Path, tmp_path: Path
) -> None:
    where: tuple[object, ...] = ("--data", small)
    if not arguments or "--data" in arguments:
        where = ()
    elif "--languages" in arguments:
        where = ("--aligned", EXAMPLES / "xquad")
    fails(pattern, "evaluate", *where, *arguments, "--output", tmp_path)


def test_questions_of_another_language_are_taken_from_their_folder(tmp_path: Path) -> None:
    code, out, err = run(
        "evaluate", "--data", cut_set(EXAMPLES / "xquad/en", tmp_path / "en", 60),
        "--queries-from", cut_set(EXAMPLES / "xquad/de", tmp_path / "de", 60),
        "--output", tmp_path / "results", "--json",
    )  # fmt: skip
    assert code == 0, err
    (record,) = json.loads(out)
    assert record["dataset"].endswith("/en from de")
    # The model reads English only: German questions find less, and the result says why.
    assert record["metrics"]["ndcg@10"] < 0.7


def test_a_suite_whose_data_cannot_be_had_says_so_and_fails(tmp_path: Path) -> None:
    code, out, err = run("evaluate", "--suite", "mlqa", "--output", tmp_path, "--json")
    (record,) = json.loads(out)
    assert code == 1
    assert record["complete"] is False
    assert record["mean"] is None
    assert "MLQARetrieval" in record["unavailable"]
    assert "Unavailable: MLQARetrieval" in err


def _suite_of_one_folder(small: Path, output: Path) -> dict[str, Any]:
    code, out, err = run(
        "evaluate", "--suite", "qa", "--folder", f"TechQA={small}", "--output", output, "--json"
    )
    assert code == 0, err
    (record,) = json.loads(out)
    return cast("dict[str, Any]", record)


def test_a_suite_takes_a_set_from_a_folder_and_names_what_is_missing(
    small: Path, tmp_path: Path
) -> None:
    record = _suite_of_one_folder(small, tmp_path)
    assert {task["name"]: task["score"] for task in record["tasks"]} == {"TechQA": 1.0}
    assert record["mean"] is None
    assert len(record["unavailable"]) == 3


@pytest.mark.parametrize(
    ("pattern", "arguments"),
    [
        ("did you mean 'mlqa'", ("--suite", "mlq")),
        ("there is no benchmark 'BRIHT'", ("--benchmark", "BRIHT")),
        ("--tasks means nothing here", ("--suite", "qa", "--tasks", "NQ")),
        ("one size, in float32", ("--suite", "qa", "--precision", "int8")),
        ("bring their own instructions", ("--suite", "qa", "--instruction", "x")),
        ("is not NAME=PATH", ("--suite", "qa", "--folder", "techqa")),
    ],
)
def test_wrong_input_to_benchmarks_is_one_clear_sentence(
    pattern: str, arguments: tuple[str, ...], tmp_path: Path
) -> None:
    fails(pattern, "evaluate", *arguments, "--output", tmp_path)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--split", "nonsense", "--benchmark", "MIRACL"),
        ("--split", "test", "--suite", "qa"),
        ("--same-id", "drop", "--benchmark", "MIRACL"),
        ("--same-id", "auto", "--suite", "qa"),
        ("--bm25-k1", "2", "--benchmark", "MIRACL"),
        ("--bm25-k1", "2", "--no-bm25", "--data", "."),
        ("--prompting", "plain", "--data", "."),
        ("--dpi", "100", "--aligned", "."),
        ("--thumbnail", "--aligned", "."),
        ("--modality", "text", "--suite", "qa"),
        ("--queries-from", ".", "--benchmark", "MIRACL"),
        ("--languages", "en", "--data", "."),
        ("--folder", "TechQA=.", "--benchmark", "MIRACL"),
    ],
)
def test_an_option_that_would_change_nothing_is_refused_before_the_model_is_loaded(
    arguments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Embedder, "load", no_model)
    told = f"{arguments[0]} means nothing here"
    fails(
        f"{told}(.|\n)*(belongs to --|--no-bm25 leaves)",
        "evaluate",
        *arguments,
        "--output",
        tmp_path,
    )


def test_a_suites_folder_is_judged_on_its_split_and_says_its_notes_and_options(
    small: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(small, tmp_path / "set"))
    (folder / "qrels" / "dev.tsv").write_text("q1\ttea\t1\nq2\tgone\t1\n")
    code, out, err = run(
        "evaluate", "--suite", "qa", "--folder", f"TechQA={folder}", "--split", "dev",
        "--same-id", "keep", "--output", tmp_path / "r", "--json",
    )  # fmt: skip
    assert code == 0, err
    ((task,),) = (record["tasks"] for record in json.loads(out))
    assert task["scores"] == {"dev": {"default": 0.5}}
    assert "queries without a judgement, left out: 1" in err
    assert "judgements that point at no document (never found, as in trec_eval): 1" in err


def test_json_of_a_suite_has_the_keys_of_a_folders_result_for_each_set(
    small: Path, tmp_path: Path
) -> None:
    record = _suite_of_one_folder(small, tmp_path)
    # Three sets of four could not be had: there is no mean.
    assert record["metrics"] == {"recall@5": None}
    assert (record["intervals"], record["bm25"]) == (None, None)
    (task,) = record["tasks"]
    assert (task["dataset"], task["model"]) == ("TechQA", record["model"])
    assert task["metrics"]["ndcg@10"] == task["metrics"]["recall@5"] == 1
    assert task["intervals"]["recall@5"] == [1, 1]
    assert task["bm25"]["metrics"]["recall@5"] == 1


def no_model(*_: object, **__: object) -> None:
    raise AssertionError("the model was loaded")


@pytest.mark.parametrize(
    ("module", "arguments", "needs"),
    [
        (
            "bm25s",
            (),
            "BM25 needs bm25s(.|\n)*-c constraints.txt -e '\\.\\[eval\\]'(.|\n)*--no-bm25",
        ),
        ("mteb", ("--suite", "qa"), "needs mteb(.|\n)*-c constraints.txt -e '\\.\\[eval\\]'"),
        ("mteb", ("--benchmark", "MIRACL"), "needs mteb"),
    ],
)
def test_what_is_not_installed_is_told_before_the_model_is_loaded(
    module: str, arguments: tuple[str, ...], needs: str, small: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setitem(sys.modules, module, None)
    monkeypatch.setattr(Embedder, "load", no_model)
    where = arguments or ("--data", str(small))
    fails(needs, "evaluate", *where, "--output", tmp_path)


def test_without_bm25_nothing_of_the_extra_is_needed(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("bm25s", "mteb", "matplotlib"):
        monkeypatch.setitem(sys.modules, module, None)
    succeeds("evaluate", "--data", small, "--no-bm25", "--output", tmp_path)


def test_broken_folders_are_named_first_the_others_judged_and_the_exit_code_tells(
    small: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(small, broken)
    (broken / "corpus.jsonl").write_text("")
    code, out, err = run(
        "evaluate", "--data", small, "--data", broken, "--data", tmp_path / "none",
        "--output", tmp_path / "r", "--no-bm25", "--json",
    )  # fmt: skip
    assert code == 1
    assert [record["metrics"]["ndcg@10"] for record in json.loads(out)] == [1]
    assert "broken has an empty corpus" in err
    assert f"there is no folder {tmp_path / 'none'}" in err
    assert err.index("empty corpus") < err.index("without a judgement") < err.index("Results are")


def test_where_every_folder_is_broken_all_are_named_and_no_model_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Embedder, "load", no_model)
    options = ("--data", tmp_path / "a", "--data", tmp_path / "b", "--output", tmp_path / "r")
    message = fails("there is no folder", "evaluate", *options)
    assert str(tmp_path / "a") in message
    assert str(tmp_path / "b") in message
    assert not (tmp_path / "r").exists()


def test_what_was_judged_before_a_fault_is_shown(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = shutil.copytree(small, tmp_path / "second")
    whole = EmbedderSystem.encode

    def faulty(system: EmbedderSystem, texts: Sequence[str], role: Role) -> Iterator[Part]:
        if (tmp_path / "r").exists() and list((tmp_path / "r").glob("*/mini.json")):
            raise EncodingError("row 0 is not finite")
        return whole(system, texts, role)

    monkeypatch.setattr(EmbedderSystem, "encode", faulty)
    code, out, err = run(
        "evaluate", "--data", small, "--data", second, "--no-bm25", "--output", tmp_path / "r"
    )
    assert code == 1
    assert "100.0" in out
    assert "row 0 is not finite" in err
