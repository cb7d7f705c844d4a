"""A vector that is not finite costs its own document, and whatever ends a run, what is finished is kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.index import made_pages
from tests.index.made_index import mini

from biencoder import Embedder, Index
from biencoder.batching.schedule import WINDOW_TEXTS
from biencoder.embedder import stream
from biencoder.errors import BiencoderError, EncodingError, OutputError
from biencoder.index.build import Options, index_folder
from biencoder.index.ingest import Ingest
from biencoder.index.layout import read_layout
from biencoder.index.rewrite import reindex
from biencoder.index.writer import Writer
from biencoder.models.llama import LlamaEncoder
from biencoder.types import FloatArray


def _write(folder: Path, count: int, bad: Sequence[int] = ()) -> Path:
    folder.mkdir()
    for number in range(count):
        text = f"# Lamp {number}\n\nLamp {number} is lit."
        (folder / f"{number:02}.md").write_text(text + (" Poison." if number in bad else ""))
    return folder


@pytest.fixture
def poison(monkeypatch: pytest.MonkeyPatch) -> None:
    """Texts that hold the word get NaN for a vector, in whatever company."""
    (word,) = {int(i) for i in mini().tokenizer.pieces("poison")}
    embed = LlamaEncoder.embed

    def poisoned(self: LlamaEncoder, packed: Any) -> Any:
        pooled_SD = embed(self, packed)
        start = 0
        for row, group in enumerate(packed.groups):
            assert group.texts == 1, "the model of these tests computes each text alone"
            if word in packed.tokens_T[start : start + group.length].tolist():
                pooled_SD[row] = float("nan")
            start += group.length
        return pooled_SD

    monkeypatch.setattr(LlamaEncoder, "embed", poisoned)


def test_documents_without_a_finite_vector_fail_and_all_others_are_indexed(
    tmp_path: Path, poison: None
) -> None:
    docs, to = _write(tmp_path / "docs", 30, bad=(0, 9, 20, 21, 29)), tmp_path / "index"
    tally = index_folder(docs, to, Options(workers=1), embedder=mini())
    assert sorted(tally.failures) == ["00.md", "09.md", "20.md", "21.md", "29.md"]
    reason = tally.failures["20.md"]
    assert reason.startswith("the model gave no usable vector for its only passage: ")
    assert "dtype='float32'" in reason
    found = Index.open(to, embedder=mini()).search("lamp", mode="dense", top_k=99)
    good = {f"{number:02}.md" for number in range(30)} - tally.failures.keys()
    assert {hit.source for hit in found} == good
    assert len(found) == 25


def test_one_passage_without_a_finite_vector_fails_its_whole_document(
    tmp_path: Path, poison: None
) -> None:
    docs = _write(tmp_path / "docs", 3)
    long = "\n\n".join(["The lamp is lit. " * 40, "Poison is here. " * 40, "It is dark. " * 40])
    (docs / "long.txt").write_text(long)
    tally = index_folder(docs, tmp_path / "index", Options(workers=1), embedder=mini())
    assert tally.documents == 3
    assert list(tally.failures) == ["long.txt"]
    assert " of its " in tally.failures["long.txt"]


def test_the_others_have_the_vectors_that_they_have_without_the_bad_one(
    tmp_path: Path, poison: None
) -> None:
    with_bad, without = tmp_path / "with", tmp_path / "without"
    index_folder(
        _write(tmp_path / "docs", 20, bad=(8, 19)),
        with_bad,
        Options(workers=1),
        embedder=mini(),
    )
    docs = tmp_path / "docs"
    for number in (8, 19):
        (docs / f"{number:02}.md").unlink()
    index_folder(docs, without, Options(workers=1), embedder=mini())
    vectors = []
    for folder in (with_bad, without):
        hits = Index.open(folder, embedder=mini()).search("lamp 3", mode="dense", top_k=99)
        vectors.append([(hit.id, hit.score) for hit in hits])
    assert vectors[0] == vectors[1]
    assert len(vectors[0]) == 18


def test_a_model_that_gives_no_number_at_all_ends_with_every_document_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "normalize", lambda pooled_SD: pooled_SD * float("nan"))
    docs = _write(tmp_path / "docs", 20)
    tally = index_folder(docs, tmp_path / "index", Options(workers=1), embedder=mini())
    assert (tally.documents, len(tally.failures)) == (0, 20)


def test_the_next_run_with_a_sound_model_reads_them_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs, to = _write(tmp_path / "docs", 3), tmp_path / "index"
    (docs / "rows.jsonl").write_text('{"_id": "a", "text": "A lamp."}\n')
    with monkeypatch.context() as broken:
        broken.setattr(stream, "normalize", lambda pooled_SD: pooled_SD * float("nan"))
        assert len(index_folder(docs, to, Options(workers=1), embedder=mini()).failures) == 4
    tally = index_folder(docs, to, Options(workers=1), embedder=mini())
    assert (tally.documents, tally.failures) == (4, {})


def test_a_model_without_a_number_never_takes_the_place_of_one_that_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs, to = _write(tmp_path / "docs", 12), tmp_path / "index"
    index_folder(docs, to, Options(workers=1), embedder=mini())
    other = Options(chunk_tokens=100)
    with monkeypatch.context() as broken:
        broken.setattr(stream, "normalize", lambda pooled_SD: pooled_SD * float("nan"))
        with pytest.raises(EncodingError, match="12 of 12 documents have none"):
            reindex(to, other, embedder=mini())
    assert read_layout(to).live == "g1"
    assert len(Index.open(to, embedder=mini()).search("lamp", mode="dense", top_k=99)) == 12
    # With a sound one the same command does what is left.
    assert reindex(to, other, embedder=mini()).documents == 12
    assert read_layout(to).live == "g2"


def test_an_error_of_the_sources_is_told_though_the_stream_ends_for_another_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "normalize", lambda pooled_SD: pooled_SD * float("nan"))
    docs, to = _write(tmp_path / "docs", 20), tmp_path / "index"
    run = Ingest.run

    def broken(documents: Iterator[Any]) -> Iterator[Any]:
        for number, document in enumerate(documents):
            if number == 12:
                raise OSError("the shelf is gone")
            yield document

    monkeypatch.setattr(
        Ingest, "run", lambda self, docs, *args: run(self, broken(iter(docs)), *args)
    )
    with pytest.raises(OSError, match="the shelf is gone"):
        index_folder(docs, to, Options(workers=1), embedder=mini())


def test_a_page_without_a_finite_vector_is_told_and_the_others_stand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = made_pages.write_sources(tmp_path / "source")
    from biencoder.embedder.pages import compute

    demand, bad = stream.demand_finite, {2}

    def demanding(vectors: FloatArray, rows: Sequence[int], what: str) -> None:
        vectors[[place for place, row in enumerate(rows) if row in bad]] = np.nan
        demand(vectors, rows, what)

    monkeypatch.setattr(compute, "demand_finite", demanding)
    tally = made_pages.index(source, tmp_path / "index")
    told = set(tally.failures.values()) | {note for notes in tally.notes.values() for note in notes}
    assert len([reason for reason in told if "the model gave no usable vector" in reason]) == 1
    bad.clear()
    whole = made_pages.index(source, tmp_path / "whole")
    assert tally.pages == whole.pages - 1


@pytest.mark.parametrize("error", [ValueError("a fault of ours"), KeyboardInterrupt()])
def test_whatever_ends_a_run_what_is_finished_is_committed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    docs, to = _write(tmp_path / "docs", 40), tmp_path / "index"
    commits = _counted(monkeypatch)
    encode = Embedder.encode_stream

    def ending(self: Embedder, *args: Any, **options: Any) -> Iterator[Any]:
        for number, window in enumerate(encode(self, *args, **options)):
            if number == 2:
                raise error
            yield window

    monkeypatch.setattr(Embedder, "encode_stream", ending)
    options = Options(workers=1, commit_every=WINDOW_TEXTS)
    with pytest.raises(type(error)):
        index_folder(docs, to, options, embedder=mini())
    assert len(commits) == 1
    assert commits[0] >= 8
    assert len(Index.open(to, embedder=mini())) == commits[0]


def test_a_commit_that_fails_is_told_and_not_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs, to = _write(tmp_path / "docs", 30), tmp_path / "index"
    tried: list[int] = []

    def full(self: Writer, rows: Any, **options: Any) -> None:
        tried.append(rows.table.num_rows)
        raise OutputError(f"the disk is full at try {len(tried)}")

    monkeypatch.setattr(Writer, "commit", full)
    with pytest.raises(OutputError, match="at try 1") as caught:
        index_folder(docs, to, Options(workers=1, commit_every=5), embedder=mini())
    assert len(tried) == 1
    assert not isinstance(caught.value.__context__, BiencoderError)


def test_an_encoding_error_that_names_no_row_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nameless(*values: object) -> None:
        raise EncodingError("some vector is not finite")

    monkeypatch.setattr(stream, "demand_finite", nameless)
    with pytest.raises(EncodingError, match="some vector"):
        index_folder(
            _write(tmp_path / "docs", 3), tmp_path / "index", Options(workers=1), embedder=mini()
        )


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The rows of each commit that has any."""
    commit, counts = Writer.commit, list[int]()

    def counting(self: Writer, rows: Any, **options: Any) -> None:
        if rows.table.num_rows:
            counts.append(rows.table.num_rows)
        commit(self, rows, **options)

    monkeypatch.setattr(Writer, "commit", counting)
    return counts
