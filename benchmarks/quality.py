"""How good is `mini`? Its teacher and BM25 beside it, on sets that were never trained on.

    python benchmarks/quality.py [--data ../shared/data] [--output FOLDER]

Without --data: what ships with the repository (XQuAD English, the FastAPI documentation, and both
across English, German and Chinese). With it also Cranfield and the 2,000 held-out pairs, whose
licences or terms keep them out of the repository. Every Matryoshka size in float32, int8 and
binary. The means: `results/quality.json`. Results with every query (`biencoder report` makes a page
of them) are kept with --output alone, and what stands there is not measured again.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

from biencoder import Embedder
from biencoder.data.rows import read_pairs
from biencoder.evaluate.aligned import evaluate_aligned
from biencoder.evaluate.judged_set import JudgedSet, read_judged_set
from biencoder.evaluate.results import Result
from biencoder.evaluate.run import evaluate
from biencoder.evaluate.settings import Settings
from biencoder.evaluate.systems import EmbedderSystem, Part
from biencoder.recipes.mini import holdout_questions
from biencoder.recipes.mini_data import HOLDOUT_IDS
from biencoder.train.teacher import TEACHER_NAME, MiniLMTeacher
from biencoder.types import PRECISIONS, Role
from harness import RESULTS, conditions, write_results
from workloads import EXAMPLES

SHOWN = ("ndcg@10", "recall@5", "recall@100")


class TeacherSystem:
    """all-MiniLM-L6-v2 in sentence-transformers, no prompts, 256 tokens, full size only."""

    name = "all-MiniLM-L6-v2"
    dimensions = (384,)

    def __init__(self) -> None:
        self.teacher = MiniLMTeacher()

    def facts(self) -> Mapping[str, Any]:
        """Whose vectors these are."""
        identity = self.teacher.identity
        return {
            "name": TEACHER_NAME,
            "fingerprint": str(identity["weights_sha256"])[:16],
            "prompts": {"query": "", "document": ""},
            "dtype": identity["dtype"],
            "max_tokens": identity["max_tokens"],
        }

    def encode(self, texts: Sequence[str], role: Role) -> Iterator[Part]:
        """All at once: these corpora are small."""
        yield Part(self.teacher.encode(texts))


def main() -> None:
    """Judge every system on every set; print and write the means."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    with place(options.output) as folder:
        print(write_results("quality", measure(options.data, Path(folder))))


def place(output: Path | None) -> AbstractContextManager[str]:
    """Where results go. A fresh folder unless one is named: an old result is not measured now."""
    return tempfile.TemporaryDirectory() if output is None else nullcontext(str(output))


def measure(data: Path | None, output: Path) -> dict[str, Any]:
    """Every system on every set, in every form."""
    mini, teacher = EmbedderSystem(Embedder.load("mini")), TeacherSystem()
    forms = Settings(dimensions=mini.embedder.dimensions, precisions=PRECISIONS)
    # What cannot be measured here keeps its row, which says when and on what it was measured.
    rows = earlier_rows()
    for judged in sets(data):
        results = evaluate(mini, judged, settings=forms, output=output)
        results += evaluate(teacher, judged, settings=Settings(bm25=None), output=output)
        rows[judged.name] = {result.system: figures(result) for result in results}
        for system, row in rows[judged.name].items():
            print(f"{judged.name:24} {system:30} nDCG@10 {row['ndcg@10']:.4f}", flush=True)
        rows[judged.name]["measured"] = conditions()
    return {"sets": rows, "across languages": across_languages(mini, output)}


def earlier_rows() -> dict[str, dict[str, Any]]:
    """The sets of the committed file."""
    path = RESULTS / "quality.json"
    if not path.exists():
        return {}
    stored: dict[str, dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["sets"]
    return stored


def sets(data: Path | None) -> Iterator[JudgedSet]:
    """What ships, then what only ``data`` holds."""
    yield read_judged_set(EXAMPLES / "xquad/en")
    yield read_judged_set(EXAMPLES / "fastapi-docs/en")
    if data is not None:
        yield read_judged_set(data / "cranfield", name="cranfield")
        wanted = set(HOLDOUT_IDS.read_text(encoding="utf-8").split())
        pairs = read_pairs(data / "pairs/english.jsonl.gz")
        yield holdout_questions([pair for pair in pairs if pair.id in wanted])


def across_languages(mini: EmbedderSystem, output: Path) -> dict[str, dict[str, Any]]:
    """Every pair of languages and the mixed pool; `mini` reads English only, and here it shows."""
    results = evaluate_aligned(mini, EXAMPLES / "xquad", output=output)
    rows: dict[str, dict[str, Any]] = {}
    for result in results:
        rows.setdefault(result.dataset, {})[result.system] = figures(result)
    return rows


def figures(result: Result) -> dict[str, Any]:
    """The means that the README may show, with intervals, and the format they were computed in."""
    return {name: result.metrics[name] for name in SHOWN} | {
        "interval of ndcg@10": result.intervals["ndcg@10"],
        "queries": len(result.queries),
        "dtype": result.model.get("dtype"),
        "bytes/document": result.speed.get("bytes/document"),
    }


if __name__ == "__main__":
    main()
