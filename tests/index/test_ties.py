"""Passages with the same score come by id, however many there are, in every way of searching."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.index.made_index import mini

from biencoder import Index
from biencoder.index.build import Options, index_folder
from biencoder.index.hits import Mode
from biencoder.index.store import Store

EQUAL = 700


@pytest.fixture(scope="module")
def ties(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Very many passages with the same words, some better ones and some worse."""
    place = tmp_path_factory.mktemp("ties")
    texts = {f"tie{number}": "the red lamp" for number in range(EQUAL)}
    texts |= {f"better{number}": "lamp lamp lamp" for number in range(3)}
    texts |= {f"worse{number}": f"a lamp and {'much ' * 20}{number}" for number in range(9)}
    lines = (json.dumps({"_id": id_, "text": text}) for id_, text in texts.items())
    (place / "docs").mkdir()
    (place / "docs" / "rows.jsonl").write_text("\n".join(lines) + "\n")
    index_folder(place / "docs", place / "index", Options(workers=1), embedder=mini())
    return place / "index"


def _equal_ids(index: Index) -> list[str]:
    return sorted(
        hit.id
        for hit in index.search("lamp", mode="dense", top_k=EQUAL + 12, filters=None)
        if "#tie" in hit.source
    )


@pytest.mark.parametrize("top_k", [5, 150])
def test_lexical_ties_come_by_id(ties: Path, top_k: int) -> None:
    index = Index.open(ties, embedder=mini())
    hits = index.search("lamp", mode="lexical", top_k=top_k)
    assert [hit.source.split("#")[1][:6] for hit in hits[:3]] == ["better"] * 3
    assert [hit.id for hit in hits[3:]] == _equal_ids(index)[: top_k - 3]


@pytest.mark.parametrize("mode", ["dense", "hybrid"])
def test_other_ties_come_by_id(ties: Path, mode: Mode) -> None:
    index = Index.open(ties, embedder=mini())
    hits = index.search("the red lamp", mode=mode, top_k=20)
    assert [hit.id for hit in hits] == _equal_ids(index)[:20]


def test_no_more_is_fetched_where_nothing_ties(ties: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limits: list[int] = []
    match = Store.match_words

    def counted(store: Store, words: list[str], limit: int, where: object) -> object:
        limits.append(limit)
        return match(store, words, limit, where)

    monkeypatch.setattr(Store, "match_words", counted)
    index = Index.open(ties, embedder=mini())
    index.search("lamp", mode="lexical", top_k=3)
    assert limits == [103]
    limits.clear()
    index.search("lamp", mode="lexical", top_k=5)
    assert limits == [105, 210, 420, 840]
    # Of a million equal rows nobody reads all: the question must end.
    limits.clear()
    monkeypatch.setattr("biencoder.index.search._TIES", 3)
    assert len(index.search("lamp", mode="lexical", top_k=5)) == 5
    assert limits == [105, 210, 315]
