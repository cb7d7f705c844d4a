"""Exact search of a million vectors beside faiss: seconds, peak memory, the same documents.

    python benchmarks/exact_search.py [--documents 1000000] [--rounds 7]

Random unit vectors of 384 numbers, 1,000 queries, the best 10 and the best 100, in turn with
`faiss.IndexFlatIP` on the same cores in one process; ours reads a memory map and sorts the ids
within the measured time, faiss has its vectors in memory. Peak memory is that of a process of its
own, each. A round during which other processes took part of the cores (Linux tells) is counted
and left out: both libraries wait for their slowest thread. Results: `results/exact_search.json`.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from biencoder.evaluate.exact import TopK, search
from biencoder.types import FloatArray
from harness import median, run_measured, seconds, write_results

QUERIES, SIZE, BESTS = 1000, 384, (10, 100)
# Two scores nearer than this may stand in either order: the two libraries add up differently.
NEAR = 1e-6
# Share of the cores that other processes may take in a round that counts.
OTHERS = 0.05


def main() -> None:
    """Make the vectors, then speed in this process and memory in others."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--once", choices=("biencoder", "faiss"), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.once:
        contestants(asked.folder, BESTS[-1])[asked.once]()
        return
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        write_vectors(folder, asked.documents)
        rows = {f"best {k}": measure(folder, k, asked.rounds) for k in BESTS}
        memory = {who: peak_memory(who, folder) for who in ("biencoder", "faiss")}
    shape = f"{asked.documents:,} documents x {SIZE} numbers, {QUERIES:,} queries"
    print(
        write_results(
            "exact_search",
            {
                "shape": shape,
                **rows,
                "peak memory of one search of the best 100": memory,
            },
        )
    )


def write_vectors(folder: Path, documents: int) -> None:
    """Unit vectors by a fixed seed, written in parts."""
    source = np.random.default_rng(0)
    np.save(folder / "queries.npy", unit(source, QUERIES))
    file = np.lib.format.open_memmap(
        folder / "documents.npy", mode="w+", dtype=np.float32, shape=(documents, SIZE)
    )
    for start in range(0, documents, 50_000):
        file[start : start + 50_000] = unit(source, len(file[start : start + 50_000]))
    file.flush()


def unit(source: np.random.Generator, rows: int) -> FloatArray:
    """Random directions, shape (rows, SIZE)."""
    vectors: FloatArray = source.standard_normal((rows, SIZE), dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def contestants(folder: Path, k: int) -> dict[str, Callable[[], Any]]:
    """Both searches over the same vectors; what each must load is loaded when it is first called."""
    queries_QD = np.load(folder / "queries.npy")
    documents = np.load(folder / "documents.npy", mmap_mode="r")
    ids = [f"d{row}" for row in range(len(documents))]
    indexes: list[Any] = []

    def ours() -> TopK:
        return search(queries_QD, documents, ids, k=k)

    def theirs() -> tuple[FloatArray, np.ndarray]:
        if not indexes:
            import faiss

            indexes.append(faiss.IndexFlatIP(SIZE))
            for start in range(0, len(documents), 50_000):
                indexes[0].add(np.ascontiguousarray(documents[start : start + 50_000]))
        scores_QK, rows_QK = indexes[0].search(queries_QD, k)
        return scores_QK, rows_QK

    return {"biencoder": ours, "faiss": theirs}


def measure(folder: Path, k: int, rounds: int) -> dict[str, Any]:
    """Median seconds of both, the median ratio of the rounds, and whether they agree."""
    both = contestants(folder, k)
    found, (scores_QK, rows_QK) = both["biencoder"](), both["faiss"]()
    taken, disturbed = quiet_rounds(both, rounds)
    ratios = [b / a for a, b in zip(taken["biencoder"], taken["faiss"], strict=True)]
    figures = {
        **{f"{who}, seconds": round(median(values), 3) for who, values in taken.items()},
        "speed, share of faiss (median)": round(median(ratios), 3),
        "speed, share of faiss (least, greatest)": [round(min(ratios), 3), round(max(ratios), 3)],
        "queries per second": round(QUERIES / median(taken["biencoder"]), 1),
        "rounds counted": len(ratios),
        "rounds left out, disturbed by other processes": disturbed,
        **agreement(found, scores_QK, rows_QK),
    }
    print(f"best {k}", figures, flush=True)
    return figures


def quiet_rounds(
    both: dict[str, Callable[[], Any]], rounds: int
) -> tuple[dict[str, list[float]], int]:
    """Seconds of each in turn over ``rounds`` undisturbed rounds; how many were disturbed."""
    taken: dict[str, list[float]] = {who: [] for who in both}
    disturbed = 0
    while min(map(len, taken.values())) < rounds:
        before, own = busy_seconds(), sum(os.times()[:2])
        round_ = {who: seconds(work) for who, work in both.items()}
        others = busy_seconds() - before - (sum(os.times()[:2]) - own)
        if others > OTHERS * sum(round_.values()) * (os.cpu_count() or 1):
            disturbed += 1
            print(f"disturbed: {round_}, others took {others:.1f} core seconds", flush=True)
            if disturbed > 20 * rounds:
                raise SystemExit("this machine is never quiet; run it again later")
            continue
        for who, value in round_.items():
            taken[who].append(value)
    return taken, disturbed


def busy_seconds() -> float:
    """Seconds that the machine's cores have worked since it started; 0 where nothing tells."""
    path = Path("/proc/stat")
    if not path.exists():
        return 0.0
    # user, nice, system, idle, iowait, irq, softirq, steal; all but idle and iowait.
    numbers = [int(value) for value in path.read_text(encoding="ascii").split()[1:9]]
    return (sum(numbers) - numbers[3] - numbers[4]) / os.sysconf("SC_CLK_TCK")


def agreement(found: TopK, scores_QK: FloatArray, rows_QK: np.ndarray) -> dict[str, Any]:
    """Places with the same document, and those that differ without a near tie to explain it."""
    differs = found.rows_QK != rows_QK
    unlike = np.abs(found.scores_QK - scores_QK) > NEAR
    return {
        "same document, share of places": round(float((~differs).mean()), 6),
        "places that differ beyond a near tie": int((differs & unlike).sum()),
    }


def peak_memory(who: str, folder: Path) -> dict[str, Any]:
    """One search in a process of its own."""
    began = time.perf_counter()
    result = run_measured([sys.executable, __file__, "--once", who, "--folder", str(folder)])
    if result["exit code"] != 0:
        raise SystemExit(result["output"])
    figures = {
        "resident MB, mapped vectors included": round(result["peak resident MB"]),
        "anonymous MB": round(result["peak anonymous MB"]),
        "seconds with loading": round(time.perf_counter() - began, 1),
    }
    print(who, figures, flush=True)
    return figures


if __name__ == "__main__":
    main()
