"""Rows: each a document with typed metadata; a bad line harms no other."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from tests.reading import made

from biencoder.reading.file_text import ReadFailure
from biencoder.reading.limits import Limits
from biencoder.reading.rows import Row, RowReader


def _write(folder: Path, *rows: object) -> Path:
    return made.write(folder / "rows.jsonl", "".join(f"{json.dumps(row)}\n" for row in rows))


def test_a_row_has_its_id_its_title_and_its_text(tmp_path: Path) -> None:
    path = _write(tmp_path, {"_id": 7, "title": "T", "text": "tea"}, {"content": "milk"})
    assert list(RowReader(path, "in/rows.jsonl")) == [
        Row(1, "7", "T", "tea", {}),
        Row(2, "in/rows.jsonl:2", "", "milk", {}),
    ]


def test_metadata_are_top_level_values_and_those_of_the_object(tmp_path: Path) -> None:
    row = {"text": "tea", "year": 2024, "hot": True, "metadata": {"price": 1.5, "kind": "green"}}
    (read,) = RowReader(_write(tmp_path, {**row, "tags": ["a", 1], "gone": None}), "rows")
    assert isinstance(read, Row)
    assert read.metadata == {
        "year": 2024,
        "hot": True,
        "price": 1.5,
        "kind": "green",
        "tags": '["a", 1]',
    }


def test_what_no_column_holds_is_left_out_and_counted(tmp_path: Path) -> None:
    row = {
        "text": "tea",
        "no name": 1,
        "deep": {"a": 1},
        "lists": [[1]],
        "big": 2**63,
        "odd": float("nan"),
        "_score": 1,
        "year": 1,
        "metadata": {"year": 2},
    }
    reader = RowReader(_write(tmp_path, row, row), "rows")
    for read in reader:
        assert isinstance(read, Row)
        assert read.metadata == {"year": 2}
    assert sorted(reader.notes) == [
        "'_score' (names that begin with '_' are the table's own: rename it): left out 2 times",
        "'big' with a number beyond 64 bits: left out 2 times",
        "'deep' with nested values: left out 2 times",
        "'lists' with nested values: left out 2 times",
        "'no name', which is no name for a column: left out 2 times",
        "'odd' with a number that is not finite: left out 2 times",
        "'year' beside another in 'metadata': left out 2 times",
    ]
    list(reader)
    assert len(reader.notes) == 7


def test_of_very_many_fields_that_are_left_out_the_first_are_named_and_all_counted(
    tmp_path: Path,
) -> None:
    rows = [{"text": "tea", f"no name {n}": 1} for n in range(80)]
    reader = RowReader(_write(tmp_path, *rows), "rows")
    list(reader)
    assert reader.notes[0] == "'no name 0', which is no name for a column: left out once"
    assert reader.notes[50:] == ("values of more fields: left out 30 times",)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"{oops", "line 2 is not readable JSON"),
        (b"[1]", "line 2 holds a list, not a JSON object"),
        (b'{"title": "T"}', "line 2 has no text"),
        (b'{"text": "caf\xe9"}', "line 2 is not UTF-8 text"),
        (b"[" * 100_000, "line 2 is not readable JSON"),
        (b'{"text": "a", "n": ' + b"1" * 5_000 + b"}", "line 2 is not readable JSON"),
        (b'{"text": "' + b"a" * 200_000 + b'"}', "line 2 is longer than 150,000 bytes"),
    ],
)
def test_a_bad_line_is_a_failure_and_the_others_are_read(
    tmp_path: Path, line: bytes, reason: str
) -> None:
    good = b'{"text": "tea"}'
    path = made.write(tmp_path / "rows.jsonl", b"\n".join([good, line, b"", good]))
    first, bad, last = RowReader(path, "rows", Limits(max_characters=150_000))
    assert isinstance(first, Row)
    assert isinstance(bad, ReadFailure)
    assert bad.reason.startswith(reason)
    assert isinstance(last, Row)
    assert (first.number, last.number) == (1, 4)


def test_a_byte_order_mark_is_no_part_of_the_first_row(tmp_path: Path) -> None:
    path = made.write(tmp_path / "rows.jsonl", b'\xef\xbb\xbf{"text": "tea"}')
    assert list(RowReader(path, "rows")) == [Row(1, "rows:1", "", "tea", {})]


def test_packed_rows_are_unpacked_and_a_damaged_file_ends_as_a_failure(tmp_path: Path) -> None:
    data = gzip.compress(b'{"text": "tea"}\n' * 99)
    path = made.write(tmp_path / "rows.jsonl.gz", data)
    assert [row for row in RowReader(path, "rows") if isinstance(row, Row)][-1].number == 99
    for damaged in (data[:-9], b"no gzip", data[:-4] + b"size"):
        path.write_bytes(damaged)
        *_, last = RowReader(path, "rows")
        assert isinstance(last, ReadFailure)
        assert "damaged gzip" in last.reason


@pytest.mark.parametrize("filling", [b"\n", b"0"])
def test_a_packed_bomb_is_given_up(tmp_path: Path, filling: bytes) -> None:
    path = made.write(tmp_path / "rows.jsonl.gz", gzip.compress(filling * 3_000_000))
    limits = Limits(max_characters=1000, zip_free_bytes=1000, zip_ratio=100)
    *_, last = RowReader(path, "rows", limits)
    assert isinstance(last, ReadFailure)
    assert "bomb" in last.reason


def test_a_missing_file_is_a_failure(tmp_path: Path) -> None:
    assert list(RowReader(tmp_path / "rows.jsonl", "rows")) == [
        ReadFailure("cannot be opened: No such file or directory")
    ]
