"""Judging a system: means by hand, forms of vectors, resuming, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from biencoder import Embedder
from biencoder.corpus.beir import Document
from biencoder.errors import DimensionError, InputError, LockedError
from biencoder.evaluate import Settings, evaluate
from biencoder.evaluate.conditions import conditions
from biencoder.evaluate.folder import read_folder
from biencoder.evaluate.judged_set import JudgedSet, judge
from biencoder.evaluate.results import Result, find_results, load_result
from biencoder.evaluate.systems import EmbedderSystem, Part
from biencoder.types import FloatArray, Role

ALONE = Settings(bm25=None)


@dataclass
class Table:
    """A system whose vectors are looked up, and which counts and may stop."""

    vectors: Mapping[str, Sequence[float]]
    name: str = "table"
    dimensions: tuple[int, ...] = (1, 2)
    stop_after: int | None = None
    part: int = 1
    encoded: list[str] = field(default_factory=list)

    def facts(self) -> Mapping[str, Any]:
        return {"name": self.name, "fingerprint": "f"}

    def encode(self, texts: Sequence[str], role: Role) -> Iterator[Part]:
        for start in range(0, len(texts), self.part):
            if self.stop_after is not None and len(self.encoded) >= self.stop_after:
                raise KeyboardInterrupt
            some = texts[start : start + self.part]
            self.encoded += some
            yield Part(
                np.asarray([self.vectors[text] for text in some], np.float32), tokens=len(some)
            )


def at(degrees: float) -> tuple[float, float]:
    return float(np.cos(np.radians(degrees))), float(np.sin(np.radians(degrees)))


VECTORS = {"a": at(0), "b": at(30), "c": at(60), "d": at(90), "near a": at(10), "near c": at(50)}


@pytest.fixture
def judged() -> JudgedSet:
    documents = [Document(f"d{text}", "", text) for text in "abcd"]
    return judge(
        documents,
        [("q1", "near a"), ("q2", "near c")],
        {"q1": {"db": 1}, "q2": {"dc": 1, "dd": 1}},
        name="angles",
    )


def by_system(results: Sequence[Result]) -> dict[str, Result]:
    return {result.system: result for result in results}


def test_the_means_are_those_worked_out_by_hand(judged: JudgedSet) -> None:
    result = evaluate(Table(VECTORS), judged, settings=ALONE)[0]
    # q1 sees a (10 degrees off), b (20), ...: its document is second. q2 sees c (10), b (20), d (40).
    second = 1 / np.log2(3)
    q2 = (1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    assert result.metrics["ndcg@10"] == pytest.approx((second + q2) / 2)
    assert result.metrics["mrr@10"] == pytest.approx((0.5 + 1) / 2)
    assert result.metrics["recall@5"] == 1
    assert [query.ranking[0][0] for query in result.queries] == ["da", "dc"]
    assert result.queries[0].ranking[0][1] == pytest.approx(np.cos(np.radians(10)))
    low, high = result.intervals["ndcg@10"]
    assert low == pytest.approx(min(second, q2))
    assert high == pytest.approx(max(second, q2))


def test_one_dimension_is_cut_and_made_unit_again(judged: JudgedSet) -> None:
    results = evaluate(Table(VECTORS), judged, settings=replace(ALONE, dimensions=(1,)))
    # First numbers of length 1 are all 1, and ids decide the ties; d's is 6e-17 and stays nothing.
    assert results[0].system == "table, 1 dimensions"
    assert [id_ for id_, _ in results[0].queries[0].ranking] == ["dc", "db", "da", "dd"]
    assert results[0].speed["bytes/document"] == 4


def test_a_size_that_is_not_offered_is_refused(judged: JudgedSet) -> None:
    with pytest.raises(DimensionError, match="no vectors of 3 dimensions"):
        evaluate(Table(VECTORS), judged, settings=replace(ALONE, dimensions=(3,)))


def test_unknown_measures_and_precisions_are_refused() -> None:
    with pytest.raises(InputError, match="ndgc@10"):
        Settings(measures=("ndgc@10",))
    with pytest.raises(InputError, match="int4"):
        Settings(precisions=("int4",))  # type: ignore[arg-type]


def test_an_excluded_document_is_not_found(judged: JudgedSet) -> None:
    without = replace(judged, excluded={"q1": frozenset({"da"})})
    result = evaluate(Table(VECTORS), without, settings=ALONE)[0]
    assert [id_ for id_, _ in result.queries[0].ranking] == ["db", "dc", "dd"]
    assert result.queries[0].metrics["mrr@10"] == 1
    assert result.queries[1].ranking[0][0] == "dc"


def test_a_standing_result_is_not_made_again(judged: JudgedSet, tmp_path: Path) -> None:
    first, again = Table(VECTORS), Table(VECTORS)
    made = evaluate(first, judged, settings=ALONE, output=tmp_path)
    read = evaluate(again, judged, settings=ALONE, output=tmp_path)
    assert len(first.encoded) == 6
    assert again.encoded == []
    assert read == made
    assert [load_result(path) for path in find_results([tmp_path])] == made
    assert not list(tmp_path.rglob("*.f32"))


@pytest.mark.parametrize("what", ["model", "data", "settings"])
def test_another_model_set_or_setting_is_made_anew(
    what: str, judged: JudgedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(Table(VECTORS), judged, settings=ALONE, output=tmp_path)
    table, settings = Table(VECTORS), ALONE
    if what == "model":
        monkeypatch.setattr(table, "facts", lambda: {"name": "table", "fingerprint": "other"})
    elif what == "data":
        judged = replace(judged, qrels={"q1": {"da": 1}, "q2": {"dc": 1}})
    else:
        settings = replace(settings, measures=("recall@10",))
    evaluate(table, judged, settings=settings, output=tmp_path)
    assert len(table.encoded) == 6


def test_a_killed_run_goes_on_where_it_stopped(judged: JudgedSet, tmp_path: Path) -> None:
    killed = Table(VECTORS, stop_after=4)
    with pytest.raises(KeyboardInterrupt):
        evaluate(killed, judged, settings=ALONE, output=tmp_path)
    assert killed.encoded == ["near a", "near c", "a", "b"]
    # A kill in the middle of a write leaves part of a row, which the account does not know.
    half = next(tmp_path.rglob("*-document.f32"))
    half.write_bytes(half.read_bytes() + b"\0\0\0")
    resumed = Table(VECTORS)
    result = evaluate(resumed, judged, settings=ALONE, output=tmp_path)[0]
    assert resumed.encoded == ["c", "d"]
    whole = evaluate(Table(VECTORS), judged, settings=ALONE)[0]
    assert result.queries == whole.queries
    assert result.speed["tokens"] == whole.speed["tokens"] == 6


def killed_run(judged: JudgedSet, output: Path) -> Path:
    """The document vectors of a run that was killed after two of four."""
    with pytest.raises(KeyboardInterrupt):
        evaluate(Table(VECTORS, stop_after=4), judged, settings=ALONE, output=output)
    return next(output.rglob("*-document.f32"))


@pytest.mark.parametrize("damage", ["short vectors", "no vectors", "half an account"])
def test_vectors_that_do_not_fit_their_account_are_made_anew(
    damage: str, judged: JudgedSet, tmp_path: Path
) -> None:
    vectors = killed_run(judged, tmp_path)
    if damage == "short vectors":
        vectors.write_bytes(vectors.read_bytes()[:-1])
    elif damage == "no vectors":
        vectors.unlink()
    else:
        vectors.with_suffix(".json").write_text('{"rows": 2')
    resumed = Table(VECTORS)
    result = evaluate(resumed, judged, settings=ALONE, output=tmp_path)[0]
    assert resumed.encoded == ["a", "b", "c", "d"]
    whole = evaluate(Table(VECTORS), judged, settings=ALONE)[0]
    assert result.queries == whole.queries
    assert result.speed["tokens"] == 6


def test_vectors_of_another_release_are_not_gone_on_with(
    judged: JudgedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    killed_run(judged, tmp_path)
    other_release(monkeypatch, "torch")
    resumed = Table(VECTORS)
    evaluate(resumed, judged, settings=ALONE, output=tmp_path)
    assert len(resumed.encoded) == 6


def test_seconds_and_rates_are_of_the_whole_run_after_a_kill(
    judged: JudgedSet, tmp_path: Path
) -> None:
    vectors = killed_run(judged, tmp_path)
    for account in vectors.parent.glob("*.json"):
        stored = json.loads(account.read_text())
        assert stored["seconds"] > 0
        account.write_text(json.dumps(stored | {"seconds": 100.0}))
    speed = evaluate(Table(VECTORS), judged, settings=ALONE, output=tmp_path)[0].speed
    assert speed["seconds"] == pytest.approx(200, abs=5)
    assert speed["documents/s"] == pytest.approx(4 / 100, rel=0.05)
    assert speed["queries/s"] == pytest.approx(2 / 100, rel=0.05)


def test_a_second_run_into_one_folder_is_refused_and_the_first_ends_well(
    judged: JudgedSet, tmp_path: Path
) -> None:
    second = Table(VECTORS)

    class First(Table):
        def encode(self, texts: Sequence[str], role: Role) -> Iterator[Part]:
            for part in super().encode(texts, role):
                with pytest.raises(LockedError, match="another run is judging the same model"):
                    evaluate(
                        second, judged, settings=replace(ALONE, dimensions=(1,)), output=tmp_path
                    )
                yield part

    result = evaluate(First(VECTORS), judged, settings=ALONE, output=tmp_path)[0]
    assert second.encoded == []
    assert result.metrics == evaluate(Table(VECTORS), judged, settings=ALONE)[0].metrics
    assert not list((tmp_path / ".vectors").iterdir())
    evaluate(second, judged, settings=replace(ALONE, dimensions=(1,)), output=tmp_path)
    assert len(second.encoded) == 6


def other_release(monkeypatch: pytest.MonkeyPatch, *packages: str) -> None:
    """As if packages had been exchanged."""
    told = conditions()
    versions = told["versions"] | dict.fromkeys(packages, "0.0.1")
    monkeypatch.setattr("biencoder.evaluate.run.conditions", lambda: told | {"versions": versions})


@pytest.mark.parametrize(
    ("package", "anew"),
    [
        ("biencoder", {"table", "BM25"}),
        ("torch", {"table"}),
        ("tokenizers", {"table"}),
        ("bm25s", {"BM25"}),
        ("mteb", set()),
    ],
)
def test_a_result_of_another_release_is_made_anew_in_its_place(
    package: str, anew: set[str], judged: JudgedSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluate(Table(VECTORS), judged, output=tmp_path)
    other_release(monkeypatch, package)
    results = by_system(evaluate(Table(VECTORS), judged, output=tmp_path))
    kept = [load_result(path) for path in find_results([tmp_path])]
    assert by_system(kept) == results
    assert len(kept) == 2
    exchanged = {r.system for r in kept if r.conditions["versions"].get(package) == "0.0.1"}
    assert exchanged == anew


CHANGES: dict[str, dict[str, Any]] = {
    "split": {"split": "dev"},
    "same_id": {"same_id": "keep"},
    "data": {},
    "k1": {},
    "model": {},
}


@pytest.mark.parametrize("what", CHANGES)
def test_nothing_is_overwritten_but_the_same_thing(what: str, tmp_path: Path) -> None:
    def read(**asked: Any) -> JudgedSet:
        return read_folder(folder, **asked)

    folder = write(tmp_path / "a" / "data" / "set", "q1\td1\t1\n", dev="q1\td2\t1\n")
    output, table, settings = tmp_path / "results", Table(VECTORS), Settings()
    first = evaluate(table, read(), settings=settings, output=output)
    plain = {"mini": output / "data-set" / "table.json", "BM25": output / "data-set" / "bm25.json"}
    assert sorted(find_results([output])) == sorted(plain.values())
    if what == "data":
        folder = write(tmp_path / "b" / "data" / "set", "q1\td2\t1\n")
    elif what == "k1":
        settings = Settings(bm25={"k1": 2.0})
    elif what == "model":
        table = Tuned(VECTORS)
    second = evaluate(table, read(**CHANGES[what]), settings=settings, output=output)
    own = {"k1": {"BM25"}, "model": {"table"}}.get(what, {"table", "BM25"})
    kept = [load_result(path) for path in find_results([output])]
    assert len(kept) == 2 + len(own)
    for result in (*first, *second):
        assert result in kept
    assert load_result(plain["mini"]) == first[0]
    # What stands under a name of its own stands, too.
    again = Table(VECTORS) if what != "model" else Tuned(VECTORS)
    evaluate(again, read(**CHANGES[what]), settings=settings, output=output)
    assert again.encoded == []


class Tuned(Table):
    """Another model of the same name."""

    def facts(self) -> Mapping[str, Any]:
        return {"name": self.name, "fingerprint": "tuned"}


def write(folder: Path, qrels: str, dev: str = "") -> Path:
    """Two documents and a question in BEIR layout."""
    (folder / "qrels").mkdir(parents=True)
    rows = ({"_id": "d1", "text": "a"}, {"_id": "d2", "text": "b"})
    (folder / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "queries.jsonl").write_text('{"_id": "q1", "text": "near a"}\n')
    (folder / "qrels" / "test.tsv").write_text(qrels)
    if dev:
        (folder / "qrels" / "dev.tsv").write_text(dev)
    return folder


def test_a_result_says_how_its_set_was_read(tmp_path: Path) -> None:
    folder = write(tmp_path / "data" / "set", "q1\td1\t1\n")
    asked = read_folder(folder, same_id="drop")
    settings = evaluate(Table(VECTORS), asked, settings=ALONE)[0].settings
    assert (settings["split"], settings["same_id"]) == ("test", "drop")
    assert settings["source"] == str(folder)
    assert evaluate(Table(VECTORS), folder, settings=ALONE)[0].settings["split"] == "test"


def test_a_folder_that_was_moved_is_not_judged_again(tmp_path: Path) -> None:
    folder = write(tmp_path / "a" / "data" / "set", "q1\td1\t1\n")
    evaluate(Table(VECTORS), folder, settings=ALONE, output=tmp_path / "results")
    (tmp_path / "a").rename(tmp_path / "b")
    again = Table(VECTORS)
    moved = tmp_path / "b" / "data" / "set"
    evaluate(again, moved, settings=ALONE, output=tmp_path / "results")
    assert again.encoded == []


def test_forms_of_real_vectors_lose_little_and_say_their_bytes(model: Embedder) -> None:
    texts = [
        f"{name} is a kind of {kind}" for kind in ("bird", "metal", "soup") for name in "abcdefgh"
    ]
    documents = [Document(f"d{row}", "", text) for row, text in enumerate(texts)]
    judged = judge(
        documents,
        [(f"q{row}", text) for row, text in enumerate(texts)],
        {f"q{row}": {f"d{row}": 1} for row in range(len(texts))},
        name="self",
        same_id="keep",
    )
    settings = replace(ALONE, dimensions=(64, 384), precisions=("float32", "int8", "binary"))
    results = by_system(evaluate(model, judged, settings=settings))
    assert list(results) == [
        "mini, 64 dimensions",
        "mini, 64 dimensions, int8",
        "mini, 64 dimensions, binary",
        "mini",
        "mini, int8",
        "mini, binary",
    ]
    assert results["mini"].metrics["mrr@10"] > 0.9
    scores = {name: dict(result.queries[0].ranking) for name, result in results.items()}
    assert scores["mini, int8"]["d0"] == pytest.approx(scores["mini"]["d0"], abs=0.01)
    sizes = {name: result.speed["bytes/document"] for name, result in results.items()}
    assert (sizes["mini"], sizes["mini, int8"]) == (1536, 384)
    assert sizes["mini, 64 dimensions, binary"] == 8


@pytest.fixture(scope="module")
def model() -> Embedder:
    return Embedder.load("mini")


def test_our_model_says_what_it_is(model: Embedder) -> None:
    facts = EmbedderSystem(model).facts()
    assert facts["prompts"] == {"query": "query: ", "document": "passage: "}
    assert facts["max_tokens"] == 512
    assert len(facts["fingerprint"]) == 16


def test_vectors_of_the_system_are_those_of_the_model(model: Embedder) -> None:
    texts = ["an oxbow lake", "tea"]
    part: FloatArray = next(iter(EmbedderSystem(model).encode(texts, "query"))).vectors
    np.testing.assert_array_equal(part, model.encode_queries(texts))


def test_cut_texts_are_counted_in_the_result(model: Embedder) -> None:
    judged = judge(
        [Document("long", "", "river " * 2000), Document("short", "", "tea")],
        [("q", "river")],
        {"q": {"long": 1}},
        name="long",
    )
    result = evaluate(model, judged, settings=ALONE)[0]
    assert result.data["notes"]["documents cut"] == 1


def test_bm25_stands_beside_the_model(judged: JudgedSet) -> None:
    results = evaluate(Table(VECTORS), judged)
    assert [result.system for result in results] == ["table", "BM25"]
    # "near a" and "near c": no document holds "near"; the letters are words of their own.
    assert results[1].queries[1].ranking[0][0] == "dc"
    assert results[1].model["k1"] == 0.9
