"""Files and folders: every text once, in order, with an id; every fault names its place."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from biencoder.corpus.reader import Reader
from biencoder.errors import InputError


def _texts(*sources: Path, **options: object) -> list[tuple[str, str]]:
    reader = Reader(list(sources), **options)  # type: ignore[arg-type]
    return [(document.id, document.full_text) for document in reader]


def test_jsonl_rows_keep_ids_titles_and_unusual_line_separators(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"_id": 7, "title": "T", "text": "a\u2028b"}\n\n{"content": "c"}\n')
    assert _texts(path) == [("7", "T a\u2028b"), ("rows.jsonl:3", "c")]


def test_gzip_is_unpacked_and_a_damaged_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"text": "a"}\n'))
    assert _texts(path) == [("rows.jsonl.gz:1", "a")]
    path.write_bytes(gzip.compress(b'{"text": "a"}\n' * 99)[:-9])
    with pytest.raises(InputError, match="damaged gzip"):
        _texts(path)
    path.write_bytes(b"plain")
    with pytest.raises(InputError, match="damaged gzip"):
        _texts(path)


def test_a_beir_folder_gives_its_corpus_or_its_queries(tmp_path: Path) -> None:
    (tmp_path / "corpus.jsonl").write_text('{"_id": "d", "title": "T", "text": "x"}\n')
    (tmp_path / "queries.jsonl").write_text('{"_id": "q", "text": "y"}\n')
    assert _texts(tmp_path) == [("d", "T x")]
    assert _texts(tmp_path, queries=True) == [("q", "y")]


def test_a_text_file_is_lines_or_one_text(tmp_path: Path) -> None:
    path = tmp_path / "t.txt"
    path.write_text("a\n\nb\n")
    assert _texts(path) == [("t.txt:1", "a"), ("t.txt:2", ""), ("t.txt:3", "b")]
    assert _texts(path, lines="one text") == [("t.txt", "a\n\nb")]


def test_a_folder_is_read_in_order_and_other_files_are_listed(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "two.md").write_text("two")
    (tmp_path / "a.md").write_text("one")
    (tmp_path / "c.pdf").write_bytes(b"%PDF")
    reader = Reader([tmp_path])
    assert [document.id for document in reader] == ["a.md", "b/two.md"]
    assert reader.skipped == [tmp_path / "c.pdf"]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("[1]", "line 1 holds a list"),
        ('{"a": 1}', "line 1 has no text"),
        ('{"text": null}', "line 1 has no text"),
        ('{"text"', "line 1 is not readable JSON"),
    ],
)
def test_a_bad_row_is_named_by_its_line(row: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(row + "\n")
    with pytest.raises(InputError, match=message):
        _texts(path)


def test_the_count_is_the_number_of_texts(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": str(n)}) + "\n" for n in range(7)))
    reader = Reader([path])
    assert reader.count() == len(list(reader)) == 7
    assert Reader([tmp_path]).count() is None
