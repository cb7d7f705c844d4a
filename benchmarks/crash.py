"""An index is killed at every commit point and at random moments, and run again.

    python benchmarks/crash.py [--random 50]

Four jobs (a first run, a run over changed sources, a compaction, a re-embedding) in processes of
their own, two jobs at a time. After each kill a copy is opened: every acknowledged document must be
readable; then the job is run again: ids, counts, a checksum of each document's vectors and texts, and
the best passages with their scores must equal an undisturbed run's. The first difference ends the
whole with an error. SIGKILL proves nothing about a power cut: `tests/index/test_durable.py` watches
the order of syncing for that. About 20 minutes. Results: `results/crash.json`.
"""

from __future__ import annotations

import argparse
import os
import random
import sys
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.index.crash_rounds import JOBS, make_job, serving

from harness import write_results


def main() -> None:
    """Run all jobs and keep the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--random", type=int, default=50, help="kills at random moments, a job")
    print(write_results("crash", measure(parser.parse_args().random)))


def measure(kills: int) -> dict[str, Any]:
    """The counts of every job."""
    with tempfile.TemporaryDirectory() as place, ThreadPoolExecutor(2) as pool:
        folders = [Path(place, name) for name in JOBS]
        counts = dict(
            zip(JOBS, pool.map(lambda folder: rounds(folder, kills), folders), strict=True)
        )
    total: Counter[str] = Counter()
    for job in counts.values():
        total.update({name: count for name, count in job.items() if isinstance(count, int)})
    return {"all": dict(total), **counts}


def rounds(place: Path, kills: int) -> dict[str, Any]:
    """Every commit point of a job, then random moments until it was killed so often."""
    chance, at_random = random.Random(place.name), 0
    with serving() as server:
        job = make_job(server, place, place.name)
        for point in range(len(job.points)):
            job.kill_at(point)
        while at_random < kills:
            at_random += job.kill_after(chance.uniform(0, job.seconds))
    done = {
        "killed at commit points": len(job.points),
        "killed at random moments": at_random,
        "ended as undisturbed": job.outcomes.total() // 2,
        **dict(sorted(job.outcomes.items())),
        "seconds undisturbed": round(job.seconds, 2),
        "commit points by kind": dict(Counter(job.points).most_common()),
    }
    print(f"{place.name}: {done}", flush=True)
    return done


if __name__ == "__main__":
    main()
