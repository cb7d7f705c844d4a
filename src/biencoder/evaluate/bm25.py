"""BM25 through bm25s: the baseline that every dense result needs beside it.

Scores are Lucene's: idf = ln(1 + (N - df + 0.5) / (df + 0.5)), times tf / (tf + k1 (1 - b + b
length / mean length)). The usual factor k1 + 1 is left out, as in Lucene; it moves no rank.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from biencoder.errors import InputError
from biencoder.evaluate.exact import Excluded, TieOrder, TopK, check_sizes
from biencoder.evaluate.extra import require_bm25s
from biencoder.text.words import Tokens, splitter
from biencoder.types import FloatArray, IntArray


class BM25:
    """An index of texts, scored by the words that they share with a query.

    tokens: how texts become words, see `split_words`. query_weights: False counts a word of the
    query as often as it stands there (Anserini's bag of words); True weighs the query's words by
    BM25 too, which BRIGHT's published baseline does and which suits queries as long as documents.

    Raises InputError for an option out of range, MissingExtraError without bm25s.

    >>> index = BM25(["a red fox", "a blue whale"])
    >>> index.search(["which whale is blue?"], ["d1", "d2"], k=2).rows_QK.tolist()
    [[1, -1]]
    """

    def __init__(
        self,
        texts: Iterable[str],
        *,
        tokens: Tokens = "auto",
        k1: float = 0.9,
        b: float = 0.4,
        query_weights: bool = False,
    ) -> None:
        if not (0 <= k1 < float("inf") and 0 <= b <= 1):
            raise InputError(f"k1={k1}, b={b}", hint="k1 is at least 0, b lies between 0 and 1")
        self.tokens, self.k1, self.b, self.query_weights = tokens, k1, b, query_weights
        self._bm25s: Any = require_bm25s()
        self._split = splitter(tokens)
        self._vocabulary: dict[str, int] = {}
        rows = [self._learn(text) for text in texts]
        self._documents = len(rows)
        self._mean_length = sum(map(len, rows)) / max(1, len(rows))
        self._starts, self._rows, self._scores = self._index(rows)

    def facts(self) -> dict[str, object]:
        """What decides the scores, for a result file."""
        return {
            "tokens": self.tokens,
            "k1": self.k1,
            "b": self.b,
            "variant": "Lucene",
            "query_weights": self.query_weights,
            "bm25s": self._bm25s.__version__,
        }

    def search(
        self, queries: Sequence[str], ids: Sequence[str], *, k: int, excluded: Excluded = None
    ) -> TopK:
        """The best k documents of each query, in `exact.search`'s order.

        A document that shares no word with the query is not found at any k.
        """
        check_sizes(k, len(ids), self._documents, excluded, len(queries))
        order = TieOrder(ids)
        keys_QK = np.zeros((len(queries), min(k, len(ids))), dtype=np.uint64)
        for row, query in enumerate(queries):
            scores_N = self.scores(query)
            if excluded is not None:
                scores_N[list(excluded[row])] = 0
            found = np.flatnonzero(scores_N)
            best = np.partition(order.keys(scores_N[found], found), max(0, len(found) - k))[-k:]
            keys_QK[row, : len(best)] = best
        return order.top(keys_QK, k)

    def scores(self, query: str) -> FloatArray:
        """Every document's score, 0 where it shares no word with the query; float32, shape (n,)."""
        scores_N = np.zeros(self._documents, dtype=np.float32)
        for word, weight in self._weights(query).items():
            column = slice(self._starts[word], self._starts[word + 1])
            scores_N[self._rows[column]] += np.float32(weight) * self._scores[column]
        return scores_N

    def _weights(self, query: str) -> Mapping[int, float]:
        """Known words and their weights: how often they stand in the query, or its BM25."""
        words = (self._vocabulary.get(word) for word in self._split(query))
        counts = Counter(word for word in words if word is not None)
        if not self.query_weights:
            return counts
        # As in gensim, which BRIGHT uses: words that no document holds do not make a query longer.
        length = counts.total() / self._mean_length if counts else 0.0
        norm = self.k1 * (1 - self.b + self.b * length)
        return {word: self._idf(word) * tf / (tf + norm) for word, tf in counts.items()}

    def _idf(self, word: int) -> float:
        frequency = self._starts[word + 1] - self._starts[word]
        return float(np.log1p((self._documents - frequency + 0.5) / (frequency + 0.5)))

    def _learn(self, text: str) -> list[int]:
        """A text's words as numbers; new words get the next ones."""
        known = self._vocabulary
        return [known.setdefault(word, len(known)) for word in self._split(text)]

    def _index(self, rows: list[list[int]]) -> tuple[IntArray, IntArray, FloatArray]:
        """Word by word: where its documents begin, their rows, and their scores for this word."""
        if not self._vocabulary:
            return np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32)
        index: Any = self._bm25s.BM25(k1=self.k1, b=self.b, method="lucene")
        index.index((rows, self._vocabulary), create_empty_token=False, show_progress=False)
        return index.scores["indptr"], index.scores["indices"], index.scores["data"]
