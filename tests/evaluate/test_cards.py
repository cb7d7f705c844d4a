"""The cards' printed numbers are found under every name of a model, and are those of the facts."""

from __future__ import annotations

from collections import Counter

import pytest

from biencoder.config.family import FAMILY, MINI
from biencoder.evaluate.cards import CardResult, card_results, printed

BEIR = "NQ+HotpotQA+FiQA+TechQA"
MIRACL = "MIRACL (internal hard-negative version)"


def one(**asked: str | int) -> CardResult:
    (result,) = printed(**asked)  # type: ignore[arg-type]
    return result


def test_every_card_of_the_family_is_there_and_names_itself_as_source() -> None:
    counts = Counter(result.source for result in card_results())
    assert set(counts) == {f"model card of {member.id}" for member in FAMILY if member is not MINI}
    assert counts.total() == 245


@pytest.mark.parametrize(
    ("benchmark", "model", "dimensions", "value"),
    [
        (BEIR, "nvidia/llama-3.2-nemoretriever-300m-embed-v2", 2048, 62.92),
        ("MLDR", "300m", 2048, 53.27),
        (BEIR, "nvidia/llama-nemotron-embed-1b-v2", 2048, 68.60),
        (BEIR, "1b", 384, 64.48),
        (MIRACL, "1b", 384, 58.62),
        ("MLQA", "llama-3.2-nv-embedqa-1b-v2", 384, 71.61),
        ("MLDR", "1b", 384, 54.77),
        ("MLQA", "llama-3.2-nv-embedqa-1b-v1 (2048)", None, 78.77),
    ],
)
def test_recall_averages_are_those_of_the_facts(
    benchmark: str, model: str, dimensions: int | None, value: float
) -> None:
    results = printed(benchmark=benchmark, metric="recall@5", model=model, dimensions=dimensions)
    assert [result.value for result in results] == [value]
    assert results[0].unit == "%"


def test_384_dimensions_keep_what_the_facts_say() -> None:
    shares = [
        one(benchmark=name, model="1b", dimensions=384).value
        / one(benchmark=name, model="1b", dimensions=2048).value
        for name in (BEIR, MIRACL, "MLQA", "MLDR")
    ]
    assert [round(100 * share, 1) for share in shares] == [94.0, 96.5, 89.7, 92.0]


def test_a_benchmark_is_found_with_its_parts() -> None:
    results = printed(benchmark="BRIGHT(v1.1) short", model="3b", metric="ndcg@10")
    by_part = {result.benchmark.split("/")[1]: result.value for result in results}
    average = by_part.pop("average")
    assert list(by_part.values()) == [63.4, 60.2, 39.5, 45.5, 32.6, 34.0, 43.3, 37.5, 15.0, 10.5, 39.5, 38.5]  # fmt: skip
    assert average == pytest.approx(sum(by_part.values()) / 12, abs=0.05)


def test_a_number_that_two_cards_print_is_told_apart_by_its_card() -> None:
    results = printed(benchmark="MLQA", model="1b", dimensions=None)
    assert {result.card for result in results} == {
        "llama-nemotron-embed-1b-v2",
        "llama-nemotron-embed-vl-1b-v2",
    }
    assert one(benchmark="MLQA", model="1b", card="llama-nemotron-embed-vl-1b-v2").value == 79.86


def test_page_retrieval_and_votes_and_examples() -> None:
    pages = "DC10k + Earnings V2 + ViDoRe V1/V2/V3"
    assert [result.value for result in printed(benchmark=f"{pages}/image+text", model="vl")] == [73.24]  # fmt: skip
    votes = one(metric="borda_votes", model="nvidia/llama-embed-nemotron-8b")
    assert (votes.value, votes.unit) == (39573, "votes")
    assert one(metric="mean_task", model="Qwen/Qwen3-Embedding-8B").value == 70.58
    scores = [result.value for result in printed(metric="cosine", model="3b")]
    assert scores == pytest.approx([0.66886, 0.23073, 0.24395, 0.56227], abs=1e-5)


def test_what_no_card_prints_is_nothing() -> None:
    assert printed(benchmark="SciFact") == ()
    assert printed(model="mini") == ()
