"""How fast is an index made, searched and brought up to date, and what does it hold in memory?

    python benchmarks/index.py [--only overhead|pipeline|search|incremental] [--small N] [--large N]

Passages are made of real sentences that ship with the repository, drawn by a fixed seed. Indexing runs
as `biencoder index` in a process of its own; the same passages through a bare `Embedder` take turns
with it. Searching is timed after the question is encoded. Results: `results/index.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from biencoder import Embedder, Index
from biencoder.corpus.beir import read_corpus
from biencoder.index.build import index_folder
from biencoder.index.hits import MODES
from biencoder.types import FloatArray
from harness import (
    RESULTS,
    conditions,
    interleaved,
    median,
    ratio,
    run_measured,
    seconds,
    write_results,
)
from workloads import CORPUS, EXAMPLES, mini_queries

BINARY = str(Path(sys.executable).with_name("biencoder"))
WORDS = 80
OVERHEAD_PASSAGES = 3_000
FILES = 10_000
QUESTIONS = 300


def main() -> None:
    """Measure each part; what is not measured now keeps its earlier figures and their conditions."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("overhead", "pipeline", "search", "incremental"))
    parser.add_argument("--small", type=int, default=10_000)
    parser.add_argument("--large", type=int, default=100_000)
    options = parser.parse_args()
    path = RESULTS / "index.json"
    facts: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    facts.pop("machine", None)
    with tempfile.TemporaryDirectory(dir=".") as temporary:
        folder = Path(temporary)
        if options.only in (None, "overhead"):
            facts["overhead"] = overhead(folder) | {"measured": conditions()}
        if options.only in (None, "incremental"):
            facts["incremental"] = incremental(folder) | {"measured": conditions()}
        if options.only in (None, "pipeline", "search"):
            made = {count: make(folder, count) for count in (options.small, options.large)}
            facts["pipeline"] = {f"{count:,} passages": row for count, row in made.items()}
            facts["search"] = search(folder / f"index-{options.large}") | {"measured": conditions()}
        print(write_results("index", facts))


def passages(count: int) -> list[str]:
    """Texts of about 80 words, of sentences in an order of their own."""
    pages = [*read_corpus(CORPUS), *read_corpus(EXAMPLES / "xquad/en")]
    sentences = [s for page in pages for s in re.split(r"(?<=[.!?])\s+", page.text) if len(s) < 400]
    source = random.Random(0)
    texts = []
    for number in range(count):
        words: list[str] = []
        while len(words) < WORDS:
            words += source.choice(sentences).split()
        texts.append(f"{' '.join(words)} ({number})")
    return texts


def overhead(folder: Path) -> dict[str, Any]:
    """Indexing rows against encoding the same texts with a bare Embedder, in turns."""
    texts, embedder = passages(OVERHEAD_PASSAGES), Embedder.load("mini")
    rows = _write_rows(folder / "overhead.jsonl", texts)
    runs = iter(range(1_000))
    taken = interleaved(
        {
            "index": lambda: index_folder(rows, folder / f"o{next(runs)}", embedder=embedder),
            "bare": lambda: embedder.encode_documents(texts),
        },
        rounds=5,
    )
    figures = {
        "passages": len(texts),
        "index, seconds": median(taken["index"]),
        "bare Embedder, seconds": median(taken["bare"]),
        "times bare (median of rounds)": ratio(taken["index"], taken["bare"]),
    }
    print(figures, flush=True)
    return figures


def make(folder: Path, count: int) -> dict[str, Any]:
    """Index ``count`` rows from nothing."""
    rows = _write_rows(folder / f"rows-{count}.jsonl", passages(count))
    figures = _index(rows, folder / f"index-{count}")
    figures["documents per second"] = round(count / figures["seconds"], 1)
    figures["measured"] = conditions()
    print(count, figures, flush=True)
    return figures


def incremental(folder: Path) -> dict[str, Any]:
    """Files: a first run, one without a change, one with every hundredth file changed."""
    docs = folder / "docs"
    for number, text in enumerate(passages(FILES)):
        path = docs / f"{number % 100:02d}" / f"{number:05d}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"# Number {number}\n\n{text}\n", encoding="utf-8")
    to = folder / "incremental"
    first, unchanged = _index(docs, to)["seconds"], _index(docs, to)["seconds"]
    for number in range(0, FILES, 100):
        with (docs / f"{number % 100:02d}" / f"{number:05d}.md").open("a") as file:
            file.write("\nOne sentence more.\n")
    touched = _index(docs, to)["seconds"]
    figures = {
        "files": FILES,
        "first run, seconds": first,
        "no change, seconds": unchanged,
        "one in a hundred changed, seconds": touched,
        "allowed for that, seconds": unchanged + 0.03 * first,
    }
    print(figures, flush=True)
    return figures


def search(folder: Path) -> dict[str, Any]:
    """Milliseconds from a question's vector to its hits, by mode."""
    index = Index.open(folder)
    questions = mini_queries()[:QUESTIONS]
    vectors = index.embedder.encode_queries(questions)
    figures: dict[str, Any] = {"rows": len(index)}
    for mode in MODES:
        taken = []
        for question, vector in zip(questions, vectors, strict=True):
            ask = partial(index.search_vector, question, partial(_given, vector), mode=mode)
            taken.append(1000 * seconds(partial(ask, top_k=10)))
        low, high = np.percentile(taken[10:], [50, 99])
        figures[mode] = {"p50 ms": round(float(low), 2), "p99 ms": round(float(high), 2)}
    print(figures, flush=True)
    return figures


def _given(vector: FloatArray) -> FloatArray:
    return vector


def _write_rows(path: Path, texts: list[str]) -> Path:
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            file.write(json.dumps({"_id": f"p{number}", "text": text}) + "\n")
    return path


def _index(source: Path, to: Path) -> dict[str, Any]:
    result = run_measured([BINARY, "index", str(source), "--to", str(to)], poll=0.1)
    if result["exit code"] != 0:
        raise SystemExit(result["output"])
    return {
        "seconds": round(result["seconds"], 1),
        "peak anonymous MB": round(result["peak anonymous MB"], 1),
    }


if __name__ == "__main__":
    main()
