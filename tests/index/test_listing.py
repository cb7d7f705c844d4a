"""What of a folder is indexed: of one in BEIR's layout its corpus, and of no other only that."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable
from pathlib import Path

import pytest
from tests.index.made_index import mini

from biencoder import Index
from biencoder.corpus.beir import is_beir_folder
from biencoder.index.build import Options, index_folder
from biencoder.index.ingest import Tally
from biencoder.index.ledger import Ledger
from biencoder.index.listing import list_sources
from biencoder.index.plan import make_plan

QUERIES = {"_id": "q", "text": "which lamp is red?"}


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    (tmp_path / "docs" / "qrels").mkdir(parents=True)
    _rows(tmp_path / "docs" / "corpus.jsonl", "d1", "d2")
    return tmp_path / "docs"


def _rows(path: Path, *ids: str) -> None:
    lines = "".join(json.dumps({"_id": id_, "text": f"The lamp {id_} is red."}) for id_ in ids)
    data = lines.replace("}{", "}\n{").encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


def _queries(docs: Path) -> None:
    (docs / "queries.jsonl").write_text(json.dumps(QUERIES))


def _index(docs: Path) -> Tally:
    return index_folder(docs, docs.parent / "index", Options(workers=1), embedder=mini())


def _sources(docs: Path) -> set[str]:
    found = Index.open(docs.parent / "index", embedder=mini()).search("lamp", top_k=50)
    return {hit.source for hit in found}


def _names(paths: Iterable[Path]) -> list[str]:
    return [path.name for path in paths]


@pytest.mark.parametrize("beside", ["queries", "judgements", "both"])
def test_of_a_beir_folder_the_corpus_is_read_and_the_queries_are_listed_as_left_out(
    docs: Path, beside: str
) -> None:
    if beside != "judgements":
        _queries(docs)
    if beside == "queries":
        (docs / "qrels").rmdir()
    else:
        (docs / "qrels" / "test.tsv").write_text("q\td1\t1\n")
    listing = list_sources(docs)
    assert _names(listing.files) == ["corpus.jsonl"]
    left_out = {"queries": ["queries.jsonl"], "judgements": ["test.tsv"]}
    assert _names(listing.others) == left_out.get(beside, ["test.tsv", "queries.jsonl"])
    tally = _index(docs)
    assert (tally.documents, set(tally.others)) == (2, set(listing.others))
    assert _sources(docs) == {"corpus.jsonl#d1", "corpus.jsonl#d2"}


def test_a_file_called_corpus_makes_no_beir_folder_of_others(docs: Path) -> None:
    (docs / "qrels").rmdir()
    (docs / "corpus.jsonl").rename(docs / "kept")
    (docs / "a.md").write_text("A lamp in the attic.")
    _index(docs)
    (docs / "kept").rename(docs / "corpus.jsonl")
    tally = _index(docs)
    assert (tally.documents, tally.unchanged, tally.removed) == (2, 1, 0)
    assert _sources(docs) == {"a.md", "corpus.jsonl#d1", "corpus.jsonl#d2"}
    # To `evaluate` it is what it was.
    assert is_beir_folder(docs)


@pytest.mark.parametrize("other", ["notes.md", "more/rows.jsonl", "qrels/test.jsonl"])
def test_nor_does_one_beside_queries_and_something_else_that_can_be_read(
    docs: Path, other: str
) -> None:
    _queries(docs)
    (docs / other).parent.mkdir(exist_ok=True)
    _rows(docs / other, "x")
    files = [path.relative_to(docs).as_posix() for path in list_sources(docs).files]
    assert files == sorted(["corpus.jsonl", "queries.jsonl", other])


def test_what_tells_about_a_corpus_is_left_out_beside_its_queries(docs: Path) -> None:
    _queries(docs)
    for name in ("README.md", "LICENSE.txt"):
        (docs / name).write_text("Lamps, collected by hand.")
    listing = list_sources(docs)
    assert _names(listing.files) == ["corpus.jsonl"]
    assert _names(listing.others) == ["LICENSE.txt", "README.md", "queries.jsonl"]


def test_what_stands_never_leaves_because_the_folder_became_one_in_beir_s_layout(
    docs: Path,
) -> None:
    _queries(docs)
    (docs / "notes.md").write_text("A lamp in the attic.")
    assert _index(docs).documents == 4
    (docs / "notes.md").unlink()
    tally = _index(docs)
    assert (tally.removed, tally.unchanged, tally.others) == (1, 3, ())
    assert "queries.jsonl#q" in _sources(docs)
    (docs / "queries.jsonl").unlink()
    assert _index(docs).removed == 1


def test_so_it_is_when_every_source_is_read_again_into_an_empty_ledger(docs: Path) -> None:
    _queries(docs)
    (docs / "notes.md").write_text("A lamp in the attic.")
    _index(docs)
    (docs / "notes.md").unlink()
    new = Ledger(docs.parent / "new.sqlite")
    old = Ledger(docs.parent / "index" / "g1" / "ledger.sqlite", read_only=True)
    try:
        assert [job.file for job in make_plan(docs, new, {}).jobs] == ["corpus.jsonl"]
        jobs = make_plan(docs, new, {}, before=old).jobs
        assert [job.file for job in jobs] == ["corpus.jsonl", "queries.jsonl"]
    finally:
        old.close()
        new.close()


def test_of_a_corpus_that_stands_there_twice_the_plain_one_is_read_and_the_packed_one_told(
    docs: Path,
) -> None:
    _rows(docs / "corpus.jsonl.gz", "d1", "d2", "d3")
    listing = list_sources(docs)
    assert _names(listing.files) == ["corpus.jsonl"]
    assert _names(listing.others) == ["corpus.jsonl.gz"]
    (docs / "corpus.jsonl").unlink()
    assert _names(list_sources(docs).files) == ["corpus.jsonl.gz"]


def test_what_cannot_be_opened_in_a_beir_folder_is_told(docs: Path) -> None:
    (docs / "lost.md").symlink_to(docs / "nothing.md")
    assert list(_index(docs).failures) == ["lost.md"]
