"""BM25's scores by hand and by bm25s itself; what it finds on XQuAD in four scripts."""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from biencoder.corpus.beir import read_corpus, read_qrels, read_queries
from biencoder.errors import InputError, MissingExtraError
from biencoder.evaluate.bm25 import BM25
from biencoder.evaluate.exact import TopK
from biencoder.evaluate.metrics import rank, recall_at

ROOT = Path(__file__).parents[2]
XQUAD = (ROOT / "examples" / "xquad", ROOT.parent / "shared" / "data" / "xquad")
TEXTS = ["the cat sat", "the cat saw the dog and the cat ran", "a bird", ""]
IDS = ["d1", "d2", "d3", "d4"]


def lucene(texts: Sequence[str], query: str, *, k1: float, b: float) -> list[float]:
    """Kamphuis et al. 2020, "Lucene (accurate)", each occurrence in the query counted."""
    counts = [Counter(text.split()) for text in texts]
    mean = sum(count.total() for count in counts) / len(texts)
    scores = []
    for count in counts:
        score = 0.0
        for word in query.split():
            df = sum(word in other for other in counts)
            idf = math.log(1 + (len(texts) - df + 0.5) / (df + 0.5))
            norm = k1 * (1 - b + b * count.total() / mean)
            score += idf * count[word] / (count[word] + norm) if count[word] else 0.0
        scores.append(score)
    return scores


WORDS = st.lists(st.sampled_from(["cat", "dog", "the", "a", "ran", "x1"]), max_size=8).map(" ".join)


@given(
    st.lists(WORDS, min_size=1, max_size=6).filter(any),
    WORDS,
    st.floats(0, 3),
    st.floats(0, 1),
)
def test_scores_equal_lucenes_formula(texts: list[str], query: str, k1: float, b: float) -> None:
    scores = BM25(texts, k1=k1, b=b).scores(query)
    np.testing.assert_allclose(scores, lucene(texts, query, k1=k1, b=b), rtol=1e-5, atol=1e-6)


def test_scores_equal_those_of_bm25s() -> None:
    import bm25s

    words = [text.split() for text in TEXTS]
    theirs = bm25s.BM25(k1=1.5, b=0.75, method="lucene")
    theirs.index(words, show_progress=False)
    ours = BM25(TEXTS, k1=1.5, b=0.75)
    for query in ("the cat", "the cat the bird", "dog"):
        np.testing.assert_allclose(ours.scores(query), theirs.get_scores(query.split()), rtol=1e-6)


def test_query_weights_by_hand() -> None:
    index = BM25(["a b", "a a c d"], query_weights=True)
    # Two documents, mean length 3. The query has 3 known words, so its own norm is k1.
    idf_a, idf_c = math.log(1.2), math.log(2)
    weight_a, weight_c = idf_a * 2 / 2.9, idf_c * 1 / 1.9
    norms = [0.9 * (0.6 + 0.4 * 2 / 3), 0.9 * (0.6 + 0.4 * 4 / 3)]
    expected = [
        weight_a * idf_a * 1 / (1 + norms[0]),
        weight_a * idf_a * 2 / (2 + norms[1]) + weight_c * idf_c * 1 / (1 + norms[1]),
    ]
    np.testing.assert_allclose(index.scores("a a c zebra"), expected, rtol=1e-6)


def test_query_weights_saturate_where_a_bag_of_words_grows() -> None:
    once, often = "cat bird", "cat " * 20 + "bird"
    plain, weighted = BM25(TEXTS), BM25(TEXTS, query_weights=True)
    assert plain.scores(often)[0] == pytest.approx(20 * plain.scores(once)[0], rel=1e-5)
    assert weighted.scores(often)[0] < 2 * weighted.scores(once)[0]


def found_ids(found: TopK, ids: Sequence[str]) -> list[list[str]]:
    return [[ids[row] for row in rows if row >= 0] for rows in found.rows_QK.tolist()]


def test_the_best_documents_come_first_and_strangers_never() -> None:
    found = BM25(TEXTS).search(["the cat", "bird", "whale", ""], IDS, k=3)
    assert found_ids(found, IDS) == [["d2", "d1"], ["d3"], [], []]
    assert found.rows_QK.shape == found.scores_QK.shape == (4, 3)
    assert found.scores_QK[0, 0] == BM25(TEXTS).scores("the cat")[1]
    assert (found.scores_QK[found.rows_QK < 0] == -np.inf).all()


def test_excluded_documents_are_not_found() -> None:
    found = BM25(TEXTS).search(["the cat", "the cat"], IDS, k=3, excluded=[{1}, {0, 1, 3}])
    assert found_ids(found, IDS) == [["d1"], []]


@given(st.lists(WORDS, min_size=1, max_size=30), WORDS, st.integers(1, 12))
def test_search_is_rank_over_all_scores_ties_included(texts: list[str], query: str, k: int) -> None:
    index, ids = BM25(texts), [f"d{number}" for number in range(len(texts))]
    scores = dict(zip(ids, index.scores(query).tolist(), strict=True))
    expected = rank({id_: score for id_, score in scores.items() if score > 0})[:k]
    assert found_ids(index.search([query], ids, k=k), ids) == [expected]


@pytest.mark.parametrize("texts", [[], ["", " - "]])
def test_a_corpus_without_words_finds_nothing(texts: list[str]) -> None:
    for query_weights in (False, True):
        index = BM25(texts, query_weights=query_weights)
        found = index.search(["a cat"], [str(row) for row in range(len(texts))], k=2)
        assert found.rows_QK.tolist() == [[-1, -1]]


def test_facts_tell_what_decides_the_scores() -> None:
    import bm25s

    facts = BM25([], tokens="trigrams", k1=1.2, query_weights=True).facts()
    assert facts == {
        "tokens": "trigrams",
        "k1": 1.2,
        "b": 0.4,
        "variant": "Lucene",
        "query_weights": True,
        "bm25s": bm25s.__version__,
    }


@pytest.mark.parametrize("options", [{"k1": -0.1}, {"k1": math.inf}, {"b": 1.1}, {"b": math.nan}])
def test_options_out_of_range_are_an_error(options: dict[str, float]) -> None:
    with pytest.raises(InputError, match=r"k1 is at least 0, b lies between 0 and 1"):
        BM25(TEXTS, **options)  # type: ignore[arg-type]


def test_ids_that_do_not_fit_are_an_error() -> None:
    with pytest.raises(InputError, match="3 ids do not fit 4 documents"):
        BM25(TEXTS).search(["cat"], IDS[:3], k=1)


def test_without_bm25s_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bm25s", None)
    with pytest.raises(MissingExtraError, match=r"-e '\.\[eval\]'.*--no-bm25"):
        BM25(TEXTS)


@pytest.mark.parametrize(
    ("language", "bar"), [("en", 0.98), ("zh", 0.98), ("th", 0.97), ("hi", 0.95)]
)
def test_the_tokens_fit_the_script(language: str, bar: float) -> None:
    """Recall@5 on XQuAD within one language."""
    folder = next((place / language for place in XQUAD if (place / language).is_dir()), None)
    if folder is None:
        pytest.skip(f"XQuAD {language} is not here")
    documents, queries, qrels = list(read_corpus(folder)), read_queries(folder), read_qrels(folder)
    ids = [document.id for document in documents]
    found = BM25(document.full_text for document in documents).search(
        list(queries.values()), ids, k=5
    )
    recalls = [
        recall_at(5, ranking, qrels[query])
        for query, ranking in zip(queries, found_ids(found, ids), strict=True)
    ]
    assert len(recalls) == 1190
    assert float(np.mean(recalls)) >= bar
