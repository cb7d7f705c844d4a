"""Rows' metadata as typed columns: the order of rows, files and runs decides nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.index.made_index import mini

from biencoder import Index
from biencoder.errors import OutputError
from biencoder.index.build import Options, index_folder
from biencoder.index.columns import Fields
from biencoder.index.compaction import compact
from biencoder.index.filters import Value
from biencoder.index.ingest import Tally
from biencoder.index.verify import verify
from biencoder.index.writer import Rows, Writer

LARGE = 2**53 + 1


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


def _write(docs: Path, file: str, prices: list[Any]) -> None:
    rows = [
        {"_id": f"{n}", "text": f"Lamp {n} of {file}.", "price": price}
        for n, price in enumerate(prices)
    ]
    (docs / file).write_text("".join(json.dumps(row) + "\n" for row in rows))


def _index(docs: Path) -> Tally:
    return index_folder(docs, docs.parent / "index", Options(commit_every=1), embedder=mini())


def _prices(docs: Path) -> list[Any]:
    index = Index.open(docs.parent / "index", embedder=mini())
    found = index.search("lamp", top_k=20, mode="dense")
    return sorted(hit.metadata["price"] for hit in found)


@pytest.mark.parametrize("prices", [[10, 10.5], [10.5, 10]])
def test_a_column_of_whole_numbers_and_fractions_is_one_of_numbers_in_either_order(
    docs: Path, prices: list[Any]
) -> None:
    _write(docs, "a.jsonl", prices)
    tally = _index(docs)
    assert (tally.documents, tally.failures) == (2, {})
    assert _prices(docs) == [10.0, 10.5]
    index = Index.open(docs.parent / "index", embedder=mini())
    assert index.columns["price"] == "number"
    assert len(index.search("lamp", filters="price > 10.2")) == 1


def test_so_it_is_across_files(docs: Path) -> None:
    _write(docs, "a.jsonl", [1, 2])
    _write(docs, "b.jsonl", [3, 4.5])
    assert _index(docs).failures == {}
    assert _prices(docs) == [1.0, 2.0, 3.0, 4.5]


def test_so_it_is_across_runs_and_the_numbers_that_stand_are_kept(docs: Path) -> None:
    _write(docs, "a.jsonl", [1, 2, 3, None])
    _write(docs, "gone.jsonl", [7])
    _index(docs)
    (docs / "gone.jsonl").unlink()
    _write(docs, "b.jsonl", [4.5])
    tally = _index(docs)
    assert (tally.documents, tally.unchanged, tally.failures) == (1, 4, {})
    folder = docs.parent / "index"
    index = Index.open(folder, embedder=mini())
    assert index.columns["price"] == "number"
    for mode in ("dense", "lexical"):
        assert len(index.search("lamp", mode=mode, filters="price >= 1", top_k=9)) == 4
    assert verify(folder).ok
    _write(docs, "c.jsonl", [5])
    assert _index(docs).failures == {}
    compact(folder)
    assert len(Index.open(folder, embedder=mini()).search("lamp", filters="price > 4")) == 2


def test_a_whole_number_that_a_fraction_s_column_would_round_is_refused_with_what_to_do(
    docs: Path,
) -> None:
    _write(docs, "a.jsonl", [LARGE, 1.5])
    (reason,) = _index(docs).failures.values()
    assert reason.startswith("its field 'price' is a whole number beyond 2**53")
    assert "make it a text" in reason
    assert _prices(docs) == [1.5]


def test_a_column_that_holds_such_a_number_already_refuses_fractions(docs: Path) -> None:
    _write(docs, "a.jsonl", [LARGE])
    _index(docs)
    _write(docs, "b.jsonl", [1.5, 3])
    tally = _index(docs)
    (reason,) = tally.failures.values()
    assert "other rows have whole numbers beyond 2**53 there, which would be rounded" in reason
    assert (tally.documents, _prices(docs)) == (1, [3, LARGE])


MISFIT = "its field 'price' is {} here and {} in other rows: make them alike"


@pytest.mark.parametrize("prices", [["free", 1, 2], [1, "free", 2], [1, 2, "free"]])
def test_the_type_is_that_of_the_most_rows_wherever_they_stand(
    docs: Path, prices: list[Any]
) -> None:
    _write(docs, "a.jsonl", prices)
    odd = prices.index("free")
    assert _index(docs).failures == {f"a.jsonl#{odd}": MISFIT.format("text", "integer")}
    assert _prices(docs) == [1, 2]
    # A mended row stands, and so does one that was made another's type with it.
    _write(docs, "a.jsonl", [3, 1, 2])
    assert _index(docs).failures == {}
    assert _prices(docs) == [1, 2, 3]


def test_so_it_is_across_files_that_come_together(docs: Path) -> None:
    _write(docs, "a.jsonl", ["free"])
    _write(docs, "b.jsonl", [1.5, 2])
    assert list(_index(docs).failures) == ["a.jsonl#0"]
    assert _prices(docs) == [1.5, 2.0]


def test_a_column_whose_rows_are_all_replaced_gets_another_type(docs: Path) -> None:
    _write(docs, "a.jsonl", ["free", "dear"])
    _index(docs)
    assert _prices(docs) == ["dear", "free"]
    _write(docs, "a.jsonl", [1, 2.5])
    assert _index(docs).failures == {}
    folder = docs.parent / "index"
    index = Index.open(folder, embedder=mini())
    assert (index.columns["price"], _prices(docs)) == ("number", [1.0, 2.5])
    for mode in ("dense", "lexical", "hybrid"):
        assert len(index.search("lamp", mode=mode, filters="price > 2")) == 1
    assert verify(folder).ok
    assert _index(docs).unchanged == 2


def test_a_row_that_fails_and_stands_without_its_old_value_is_told(docs: Path) -> None:
    _write(docs, "a.jsonl", ["free", "dear", "cheap"])
    _index(docs)
    _write(docs, "a.jsonl", [1, 2, "free again"])
    tally = _index(docs)
    assert tally.failures == {"a.jsonl#2": MISFIT.format("text", "integer")}
    told = "'price': of another type now; rows that failed stand as before, without it"
    assert tally.notes == {"a.jsonl": (told,)}
    assert len(Index.open(docs.parent / "index", embedder=mini())) == 3


def test_rows_that_fail_are_acknowledged_like_others_and_hold_no_text_meanwhile(
    docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit, committed = Writer.commit, list[int]()

    def counted(writer: Writer, rows: Rows, **more: Any) -> None:
        committed.append(len(rows.entries) + len(more.get("failed", ())))
        commit(writer, rows, **more)

    monkeypatch.setattr(Writer, "commit", counted)
    _write(docs, "a.jsonl", [1, 2, 3, 4, 5, "a", "b", "c", "d"])
    assert len(_index(docs).failures) == 4
    assert (max(committed), sum(committed)) == (1, 9)


def test_a_column_keeps_its_type_while_one_document_that_stays_needs_it(docs: Path) -> None:
    _write(docs, "a.jsonl", ["free"])
    _index(docs)
    _write(docs, "b.jsonl", [1, 2])
    reason = MISFIT.format("integer", "text")
    assert _index(docs).failures == {"b.jsonl#0": reason, "b.jsonl#1": reason}
    assert _prices(docs) == ["free"]


@pytest.mark.parametrize("how", ["mended", "emptied", "removed"])
def test_rows_that_did_not_fit_are_done_once_what_stood_in_their_way_is_gone(
    docs: Path, how: str
) -> None:
    _write(docs, "a.jsonl", ["free"])
    _index(docs)
    _write(docs, "b.jsonl", [1, 2])
    assert len(_index(docs).failures) == 2
    match how:
        case "mended":
            _write(docs, "a.jsonl", [3])
        case "emptied":
            _write(docs, "a.jsonl", [None])
        case "removed":
            (docs / "a.jsonl").unlink()
    tally = _index(docs)
    assert tally.failures == {}
    expected = {"mended": {1, 2, 3}, "emptied": {1, 2, None}, "removed": {1, 2}}
    index = Index.open(docs.parent / "index", embedder=mini())
    found = index.search("lamp", top_k=9, mode="dense")
    assert {hit.metadata["price"] for hit in found} == expected[how]
    assert _index(docs).documents == 0


def test_a_row_whose_new_content_does_not_fit_keeps_what_stood_there_and_is_told(
    docs: Path,
) -> None:
    # As a changed file does that cannot be read (test_index_folder.py).
    _write(docs, "a.jsonl", [1, 2, 3])
    _index(docs)
    _write(docs, "a.jsonl", [1, 2, "dear"])
    reason = MISFIT.format("text", "integer")
    for _ in range(2):
        assert _index(docs).failures == {"a.jsonl#2": reason}
        assert _prices(docs) == [1, 2, 3]


def test_a_large_number_that_is_replaced_stands_in_no_fraction_s_way(docs: Path) -> None:
    _write(docs, "a.jsonl", [LARGE, 1])
    _index(docs)
    _write(docs, "a.jsonl", [1.5, 1])
    assert _index(docs).failures == {}
    assert _prices(docs) == [1.0, 1.5]


def test_a_run_that_is_stopped_after_a_column_was_given_another_type_is_gone_on_with(
    docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(docs, "a.jsonl", ["free", "dear"])
    _index(docs)
    _write(docs, "a.jsonl", [1, 2])

    def stop(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("biencoder.index.carry_out.documents", stop)
        with pytest.raises(KeyboardInterrupt):
            _index(docs)
    index = Index.open(docs.parent / "index", embedder=mini())
    assert [hit.metadata["price"] for hit in index.search("lamp", mode="dense")] == [None, None]
    assert _index(docs).failures == {}
    assert _prices(docs) == [1, 2]


def test_a_column_that_could_not_be_given_another_type_is_as_it_was(
    docs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(docs, "a.jsonl", ["free", "dear"])
    _index(docs)
    _write(docs, "a.jsonl", [1, 2])

    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        # The old column is dropped already.
        patched.setattr("lancedb.table.LanceTable.add_columns", full)
        with pytest.raises(OutputError, match="No space left"):
            _index(docs)
    assert _prices(docs) == ["dear", "free"]
    assert _index(docs).failures == {}
    assert _prices(docs) == [1, 2]


def _chosen(rows: list[dict[str, Value]], there: dict[str, Any], held: set[str]) -> dict[str, Any]:
    fields = Fields()
    for row in rows:
        fields.take(row)
    return fields.choose(
        there,
        widens=lambda name: True,
        held=lambda names: dict.fromkeys(held.intersection(names), False),
    )


def test_beyond_the_most_columns_those_stay_that_most_rows_have() -> None:
    rows: list[dict[str, Value]] = [{f"user_{n:03}": n, "kind": "lamp"} for n in range(400)]
    chosen = _chosen(rows, {"old": "text"}, held=set())
    assert len(chosen) == 256
    assert (chosen["old"], chosen["kind"]) == ("text", "text")
    # Of those that are as frequent the first by name, so that their order decides nothing.
    assert chosen.keys() == {"old", "kind", *(f"user_{n:03}" for n in range(254))}
    assert _chosen(rows[::-1], {"old": "text"}, held=set()) == chosen
    full = {f"c{n}": "text" for n in range(300)}
    assert _chosen(rows, full, held=set()) == full


def test_as_many_of_either_kind_are_numbers() -> None:
    rows: list[dict[str, Value]] = [{"a": "x"}, {"a": 1}, {"b": True}, {"b": "x"}, {"c": True}]
    assert _chosen(rows, {}, set()) == {"a": "integer", "b": "text", "c": "boolean"}
    assert _chosen(rows, {"a": "boolean", "c": "text"}, {"c"}) == {
        "a": "integer",
        "b": "text",
        "c": "text",
    }
