"""A million short texts to .npy: does memory stay bounded?

    python benchmarks/stream.py [--texts 1000000]

Runs `biencoder embed` with `mini` on a tenth of the texts and on all of them, each in a process of
its own, and compares the peaks of memory. Results: `results/stream.json`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from harness import run_measured, write_results
from workloads import mini_queries

BINARY = str(Path(sys.executable).with_name("biencoder"))


def main() -> None:
    """Write the texts, embed them, count the rows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=1_000_000)
    total = parser.parse_args().texts
    rows = {f"{count:,} texts": measure(count) for count in (total // 10, total)}
    print(write_results("stream", rows))


def measure(count: int) -> dict[str, Any]:
    """Embed ``count`` short texts at 64 dimensions."""
    source, headings = random.Random(0), mini_queries()
    with tempfile.TemporaryDirectory(dir=".") as folder:
        texts, vectors = Path(folder, "texts.txt"), Path(folder, "vectors.npy")
        with texts.open("w", encoding="utf-8") as file:
            for number in range(count):
                heading = source.choice(headings).replace("\n", " ")
                file.write(f"{heading} {number}\n")
        result = run_measured(
            [BINARY, "embed", str(texts), "--output", str(vectors), "--dimensions", "64"], poll=0.1
        )
        if result["exit code"] != 0:
            raise SystemExit(result["output"])
        shape = np.load(vectors, mmap_mode="r").shape
        size = texts.stat().st_size / 1e6
    figures = {
        "rows written": shape[0],
        "input MB": round(size, 1),
        "seconds": round(result["seconds"], 1),
        "texts per second": round(count / result["seconds"]),
        "peak anonymous MB": round(result["peak anonymous MB"], 1),
    }
    print(figures, flush=True)
    return figures


if __name__ == "__main__":
    main()
