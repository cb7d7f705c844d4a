"""Corpora in BEIR layout are read as they are; a damaged line is told with file and number."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from biencoder.corpus.beir import (
    Document,
    is_beir_folder,
    read_corpus,
    read_exclusions,
    read_jsonl,
    read_qrels,
    read_queries,
)
from biencoder.errors import InputError

CORPUS = '{"_id": "d1", "title": "Lakes", "text": "Oxbow."}\n\n{"_id": 2, "text": "Bends."}\n'


def test_documents_come_in_order_with_title_before_text(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text(CORPUS)
    documents = list(read_corpus(tmp_path))
    assert documents == [Document("d1", "Lakes", "Oxbow."), Document("2", "", "Bends.")]
    assert [document.full_text for document in documents] == ["Lakes Oxbow.", "Bends."]


def test_a_packed_corpus_reads_like_a_plain_one(tmp_path: Path) -> None:
    assert not is_beir_folder(tmp_path)
    with gzip.open(tmp_path / "corpus.jsonl.gz", "wt") as file:
        file.write(CORPUS)
    assert is_beir_folder(tmp_path)
    assert [document.id for document in read_corpus(tmp_path)] == ["d1", "2"]


def test_a_line_separator_inside_a_string_ends_no_line(tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "a\u2028b\u0085c"}\r\n')
    assert read_queries(tmp_path) == {"q": "a\u2028b\u0085c"}


def test_grades_are_read_by_query_and_document(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(
        "query-id\tcorpus-id\tscore\nq1\td1\t2\nq1\td2\t0\nq2\td1\t1\n"
    )
    assert read_qrels(tmp_path) == {"q1": {"d1": 2, "d2": 0}, "q2": {"d1": 1}}
    with pytest.raises(InputError, match=r"qrels/dev\.tsv"):
        read_qrels(tmp_path, "dev")


@pytest.mark.parametrize("line", ["q1 d1 1", "q1\td1", "q1\td1\tmuch", "q1\td1\t1\t1"])
def test_a_damaged_grade_is_told_with_its_line(tmp_path: Path, line: str) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(f"q\td\tscore\nq1\td1\t1\n{line}\n")
    with pytest.raises(InputError, match="line 3"):
        read_qrels(tmp_path)


@pytest.mark.parametrize("line", ["q1\td1", "q1 d1 1", "q1\td1\t1.0", "q1\t0\td1\t1", "\t1"])
def test_a_damaged_first_line_is_no_header(tmp_path: Path, line: str) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(f"{line}\nq2\td1\t1\n")
    with pytest.raises(InputError, match="line 1 is not"):
        read_qrels(tmp_path)


@pytest.mark.parametrize(
    "head", ["query-id corpus-id score", "a\tb\tc", "Query_ID\tdocument\tgrade"]
)
def test_a_first_line_that_names_columns_is_a_header(tmp_path: Path, head: str) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text(f"{head}\nq2\td1\t1\n")
    assert read_qrels(tmp_path) == {"q2": {"d1": 1}}


def test_a_mark_at_the_start_is_no_part_of_the_first_id(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_text("\ufeffq1\td1\t1\n", encoding="utf-8")
    assert read_qrels(tmp_path) == {"q1": {"d1": 1}}


def test_exclusions_without_a_header_lose_no_line(tmp_path: Path) -> None:
    (tmp_path / "excluded").mkdir()
    (tmp_path / "excluded" / "test.tsv").write_text("q1\td1\nq1\td2\n")
    assert read_exclusions(tmp_path) == {"q1": {"d1", "d2"}}


def test_packed_judgements_and_exclusions_read_like_plain_ones(tmp_path: Path) -> None:
    for kind, text in (("qrels", "q1\td1\t1\n"), ("excluded", "q1\td2\n")):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "test.tsv.gz").write_bytes(gzip.compress(text.encode()))
    assert read_qrels(tmp_path) == {"q1": {"d1": 1}}
    assert read_exclusions(tmp_path) == {"q1": {"d2"}}
    with pytest.raises(InputError, match=r"splits there: test$"):
        read_qrels(tmp_path, "dev")


def test_damaged_judgements_are_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "qrels").mkdir()
    (tmp_path / "qrels" / "test.tsv").write_bytes("q1\tté\t1\n".encode("latin-1"))
    (tmp_path / "qrels" / "dev.tsv.gz").write_bytes(b"no gzip at all")
    with pytest.raises(InputError, match="not UTF-8"):
        read_qrels(tmp_path)
    with pytest.raises(InputError, match="damaged gzip"):
        read_qrels(tmp_path, "dev")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"_id": "a"\n', "line 1 is not readable JSON"),
        (b'{"_id": "a", "text": "b"}\n[1]\n', "line 2 holds a list"),
        (b'{"_id": "a", "text": "\xff"}\n', "not UTF-8"),
        (b'{"text": "b"}\n', "line 1 has no field '_id'"),
        (b'{"_id": "a", "text": ["b", "c"]}\n', "line 1: 'text' is a list, not a string"),
        (b'{"_id": "a", "text": 5}\n', "line 1: 'text' is a int, not a string"),
        (b'{"_id": "a", "title": {}, "text": "b"}\n', "line 1: 'title' is a dict"),
        (b'{"_id": ["a"], "text": "b"}\n', "line 1: '_id' is a list"),
        (b'{"_id": "a", "body": "b"}\n', r"no field 'text'(.|\n)*'_id', 'body'"),
    ],
)
def test_a_damaged_corpus_is_told_with_its_line(
    tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "corpus.jsonl").write_bytes(content)
    with pytest.raises(InputError, match=message):
        list(read_corpus(tmp_path))


def test_a_damaged_or_missing_file_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(CORPUS.encode())[:-9])
    (tmp_path / "b.jsonl.gz").write_bytes(b"no gzip at all")
    # Inside the packed part: a stream that cannot be unpacked.
    packed = bytearray(gzip.compress(CORPUS.encode()))
    packed[10:14] = b"\xff" * 4
    (tmp_path / "c.jsonl.gz").write_bytes(bytes(packed))
    for name in ("a.jsonl.gz", "b.jsonl.gz", "c.jsonl.gz"):
        with pytest.raises(InputError, match="damaged gzip"):
            list(read_jsonl(tmp_path / name))
    with pytest.raises(InputError, match="cannot be opened"):
        list(read_jsonl(tmp_path / "missing.jsonl"))
    with pytest.raises(InputError, match=r"no corpus\.jsonl"):
        list(read_corpus(tmp_path))
    with pytest.raises(InputError, match=r"no queries\.jsonl"):
        read_queries(tmp_path)
