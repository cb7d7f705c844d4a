"""How good is `mini`? Retrieval on sets that were never trained on, its teacher beside it.

    python benchmarks/mini_quality.py [../shared/data]

Without the argument: the FastAPI documentation that ships with the repository. With it, also XQuAD
(English) and Cranfield, which are for evaluation only. Every Matryoshka size; texts cut at 512
tokens (the teacher: 256). Results: `results/mini_quality.json`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from biencoder import Embedder
from biencoder.corpus.beir import read_corpus, read_qrels, read_queries
from biencoder.evaluate.retrieval import score_retrieval
from biencoder.train.teacher import MiniLMTeacher
from biencoder.types import FloatArray
from harness import write_results
from workloads import CORPUS


def main() -> None:
    """Score every set at every size, and the teacher once."""
    sets = {"fastapi-docs/en": CORPUS}
    if len(sys.argv) > 1:
        data = Path(sys.argv[1])
        sets |= {"xquad/en": data / "xquad/en", "cranfield": data / "cranfield"}
    model, teacher = Embedder.load("mini"), MiniLMTeacher()
    rows: dict[str, Any] = {}
    for name, folder in sets.items():
        documents, queries = list(read_corpus(folder)), read_queries(folder)
        texts = [document.full_text for document in documents]
        document_vectors = model.encode_documents(texts, truncate="END")
        query_vectors = model.encode_queries(queries.values(), truncate="END")
        ids = list(queries), [document.id for document in documents]
        rows[name] = {
            f"mini, {size} dimensions": _score(
                ids, query_vectors[:, :size], document_vectors[:, :size], folder
            )
            for size in model.dimensions
        }
        rows[name]["all-MiniLM-L6-v2 (teacher)"] = _score(
            ids, teacher.encode(list(queries.values())), teacher.encode(texts), folder
        )
        for label, scores in rows[name].items():
            print(f"{name:18} {label:28} nDCG@10 {scores['ndcg@10']:.4f}")
    print(write_results("mini_quality", {"sets": rows}))


def _score(
    ids: tuple[Sequence[str], Sequence[str]],
    queries: FloatArray,
    documents: FloatArray,
    folder: Path,
) -> dict[str, float]:
    # A cut vector needs length 1 again.
    unit = [side / (side**2).sum(axis=1, keepdims=True) ** 0.5 for side in (queries, documents)]
    scores = score_retrieval(ids[0], unit[0], ids[1], unit[1], read_qrels(folder))
    return {
        "ndcg@10": scores.ndcg_at_10,
        "recall@5": scores.recall_at_5,
        "queries": scores.queries,
    }


if __name__ == "__main__":
    main()
