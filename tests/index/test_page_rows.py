"""Which rows of an index are pages: by what they are made of, never by their names."""

from __future__ import annotations

from pathlib import Path

from tests.index import made_pages

from biencoder.index.verify import verify


def test_a_row_named_like_a_file_with_looks_is_no_page(tmp_path: Path) -> None:
    mixed, to = made_pages.write_sources(tmp_path / "mixed"), tmp_path / "index"
    (mixed / "rows.jsonl").write_text('{"_id": "handbook.pdf", "text": "a lamp"}\n')
    first = made_pages.index(mixed, to)
    again = made_pages.index(mixed, to)
    assert first.failures == again.failures == {}
    assert (again.documents, again.unchanged) == (0, first.documents)
    assert [check for check in verify(to).checks if check.faults] == []
