"""Measure every number of the README again, and set it beside what stands there.

    python benchmarks/evidence.py [--data ../shared/data] [--only quality ...]

On a plain clone everything but two rows can be measured: Cranfield and the held-out pairs may not be
shipped, and need --data. What was measured replaces the files in `results/`; the README's blocks
are printed as they were and as they are now.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
import time
from pathlib import Path

from readme_blocks import README, with_blocks

HERE = Path(__file__).parent
# What is run, and about how many minutes it took on two cores.
PARTS: dict[str, tuple[tuple[str, ...], float]] = {
    "leaderboard": (("leaderboard.py",), 0.2),
    "quality": (("quality.py",), 2),
    "hybrid": (("hybrid.py",), 2),
    "index": (("index.py",), 25),
    "start": (("encode.py", "--only", "start"), 0.5),
    "mini": (("encode.py", "--only", "mini"), 6),
    "memory": (("stream.py",), 12),
    "1b": (("encode.py", "--only", "1b"), 25),
}


def main() -> None:
    """Run the parts, then show what changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*", choices=tuple(PARTS), default=tuple(PARTS))
    options = parser.parse_args()
    before = README.read_text(encoding="utf-8")
    minutes = sum(PARTS[name][1] for name in options.only)
    print(f"{len(options.only)} parts, about {minutes:.0f} minutes on two quiet cores")
    for name in options.only:
        script, *flags = PARTS[name][0]
        if name in ("quality", "hybrid") and options.data is not None:
            flags += ["--data", str(options.data)]
        began = time.monotonic()
        print(f"--- {name}", flush=True)
        subprocess.run([sys.executable, str(HERE / script), *flags], check=True)
        print(f"--- {name}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    show(before, with_blocks(before))


def show(before: str, now: str) -> None:
    """The README's lines that would change."""
    lines = list(
        difflib.unified_diff(
            before.splitlines(), now.splitlines(), "README.md", "measured now", n=0, lineterm=""
        )
    )
    print("\n".join(lines) or "every number is the same to the last digit shown")
    print("To take the new figures over: python benchmarks/readme_blocks.py")


if __name__ == "__main__":
    main()
