"""What cannot be judged is counted and told; what would change a mean silently is an error."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from biencoder.corpus.beir import Document, read_exclusions, read_qrels
from biencoder.errors import InputError
from biencoder.evaluate.judged_set import JudgedSet, judge, read_judged_set

DOCUMENTS = [
    Document("d1", "Rivers", "A bend."),
    Document("d2", "", "Tea."),
    Document("d3", "", ""),
]
QUERIES = [("q1", "what is a bend?"), ("q2", "what is tea?"), ("q3", "unjudged"), ("q4", "zero")]
QRELS = {"q1": {"d1": 2, "gone": 1}, "q2": {"d2": 1, "d1": 0}, "q4": {"d1": 0}, "lost": {"d1": 1}}


def write(
    folder: Path,
    rows: Sequence[Mapping[str, str]],
    queries: Sequence[Mapping[str, str]],
    qrels: str,
) -> Path:
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in queries))
    (folder / "qrels" / "test.tsv").write_text(qrels)
    return folder


def test_the_judged_queries_are_those_with_a_relevant_document() -> None:
    judged = judge(DOCUMENTS, QUERIES, QRELS, name="set")
    assert dict(judged.queries) == {"q1": "what is a bend?", "q2": "what is tea?"}
    assert judged.qrels["q1"] == {"d1": 2, "gone": 1}


def test_everything_amiss_is_counted() -> None:
    notes = judge(DOCUMENTS, QUERIES, QRELS, name="set").notes
    assert notes == {
        "documents without text": 1,
        "judged queries that have no text, left out": 1,
        "queries without a judgement, left out": 1,
        "queries without a relevant document, left out": 1,
        "judgements that point at no document (never found, as in trec_eval)": 1,
    }


def test_a_question_without_text_is_judged_and_counted() -> None:
    judged = judge(
        DOCUMENTS, [("q1", " "), QUERIES[1]], {"q1": {"d1": 1}, "q2": {"d2": 1}}, name="s"
    )
    assert list(judged.queries) == ["q1", "q2"]
    assert judged.notes["queries without text, judged as they are"] == 1


def test_an_equal_row_is_read_once_and_a_different_one_is_an_error() -> None:
    judged = judge([*DOCUMENTS, DOCUMENTS[0]], QUERIES, QRELS, name="set")
    assert judged.notes["repeated document rows, read once"] == 1
    assert len(judged.documents) == 3
    with pytest.raises(InputError, match="two different document rows with the id 'd1'"):
        judge([*DOCUMENTS, Document("d1", "", "other")], QUERIES, QRELS, name="set")
    with pytest.raises(InputError, match="two different query rows with the id 'q1'"):
        judge(DOCUMENTS, [*QUERIES, ("q1", "other")], QRELS, name="set")


def test_an_empty_corpus_and_a_set_without_queries_are_errors() -> None:
    with pytest.raises(InputError, match="empty corpus"):
        judge([], QUERIES, QRELS, name="set")
    with pytest.raises(InputError, match="no query that can be judged"):
        judge(DOCUMENTS, QUERIES, {"q4": {"d1": 0}}, name="set")


@pytest.mark.parametrize(
    ("same_id", "text", "out"),
    [
        ("auto", "Tea.", True),
        ("auto", "another text under the same id", False),
        ("drop", "another text under the same id", True),
        ("keep", "Tea.", False),
    ],
)
def test_a_document_that_is_the_query_itself_is_taken_out(
    same_id: str, text: str, out: bool
) -> None:
    judged = judge(DOCUMENTS, [("d2", text)], {"d2": {"d1": 1}}, name="set", same_id=same_id)  # type: ignore[arg-type]
    assert judged.excluded == ({"d2": frozenset({"d2"})} if out else {})
    assert judged.excluded_rows == ([{1}] if out else None)


def test_the_digest_follows_everything_that_moves_a_mean() -> None:
    def digest(**change: object) -> str:
        parts: dict[str, object] = {"documents": DOCUMENTS, "queries": QUERIES, "qrels": QRELS}
        return judge(**{**parts, **change}, name="set").digest  # type: ignore[arg-type]

    same = digest()
    assert judge(DOCUMENTS, QUERIES, QRELS, name="other name").digest == same
    assert digest(documents=[*DOCUMENTS, Document("d4", "", "x")]) != same
    assert digest(queries=[("q1", "what?"), *QUERIES[1:]]) != same
    assert digest(qrels=QRELS | {"q1": {"d1": 1, "gone": 1}}) != same
    assert digest(excluded={"q1": ["d2"]}) != same
    # Neither unjudged queries nor the order of judgements move it.
    assert (
        digest(queries=QUERIES[:2], qrels={"q1": {"gone": 1, "d1": 2}, "q2": QRELS["q2"]}) == same
    )


def test_a_folder_with_exclusions(tmp_path: Path) -> None:
    folder = write(
        tmp_path / "set",
        [{"_id": "d1", "text": "a"}, {"_id": "d2", "text": "b"}],
        [{"_id": "q1", "text": "?"}],
        "query-id\tcorpus-id\tscore\nq1\td1\t1\n",
    )
    (folder / "excluded").mkdir()
    (folder / "excluded" / "test.tsv").write_text("query-id\tcorpus-id\nq1\td2\n")
    judged = read_judged_set(folder)
    assert judged.excluded == {"q1": frozenset({"d2"})}
    assert judged.name.endswith("/set")
    (folder / "excluded" / "test.tsv").write_text("query-id\tcorpus-id\nq1\n")
    with pytest.raises(InputError, match="line 2"):
        read_exclusions(folder)


def test_qrels_without_a_header_lose_no_line(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", [], [], "q1\td1\t1\nq1\td2\t0\n")
    assert read_qrels(folder) == {"q1": {"d1": 1, "d2": 0}}


def test_a_pair_judged_twice_differently_is_an_error(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", [], [], "query-id\tcorpus-id\tscore\nq\td\t1\nq\td\t2\n")
    with pytest.raises(InputError, match="line 3 judges 'q', 'd' a second time"):
        read_qrels(folder)


def test_a_missing_split_lists_those_that_are_there(tmp_path: Path) -> None:
    folder = write(tmp_path / "set", [], [], "")
    with pytest.raises(InputError, match="splits there: test"):
        read_qrels(folder, "dev")


def test_questions_can_come_from_an_aligned_folder(tmp_path: Path) -> None:
    qrels = "query-id\tcorpus-id\tscore\nq1\td1\t1\n"
    english = write(
        tmp_path / "en", [{"_id": "d1", "text": "tea"}], [{"_id": "q1", "text": "tea?"}], qrels
    )
    german = write(
        tmp_path / "de", [{"_id": "d1", "text": "Tee"}], [{"_id": "q1", "text": "Tee?"}], qrels
    )
    judged: JudgedSet = read_judged_set(english, queries_from=german)
    assert dict(judged.queries) == {"q1": "Tee?"}
    assert judged.documents[0].text == "tea"
    assert judged.name.endswith("/en from de")
    assert judged.reading == {
        "source": str(english),
        "split": "test",
        "same_id": "auto",
        "queries_from": str(german),
    }
