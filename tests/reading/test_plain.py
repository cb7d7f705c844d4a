"""Plain text is read whole or refused, and never more of it than could be wanted."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from biencoder.reading.file_text import FileText, ReadFailure
from biencoder.reading.limits import Limits
from biencoder.reading.plain import read_plain

TEN = Limits(max_characters=10)


def test_of_a_file_too_long_no_more_is_read_than_the_limit_can_need(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_bytes(b"a" * 8_000_000)
    tracemalloc.start()
    try:
        found = read_plain(path, "text", TEN)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == ReadFailure("holds more than 10 characters; at most that many are read")
    assert peak < 1_000_000


@pytest.mark.parametrize("letter", ["a", "é", "湖", "\U0001f600"])
def test_characters_are_counted_and_not_bytes(tmp_path: Path, letter: str) -> None:
    path = tmp_path / "ten.txt"
    path.write_text(letter * 10, encoding="utf-8")
    found = read_plain(path, "text", TEN)
    assert isinstance(found, FileText)
    assert found.pages[0].text == letter * 10
    path.write_text(letter * 11, encoding="utf-8")
    assert isinstance(read_plain(path, "text", TEN), ReadFailure)


def test_a_mark_and_windows_line_ends_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    path.write_bytes("\r\n".join("abcde").encode("utf-32"))
    found = read_plain(path, "text", TEN)
    assert isinstance(found, FileText)
    assert found.pages[0].text == "a\nb\nc\nd\ne"
