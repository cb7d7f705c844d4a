"""Is hybrid search at least as good as the better of dense and lexical? Its constant, chosen here.

    python benchmarks/hybrid.py [--data ../shared/data]

Each set is indexed as a user would do it (`biencoder index`, model `mini`), its questions asked in
the three modes, the passages found counted as their documents. Both ways to fuse have one number, the
share of dense and the constant: each the best of a grid on the held-out pairs alone (they need
--data). The way that is better there is the default, and the other sets are read with that choice.
Results: `results/hybrid.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from biencoder import Embedder, Index
from biencoder.evaluate.judged_set import JudgedSet
from biencoder.evaluate.metrics import ndcg_at
from biencoder.evaluate.significance import bootstrap_interval, paired_difference
from biencoder.index.build import index_folder
from biencoder.index.fusion import (
    CONSTANT,
    DENSE_SHARE,
    DEPTH,
    FUSIONS,
    reciprocal_rank_fusion,
    weighted_fusion,
)
from biencoder.index.hits import Mode
from biencoder.types import FloatArray
from harness import RESULTS, conditions, write_results
from quality import sets

CONSTANTS = (1, 2, 5, 10, 20, 60, 100)
SHARES = (0.5, 0.6, 0.7, 0.8, 0.9)
CHOSEN_ON = "held-out pairs"
SHOWN = ("xquad/en", "cranfield", CHOSEN_ON)

Ranking = list[tuple[str, float]]
Fuse = Callable[[Ranking, Ranking], list[str]]


@dataclass(frozen=True)
class Ranked:
    """Both rankings of every question, passages by id; document by passage."""

    judged: JudgedSet
    dense: Sequence[Ranking]
    lexical: Sequence[Ranking]
    document: Mapping[str, str]

    def scores(self, fuse: Fuse) -> list[float]:
        """nDCG@10 of every question under a way to fuse."""
        return [
            ndcg_at(10, self._documents(fuse(dense, lexical)), self.judged.qrels[query])
            for query, dense, lexical in zip(
                self.judged.queries, self.dense, self.lexical, strict=True
            )
        ]

    def _documents(self, passages: Sequence[str]) -> list[str]:
        return list(dict.fromkeys(self.document[passage] for passage in passages))


def main() -> None:
    """Rank, choose, compare; print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    data: Path | None = parser.parse_args().data
    embedder = Embedder.load("mini")
    ranked: dict[str, Ranked] = {}
    for judged in sets(data):
        if judged.name in SHOWN:
            ranked[judged.name] = rank(judged, embedder)
            print(f"{judged.name}: {len(judged.queries):,} questions ranked", flush=True)
    earlier = RESULTS / "hybrid.json"
    facts: dict[str, Any] = json.loads(earlier.read_text("utf-8")) if earlier.exists() else {}
    if CHOSEN_ON in ranked:
        facts["chosen"] = choose(ranked[CHOSEN_ON]) | {"measured": conditions()}
    if "chosen" not in facts:
        parser.error(f"{earlier} holds no choice yet, and making it needs --data")
    rows: dict[str, Any] = facts.get("sets", {})
    rows |= {name: row(each, facts["chosen"]) for name, each in ranked.items()}
    print(write_results("hybrid", {"chosen": facts["chosen"], "sets": rows}))
    used = (FUSIONS[0], DENSE_SHARE, CONSTANT)
    chosen = tuple(facts["chosen"][name] for name in ("fusion", "share", "constant"))
    assert used == chosen, f"index/fusion.py uses {used}, the choice is {chosen}"


def rank(judged: JudgedSet, embedder: Embedder) -> Ranked:
    """Index a set as BEIR folder and ask every question in both modes."""
    with tempfile.TemporaryDirectory() as temporary:
        corpus, folder = Path(temporary, "corpus"), Path(temporary, "index")
        corpus.mkdir()
        with (corpus / "corpus.jsonl").open("w", encoding="utf-8") as file:
            for document in judged.documents:
                row = {"_id": document.id, "title": document.title, "text": document.text}
                file.write(json.dumps(row) + "\n")
        index_folder(corpus, folder, embedder=embedder)
        index = Index.open(folder, embedder=embedder)
        questions = list(judged.queries.values())
        vectors = embedder.encode_queries(questions)
        document_of: dict[str, str] = {}
        found: dict[Mode, list[Ranking]] = {"dense": [], "lexical": []}
        for question, vector in zip(questions, vectors, strict=True):
            for mode in found:
                hits = index.search_vector(
                    question, partial(_given, vector), top_k=DEPTH, mode=mode
                )
                document_of |= {hit.id: hit.source.split("#", 1)[1] for hit in hits}
                found[mode].append([(hit.id, hit.score) for hit in hits])
    return Ranked(judged, found["dense"], found["lexical"], document_of)


def _given(vector: FloatArray) -> FloatArray:
    return vector


def reciprocal(constant: float) -> Fuse:
    """Reciprocal rank fusion with a constant."""

    def fuse(dense: Ranking, lexical: Ranking) -> list[str]:
        lists = [[id_ for id_, _ in ranking] for ranking in (dense, lexical)]
        return [id_ for id_, _ in reciprocal_rank_fusion(lists, constant)]

    return fuse


def weighted(share: float) -> Fuse:
    """Weighted fusion with a share of dense."""

    def fuse(dense: Ranking, lexical: Ranking) -> list[str]:
        return [id_ for id_, _ in weighted_fusion(dense, lexical, share)]

    return fuse


def choose(ranked: Ranked) -> dict[str, Any]:
    """The best of each grid on the held-out pairs."""
    constants = {c: float(np.mean(ranked.scores(reciprocal(c)))) for c in CONSTANTS}
    shares = {s: float(np.mean(ranked.scores(weighted(s)))) for s in SHARES}
    return {
        "on": CHOSEN_ON,
        "fusion": FUSIONS[0] if max(shares.values()) > max(constants.values()) else FUSIONS[1],
        "constant": max(constants, key=lambda c: constants[c]),
        "nDCG@10 by constant": constants,
        "share": max(shares, key=lambda s: shares[s]),
        "nDCG@10 by share of dense": shares,
    }


def row(ranked: Ranked, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """Means with intervals, and both fusions against the better single mode."""
    ways: dict[str, Fuse] = {
        "dense": lambda dense, lexical: [id_ for id_, _ in dense],
        "lexical": lambda dense, lexical: [id_ for id_, _ in lexical],
        "weighted": weighted(chosen["share"]),
        "reciprocal-rank": reciprocal(chosen["constant"]),
    }
    scores = {name: ranked.scores(fuse) for name, fuse in ways.items()}
    better = max(("dense", "lexical"), key=lambda name: float(np.mean(scores[name])))
    facts: dict[str, Any] = {
        name: {"ndcg@10": float(np.mean(values)), "interval": bootstrap_interval(values)}
        for name, values in scores.items()
    }
    for name in FUSIONS:
        # `paired_difference` is second minus first.
        paired = paired_difference(scores[better], scores[name])
        facts[f"{name} minus {better}"] = {
            "difference": paired.difference,
            "interval": (paired.low, paired.high),
            "p": paired.p_value,
        }
        print(f"{ranked.judged.name:16} {name:22} {facts[name]['ndcg@10']:.4f} vs {better} "
              f"{facts[better]['ndcg@10']:.4f}: {paired.difference:+.4f} "
              f"[{paired.low:+.4f}, {paired.high:+.4f}]")  # fmt: skip
    return facts | {"measured": conditions()}


if __name__ == "__main__":
    main()
