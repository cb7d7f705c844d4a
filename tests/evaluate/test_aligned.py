"""Every language against every other, and against all of them in one pool."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biencoder.errors import InputError
from biencoder.evaluate.aligned import evaluate_aligned
from biencoder.evaluate.judged_set import ITSELF, SameId
from biencoder.evaluate.results import Result, find_results, read_summary
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


def add(folder: Path, name: str, text: str) -> None:
    with (folder / name).open("a", encoding="utf-8") as file:
        file.write(text)


def test_two_questions_under_one_id_are_an_error_here_too(folder: Path) -> None:
    add(folder / "en", "queries.jsonl", '{"_id": "q1", "text": "another question?"}\n')
    with pytest.raises(InputError, match="two different query rows with the id 'q1'"):
        list(evaluate_aligned(Bilingual(), folder))


def test_what_is_amiss_is_told_for_each_set(folder: Path) -> None:
    add(folder / "en", "queries.jsonl", '{"_id": "q9", "text": "unjudged?"}\n')
    told: list[str] = []
    results = evaluate_aligned(Bilingual(), folder, settings=Settings(bm25=None), tell=told.append)
    noted = {r.dataset for r in results if r.data["notes"]}
    assert noted == {"words/en-de", "words/en-en", "words/en-mixed"}
    amiss = "queries without a judgement, left out: 1"
    assert sorted(told) == sorted(f"{dataset}: {amiss}" for dataset in noted)


def rankings(results: Iterator[Result]) -> dict[str, list[str]]:
    """What the first question of each set found."""
    return {r.dataset: [id_ for id_, _ in r.queries[0].ranking] for r in results}


def test_excluded_documents_are_found_in_no_language_and_not_in_the_pool(folder: Path) -> None:
    (folder / "en" / "excluded").mkdir()
    add(folder / "en" / "excluded", "test.tsv", "query-id\tcorpus-id\nq0\td1\n")
    found = rankings(evaluate_aligned(Bilingual(), folder, settings=Settings(bm25=None)))
    assert found["words/en-en"] == found["words/en-de"] == ["d0"]
    assert found["words/en-mixed"] == ["en:d0", "de:d0"]
    assert len(found["words/de-mixed"]) == 4


@pytest.mark.parametrize(("same_id", "own"), [("auto", 1), ("drop", 2), ("keep", 0)])
def test_a_document_that_is_the_question_is_taken_out_of_pairs_and_pool(
    same_id: SameId, own: int, folder: Path
) -> None:
    # English d1 asks itself; in German another text has its id.
    add(folder / "en", "queries.jsonl", '{"_id": "d1", "text": "river"}\n')
    add(folder / "en" / "qrels", "test.tsv", "d1\td0\t1\n")
    results = evaluate_aligned(Bilingual(), folder, same_id=same_id, settings=Settings(bm25=None))
    mixed = next(result for result in results if result.dataset == "words/en-mixed")
    asked = next(query for query in mixed.queries if query.id == "d1")
    assert len(asked.ranking) == 4 - own
    assert mixed.data["notes"].get(ITSELF, 0) == own
    assert mixed.settings["same_id"] == same_id


def test_the_pools_languages_are_in_its_name_and_settings(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "de", folder / "fr")
    output, alone = tmp_path / "results", Settings(bm25=None)
    for languages in ((), ("en", "de"), ("de", "en")):
        list(
            evaluate_aligned(
                Bilingual(), folder, languages=languages, settings=alone, output=output
            )
        )
    pools = {
        summary["dataset"]: (summary["settings"]["languages"], summary["data"]["documents"])
        for summary in map(read_summary, find_results([output]))
        if summary["settings"]["document_language"] == "mixed"
    }
    every, two = (["de", "en", "fr"], 6), (["de", "en"], 4)
    assert pools == {
        "words/en-mixed": every,
        "words/de-mixed": every,
        "words/fr-mixed": every,
        "words/en-mixed of de, en": two,
        "words/de-mixed of de, en": two,
    }
    # Nine pairs and three pools, then two pools; the same pool in another order is the same one.
    assert len(list(find_results([output]))) == 14


def test_remembered_texts_are_in_no_rate(folder: Path) -> None:
    results = list(evaluate_aligned(Bilingual(), folder, settings=Settings(bm25=None)))
    rated = [r.dataset for r in results if "documents/s" in r.speed]
    assert rated == ["words/de-de", "words/de-en"]
    assert [r.dataset for r in results if "queries/s" in r.speed] == ["words/de-de", "words/en-de"]


def test_a_language_that_is_not_there_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match="no language folder 'fr'"):
        list(evaluate_aligned(Bilingual(), folder, languages=("en", "fr")))
    with pytest.raises(InputError, match="two or more folders"):
        list(evaluate_aligned(Bilingual(), folder / "en"))
