"""What is written is read back; what is no result is told from one."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.evaluate.made_results import made, saved

from biencoder.errors import InputError
from biencoder.evaluate.results import (
    JudgedQuery,
    find_results,
    load_result,
    read_summary,
    result_path,
    save_result,
)

RESULT = made([0.1, 1 / 3], texts=['say "ä€\u2028\n日本"', "\t<b>\x00"], notes={"documents cut": 3})


def test_a_result_comes_back_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "mini.json"
    save_result(RESULT, path)
    assert load_result(path) == RESULT


def test_after_a_kill_between_the_two_files_no_old_means_stand_beside_new_queries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "mini.json"
    save_result(RESULT, path)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("biencoder.evaluate.results.write_json", killed)
    with pytest.raises(KeyboardInterrupt):
        save_result(made([1.0, 1.0]), path)
    assert list(find_results([tmp_path])) == []


def test_types_come_back_too(tmp_path: Path) -> None:
    result = load_result(saved(tmp_path, RESULT)[0])
    assert isinstance(result.queries[0], JudgedQuery)
    assert isinstance(result.queries[0].ranking[0], tuple)
    assert isinstance(result.intervals["ndcg@10"], tuple)


def test_the_summary_holds_all_but_the_queries(tmp_path: Path) -> None:
    summary = read_summary(saved(tmp_path, RESULT)[0])
    assert summary["format"] == "biencoder-result-1"
    assert summary["metrics"] == dict(RESULT.metrics)
    assert summary["data"]["notes"] == {"documents cut": 3}
    assert "queries" not in summary


def test_each_query_is_a_line(tmp_path: Path) -> None:
    path = saved(tmp_path, RESULT)[0]
    lines = path.with_name("mini.queries.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert [json.loads(line)["id"] for line in lines] == ["q0", "q1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "cannot be read as a result"),
        ("[1]", "is no result of `biencoder evaluate`"),
        ('{"format": "biencoder-benchmark-1"}', "is no result of `biencoder evaluate`"),
        ('{"format": "biencoder-result-9"}', "is no result of `biencoder evaluate`"),
    ],
)
def test_a_foreign_file_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "foreign.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        load_result(path)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_result(tmp_path / "none.json")


def test_a_missing_neighbour_is_told_by_name(tmp_path: Path) -> None:
    path = saved(tmp_path, RESULT)[0]
    path.with_name("mini.queries.jsonl").unlink()
    with pytest.raises(InputError, match=r"mini\.queries\.jsonl"):
        load_result(path)


def test_fields_of_another_version_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path, RESULT)[0]
    summary = json.loads(path.read_text()) | {"surprise": 1}
    path.write_text(json.dumps(summary))
    with pytest.raises(InputError, match="no result of this version"):
        load_result(path)


def test_results_are_found_among_other_files(tmp_path: Path) -> None:
    other = replace(RESULT, system="BM25")
    mini, bm25 = saved(tmp_path, RESULT, other)
    (tmp_path / "notes.json").write_text("{}")
    (tmp_path / "broken.json").write_text("{")
    assert list(find_results([tmp_path])) == sorted([mini, bm25])
    assert list(find_results([bm25, mini])) == [bm25, mini]
    with pytest.raises(InputError, match="no file or folder"):
        list(find_results([tmp_path / "none"]))


def test_names_become_paths_that_every_system_takes(tmp_path: Path) -> None:
    assert result_path(Path("r"), "xquad/en from de", "mini, 128 dimensions, int8") == Path(
        "r/xquad-en-from-de/mini-128-dimensions-int8.json"
    )
    assert result_path(Path("r"), "../..", "/").parts == ("r", "unnamed", "unnamed.json")


def test_a_damaged_query_line_is_one_clear_error(tmp_path: Path) -> None:
    path = saved(tmp_path, RESULT)[0]
    queries = path.with_name(path.stem + ".queries.jsonl")
    queries.write_text(queries.read_text(encoding="utf-8") + '{"id": "q9"}\n', encoding="utf-8")
    with pytest.raises(InputError, match="no result of this version"):
        load_result(path)


def test_half_a_surrogate_pair_in_a_text_is_kept(tmp_path: Path) -> None:
    result = made([0.5], texts=["broken \ud83d emoji"])
    path = tmp_path / "r.json"
    save_result(result, path)
    assert load_result(path).queries[0].text == "broken \ud83d emoji"
