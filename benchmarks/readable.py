"""Which texts does `mini` hardly read? The share flagged, language by language.

    python benchmarks/readable.py ../shared/data

XQuAD and the FastAPI documentation in many languages; results: `results/readable.json`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from biencoder import Embedder
from biencoder.corpus.beir import read_corpus
from biencoder.text.readable import MAX_TOKENS_PER_CHARACTER, MAX_UNKNOWN_SHARE
from harness import write_results


def main() -> None:
    """Measure every language folder below the data folder."""
    data = Path(sys.argv[1])
    model = Embedder.load("mini")
    rows = {}
    for folder in sorted([*data.glob("xquad/*"), *data.glob("fastapi-docs/*")]):
        texts = [document.full_text for document in read_corpus(folder) if document.text]
        encoded = model.tokenizer.encode(texts, prefix="passage: ", max_tokens=512, truncate="END")
        ratio = [len(ids) / (len(text) + 9) for ids, text in zip(encoded.ids, texts, strict=True)]
        rows[f"{folder.parent.name}/{folder.name}"] = {
            "texts": len(texts),
            "flagged": len(encoded.unreadable) / len(texts),
            "tokens per character, median": float(np.median(ratio)),
        }
        print(
            f"{folder.parent.name}/{folder.name}: {len(encoded.unreadable)} of {len(texts)} flagged"
        )
    thresholds = {
        "unknown share above": MAX_UNKNOWN_SHARE,
        "tokens per character above": MAX_TOKENS_PER_CHARACTER,
    }
    print(write_results("readable", {"thresholds": thresholds, "sets": rows}))


if __name__ == "__main__":
    main()
