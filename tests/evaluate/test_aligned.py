"""Every language against every other, and against all of them in one pool."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biencoder.errors import InputError
from biencoder.evaluate.aligned import evaluate_aligned
from biencoder.evaluate.settings import Settings
from biencoder.evaluate.systems import Part
from biencoder.types import Role

WORDS = {"en": ("tea", "river"), "de": ("Tee", "Fluss")}


class Bilingual:
    """Knows the words' meanings, and prefers its question's language a little."""

    name = "bilingual"
    dimensions = (3,)

    def __init__(self) -> None:
        self.encoded: list[tuple[str, str]] = []

    def facts(self) -> Mapping[str, Any]:
        return {"name": self.name, "fingerprint": "b"}

    def encode(self, texts: Sequence[str], role: Role) -> Iterator[Part]:
        self.encoded += [(role, text) for text in texts]
        yield Part(np.asarray([self._vector(text) for text in texts], np.float32).reshape(-1, 3))

    def _vector(self, text: str) -> tuple[float, float, float]:
        language = "en" if text.rstrip("?") in WORDS["en"] else "de"
        tea = float(text.rstrip("?") in ("tea", "Tee"))
        return (tea, 1 - tea, 0.1 if language == "en" else -0.1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for language, words in WORDS.items():
        place = tmp_path / "words" / language
        (place / "qrels").mkdir(parents=True)
        rows = [{"_id": f"d{i}", "text": word} for i, word in enumerate(words)]
        asked = [{"_id": f"q{i}", "text": f"{word}?"} for i, word in enumerate(words)]
        (place / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        (place / "queries.jsonl").write_text("".join(json.dumps(row) + "\n" for row in asked))
        (place / "qrels" / "test.tsv").write_text(
            "query-id\tcorpus-id\tscore\nq0\td0\t1\nq1\td1\t1\n"
        )
    return tmp_path / "words"


def test_all_pairs_and_the_pool_are_judged_and_each_text_is_encoded_once(folder: Path) -> None:
    system = Bilingual()
    results = list(evaluate_aligned(system, folder, settings=Settings(bm25=None)))
    assert {result.dataset for result in results} == {
        f"words/{asked}-{written}" for asked in WORDS for written in ("en", "de", "mixed")
    }
    assert all(result.metrics["mrr@10"] == 1 for result in results)
    assert len(system.encoded) == len(set(system.encoded)) == 8
    facts = results[0].settings
    assert (facts["group"], facts["query_language"]) == ("words", "de")


def test_in_the_pool_every_translation_is_relevant_and_language_bias_is_measured(
    folder: Path,
) -> None:
    results = evaluate_aligned(Bilingual(), folder, settings=Settings(bm25=None))
    mixed = {r.settings["query_language"]: r for r in results if r.dataset.endswith("mixed")}
    assert [id_ for id_, _ in mixed["en"].queries[0].ranking] == [
        "en:d0",
        "de:d0",
        "en:d1",
        "de:d1",
    ]
    assert mixed["de"].queries[0].ranking[0][0] == "de:d0"
    assert mixed["en"].metrics["recall@5"] == 1
    # Four documents in the pool, two of them in the question's language.
    assert mixed["en"].metrics["same language@5"] == 0.5


def test_a_language_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="no language folder 'fr'"):
        list(evaluate_aligned(Bilingual(), folder, languages=("en", "fr")))
    with pytest.raises(InputError, match="two or more folders"):
        list(evaluate_aligned(Bilingual(), folder / "en"))
