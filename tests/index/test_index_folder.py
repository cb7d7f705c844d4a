"""From a folder to an index and back: what stands in it, what a second run does, what is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from tests.index.made_documents import ROWS, TEXTS, write_documents

from biencoder import Embedder, Index, col
from biencoder.errors import FingerprintError, InputError
from biencoder.index.build import Options, index_folder
from biencoder.index.layout import read_layout
from biencoder.index.store import Store
from biencoder.text.passages import PassageCutter


@pytest.fixture(scope="module")
def mini() -> Embedder:
    return Embedder.load("mini")


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    return write_documents(tmp_path / "docs")


@pytest.fixture
def to(tmp_path: Path) -> Path:
    return tmp_path / "index"


def _table(folder: Path) -> pa.Table:
    store = Store.open(read_layout(folder).generation().folder)
    return pa.Table.from_batches(list(store.scan(store.schema.names))).sort_by("id")


def test_every_document_stands_in_the_index_with_the_model_s_own_vectors(
    docs: Path, to: Path, mini: Embedder
) -> None:
    tally = index_folder(docs, to, embedder=mini)
    assert (tally.documents, tally.failures) == (len(TEXTS) + len(ROWS), {})
    table = _table(to)
    assert set(table["source"].to_pylist()) == {
        *TEXTS,
        *(f"animals.jsonl#{row['_id']}" for row in ROWS),
    }
    (row,) = (row for row in table.to_pylist() if row["source"] == "animals.jsonl#r2")
    expected = mini.encode_documents(["Ants\nAnts follow trails of scent."])[0]
    np.testing.assert_allclose(row["vector"], expected, atol=2e-3)
    assert (row["year"], row["seen"], row["title"]) == (1959, None, "Ants")


def test_a_passage_s_place_is_where_its_text_stands(docs: Path, to: Path, mini: Embedder) -> None:
    index_folder(docs, to, Options(chunk_tokens=16), embedder=mini)
    rows = [row for row in _table(to).to_pylist() if row["source"] == "lakes.md"]
    assert len(rows) > 1
    for row in rows:
        assert TEXTS["lakes.md"][row["start"] : row["end"]] == row["text"]
    assert "Lakes > Oxbow lakes" in {row["heading"] for row in rows}


def test_a_second_run_does_nothing_and_a_changed_file_is_done_again(
    docs: Path, to: Path, mini: Embedder
) -> None:
    index_folder(docs, to, embedder=mini)
    before, version = _table(to), Index.open(to).version
    tally = index_folder(docs, to, embedder=mini)
    assert (tally.documents, tally.unchanged) == (0, len(TEXTS) + len(ROWS))
    assert Index.open(to).version == version

    (docs / "trees/oak.txt").write_text("Oaks can be a thousand years old.", encoding="utf-8")
    (docs / "trees/pine.txt").unlink()
    tally = index_folder(docs, to, embedder=mini)
    assert (tally.documents, tally.removed) == (1, 1)
    after = _table(to)
    texts = set(after["text"].to_pylist())
    assert "Oaks can be a thousand years old." in texts
    assert not texts & {TEXTS["trees/oak.txt"], TEXTS["trees/pine.txt"]}
    kept = [name for name in (*TEXTS,) if not name.startswith("trees/o") and "pine" not in name]
    for name in kept:
        rows = [r for r in before.to_pylist() if r["source"] == name]
        assert rows == [r for r in after.to_pylist() if r["source"] == name]


def test_of_a_changed_file_of_rows_only_the_changed_rows_are_done_again(
    docs: Path, to: Path, mini: Embedder
) -> None:
    index_folder(docs, to, embedder=mini)
    changed = [ROWS[0], {**ROWS[1], "text": "Ants keep aphids."}]
    (docs / "animals.jsonl").write_text("".join(json.dumps(r) + "\n" for r in changed))
    tally = index_folder(docs, to, embedder=mini)
    assert (tally.documents, tally.removed, tally.unchanged) == (1, 1, len(TEXTS) + 1)
    assert Index.open(to, embedder=mini).search("aphids", top_k=1)[0].source == "animals.jsonl#r2"


def test_one_poisoned_file_is_told_and_the_rest_is_indexed(
    docs: Path, to: Path, mini: Embedder
) -> None:
    (docs / "not.pdf").write_text("hello")
    (docs / "empty.txt").write_bytes(b"")
    (docs / "greek.txt").write_text("Η λίμνη είναι ένα αποκομμένο τμήμα ποταμού. " * 20)
    with (docs / "animals.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"_id": "r4", "text": \n{"_id": "r1", "text": "again"}\n')
        file.write('{"_id": "r5", "text": "x", "year": "soon"}\n')
    tally = index_folder(docs, to, embedder=mini)
    assert tally.documents == len(TEXTS) + len(ROWS)
    reasons = tally.failures
    assert "is not a PDF" in reasons["not.pdf"]
    assert reasons["empty.txt"] == "is empty"
    assert "hardly readable for mini" in reasons["greek.txt"]
    assert "'year' is text here and integer" in reasons["animals.jsonl#r5"]
    others = [reason for name, reason in reasons.items() if name.startswith("animals.jsonl#?")]
    assert len(others) == 2
    assert any("not readable JSON" in reason for reason in others)
    assert any("its id 'r1' stands there already" in reason for reason in others)
    # They are told again, and read again only when they change.
    again = index_folder(docs, to, embedder=mini)
    assert (again.failures, again.documents) == (reasons, 0)
    (docs / "not.pdf").unlink()
    (docs / "empty.txt").write_text("Not empty any more, but about volcanoes.")
    mended = index_folder(docs, to, embedder=mini)
    assert mended.documents == 1
    assert {"not.pdf", "empty.txt"}.isdisjoint(mended.failures)


def test_a_changed_file_that_cannot_be_read_keeps_what_stood_there(
    docs: Path, to: Path, mini: Embedder
) -> None:
    index_folder(docs, to, embedder=mini)
    (docs / "trees/oak.txt").write_bytes(b"\0\1\2" * 50)
    tally = index_folder(docs, to, embedder=mini)
    assert list(tally.failures) == ["trees/oak.txt"]
    hits = Index.open(to, embedder=mini).search("acorns jays", top_k=1)
    assert hits[0].text == TEXTS["trees/oak.txt"]


def test_an_index_of_another_folder_is_not_emptied(docs: Path, to: Path, mini: Embedder) -> None:
    index_folder(docs, to, embedder=mini)
    other = write_documents(docs.parent / "other")
    with pytest.raises(InputError, match="is the index of"):
        index_folder(other, to, embedder=mini)
    docs.rename(docs.parent / "moved")
    tally = index_folder(docs.parent / "moved", to, Options(moved=True), embedder=mini)
    assert (tally.documents, tally.removed) == (0, 0)


def test_a_folder_that_has_vanished_is_an_error_and_the_index_stays(
    docs: Path, to: Path, mini: Embedder
) -> None:
    index_folder(docs, to, embedder=mini)
    docs.rename(docs.parent / "away")
    with pytest.raises(InputError, match="there is no file or folder"):
        index_folder(docs, to, embedder=mini)
    docs.mkdir()
    with pytest.raises(InputError, match="holds no file that can be read"):
        index_folder(docs, to, embedder=mini)
    assert len(Index.open(to)) > 0


def test_other_settings_and_other_models_are_refused(
    docs: Path, to: Path, mini: Embedder, model: Embedder
) -> None:
    index_folder(docs, to, embedder=mini)
    with pytest.raises(FingerprintError, match="dimensions: 384 in the index, 64 asked for"):
        index_folder(docs, to, Options(model="mini", dimensions=64), embedder=mini)
    with pytest.raises(FingerprintError, match="reindex"):
        Index.open(to, embedder=model)


def test_a_folder_that_is_no_index_is_not_written_into(docs: Path, mini: Embedder) -> None:
    before = sorted(docs.rglob("*"))
    with pytest.raises(InputError, match="is no index"):
        index_folder(docs, docs / "trees", embedder=mini)
    assert sorted(docs.rglob("*")) == before


def test_an_index_inside_its_own_folder_is_not_indexed(docs: Path, mini: Embedder) -> None:
    index_folder(docs, docs / "idx", embedder=mini)
    tally = index_folder(docs, docs / "idx", embedder=mini)
    assert (tally.documents, tally.failures, tally.others) == (0, {}, ())


def test_commits_are_of_whole_documents_and_no_larger_than_asked(
    docs: Path, to: Path, mini: Embedder
) -> None:
    index_folder(docs, to, Options(commit_every=1), embedder=mini)
    assert Store.open(read_layout(to).generation().folder).fragments() == len(TEXTS) + len(ROWS)
    with pytest.raises(InputError, match="at least 1"):
        Options(commit_every=0)


def test_half_a_surrogate_pair_in_a_row_is_kept_as_its_escape(
    tmp_path: Path, to: Path, mini: Embedder
) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        '{"_id": "a\\ud800", "title": "\\udc00", "text": "wolves howl \\ud83d at night"}\n'
    )
    tally = index_folder(path, to, embedder=mini)
    assert tally.documents == 1
    (hit,) = Index.open(to, embedder=mini).search("wolves")
    assert (hit.source, hit.text) == ("rows.jsonl#a\\ud800", "wolves howl \\ud83d at night")


def test_rows_bring_page_and_heading_and_numbers_can_be_filtered(
    tmp_path: Path, to: Path, mini: Embedder
) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [
        {"_id": str(n), "text": f"wolves of page {n}", "page": n, "heading": "Wolves", "id": n}
        for n in range(1, 8)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    index_folder(path, to, embedder=mini)
    hits = Index.open(to, embedder=mini).search("wolves", top_k=9, filters=col("page") < 4)
    assert sorted(hit.page or 0 for hit in hits) == [1, 2, 3]
    assert {hit.heading for hit in hits} == {"Wolves"}


def test_no_passage_is_longer_than_the_setting_with_its_context(
    docs: Path, to: Path, mini: Embedder
) -> None:
    (docs / "long.md").write_text("# Long\n\n" + "Sentences follow one another. " * 500)
    index_folder(docs, to, Options(chunk_tokens=60), embedder=mini)
    limit = PassageCutter(
        mini.tokenizer, prefix="passage: ", max_tokens=mini.max_tokens, tokens=60
    ).limit
    tokens: list[Any] = _table(to)["tokens"].to_pylist()
    assert max(tokens) <= limit
    assert len(tokens) > 40


def test_a_file_of_rows_that_breaks_off_loses_none_of_its_rows(
    tmp_path: Path, to: Path, mini: Embedder
) -> None:
    path = tmp_path / "rows.jsonl"
    lines = [json.dumps({"_id": str(n), "text": f"wolves of page {n}"}) + "\n" for n in range(9)]
    path.write_text("".join(lines))
    index_folder(path, to, embedder=mini)
    path.write_text("".join(lines[:4]) + '{"_id": "4", "te')
    tally = index_folder(path, to, embedder=mini)
    assert (tally.removed, len(tally.failures)) == (0, 1)
    assert len(_table(to)) == 9
    path.write_text("".join(lines[:4]))
    assert index_folder(path, to, embedder=mini).failures == {}
    assert len(_table(to)) == 4
