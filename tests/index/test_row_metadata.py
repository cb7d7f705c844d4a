"""What rows bring beside their text: taken where it can be, told where it is left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.index.made_index import mini

from biencoder import Index
from biencoder.index import carry_out, sources
from biencoder.index.build import Options, index_folder
from biencoder.index.feed import Document
from biencoder.index.ingest import Tally
from biencoder.index.plan import Plan
from biencoder.index.status import read_status
from biencoder.index.verify import verify
from biencoder.reading.pool import ReaderPool

ROWS = "rows.jsonl"


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


def _write(docs: Path, *more: dict[str, Any]) -> None:
    rows = ({"_id": f"{n}", "text": f"Red lamp {n}.", **row} for n, row in enumerate(more))
    (docs / ROWS).write_text("".join(json.dumps(row) + "\n" for row in rows))


def _index(docs: Path) -> Tally:
    return index_folder(docs, docs.parent / "index", Options(workers=1), embedder=mini())


def _open(docs: Path) -> Index:
    return Index.open(docs.parent / "index", embedder=mini())


@pytest.mark.parametrize(
    "name",
    ["_score", "_distance", "_relevance_score", "_rowid", "_rowaddr", "_rowoffset", "_mine"],
)
def test_a_field_named_as_the_table_s_own_columns_are_is_left_out_and_told(
    docs: Path, name: str
) -> None:
    _write(docs, {name: 7, "size": 1}, {name: "x", "size": 2})
    tally = _index(docs)
    note = f"{name!r} (names that begin with '_' are the table's own: rename it)"
    assert (tally.documents, tally.failures) == (2, {})
    assert tally.notes == {ROWS: (f"{note}: left out 2 times",)}
    assert read_status(docs.parent / "index").notes == tally.notes
    index = _open(docs)
    for mode in ("dense", "lexical", "hybrid"):
        found = index.search("red lamp", mode=mode)
        assert sorted(hit.metadata["size"] for hit in found) == [1, 2]
    assert "size" in index.columns
    assert name not in index.columns
    assert verify(docs.parent / "index").ok


@pytest.mark.parametrize(
    ("page", "expected"),
    [(12, 12), ("12", 12), (" 12 ", 12), ("-3", -3), (12.0, 12), (None, None)],
)
def test_a_page_is_a_whole_number_however_it_is_written(
    docs: Path, page: object, expected: int | None
) -> None:
    _write(docs, {"page": page})
    assert _index(docs).notes == {}
    (hit,) = _open(docs).search("lamp")
    assert hit.page == expected


@pytest.mark.parametrize("page", ["xii", "", "1.5", 1.5, 1e300, True, "9" * 30, "\u0661"])
def test_any_other_page_is_told(docs: Path, page: object) -> None:
    _write(docs, {"page": page}, {"page": 1})
    tally = _index(docs)
    assert (tally.documents, tally.failures) == (2, {})
    assert tally.notes == {ROWS: ("'page', where it is no whole number: left out once",)}
    assert {hit.page for hit in _open(docs).search("lamp")} == {None, 1}


def test_a_heading_may_be_a_number_and_anything_else_is_told(docs: Path) -> None:
    _write(docs, {"heading": 7}, {"heading": 1.5}, {"heading": "Lamps"}, {"heading": True})
    tally = _index(docs)
    note = "'heading', where it is neither a text nor a number: left out once"
    assert tally.notes == {ROWS: (note,)}
    assert {hit.heading for hit in _open(docs).search("lamp")} == {"7", "1.5", "Lamps", ""}


def test_a_field_that_is_a_column_of_the_index_s_own_is_told(docs: Path) -> None:
    _write(docs, {"vector": 1, "source": "x"}, {"source": "y"})
    assert _index(docs).notes == {
        ROWS: (
            "'vector', which is a column of the index's own: left out once",
            "'source', which is a column of the index's own: left out 2 times",
        )
    }


def test_of_very_many_fields_those_that_most_rows_have_are_columns_and_the_rest_is_told(
    docs: Path,
) -> None:
    numbers = [range(first, first + 10) for first in range(0, 300, 10)]
    _write(docs, *({"kind": "lamp", **{f"user_{n:03}": n for n in some}} for some in numbers))
    tally = _index(docs)
    assert (tally.documents, tally.failures) == (30, {})
    index = _open(docs)
    own = [name for name in index.columns if name.startswith("user_")]
    assert (len(own), "kind" in index.columns) == (255, True)
    assert len(index.search("lamp", filters="user_003 = 3 and kind = 'lamp'")) == 1
    (notes,) = tally.notes.values()
    first = "'user_255', for the index has its 256 columns of metadata: left out once"
    assert (notes[0], len(notes)) == (first, 45)
    # The next run knows it too.
    _write(docs, {"kind": "lamp"}, {"another": 1})
    assert "'another', for the index has its 256 columns" in _index(docs).notes[ROWS][0]


def test_a_file_that_changes_between_planning_and_reading_fails_no_run_and_the_next_heals_it(
    docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(docs, {"size": 1}, {})

    def changed(plan: Plan, pool: ReaderPool) -> Iterator[Document]:
        _write(docs, {"size": 1, "colour": "red"}, {})
        yield from sources.documents(plan, pool)

    with monkeypatch.context() as patched:
        patched.setattr(carry_out, "documents", changed)
        tally = _index(docs)
    reason = "its file changed while it was read: run again"
    assert (tally.documents, tally.failures) == (1, {f"{ROWS}#0": reason})
    tally = _index(docs)
    assert (tally.documents, tally.failures) == (1, {})
    assert len(_open(docs).search("lamp", filters="colour = 'red'")) == 1
