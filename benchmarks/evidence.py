"""Measure every number of the README again, and set it beside what stands there.

    python benchmarks/evidence.py [--data ../shared/data] [--only quality ...]

On a plain clone everything but four rows can be measured: Cranfield and the held-out pairs, each in
`quality` and in `hybrid`, may not be shipped and need --data. What was measured replaces the files in
`results/`; what was not is listed with its date, then the README's blocks as they were and as they
are now.
"""

from __future__ import annotations

import argparse
import difflib
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from readme_blocks import README, read, with_blocks

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Part:
    """What is run, which result file it writes, and about how many minutes it took on two cores."""

    command: tuple[str, ...]
    file: str
    minutes: float


PARTS = {
    "leaderboard": Part(("leaderboard.py",), "leaderboard", 0.2),
    "quality": Part(("quality.py",), "quality", 2),
    "hybrid": Part(("hybrid.py",), "hybrid", 2),
    "index": Part(("index.py",), "index", 25),
    "start": Part(("encode.py", "--only", "start"), "encode_start", 0.5),
    "mini": Part(("encode.py", "--only", "mini"), "encode_mini", 6),
    "memory": Part(("stream.py",), "stream", 12),
    "1b": Part(("encode.py", "--only", "1b"), "encode_1b", 25),
}


def main() -> None:
    """Run the parts, then show what changed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--only", nargs="*", choices=tuple(PARTS), default=tuple(PARTS))
    options = parser.parse_args()
    before = README.read_text(encoding="utf-8")
    minutes = sum(PARTS[name].minutes for name in options.only)
    print(f"{len(options.only)} parts, about {minutes:.0f} minutes on two quiet cores")
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    for name in options.only:
        script, *flags = PARTS[name].command
        if name in ("quality", "hybrid") and options.data is not None:
            flags += ["--data", str(options.data)]
        began = time.monotonic()
        print(f"--- {name}", flush=True)
        subprocess.run([sys.executable, str(HERE / script), *flags], check=True)
        print(f"--- {name}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    files = {part.file: read(part.file) for part in PARTS.values()}
    print(told(before, with_blocks(before), list(not_measured(files, since))))


def not_measured(files: Mapping[str, Mapping[str, Any]], since: str) -> Iterator[tuple[str, str]]:
    """The files, or the rows of a newer file, whose figures are older than ``since``: name, date."""
    for name, content in files.items():
        date = str(content["machine"]["date"])
        rows = [(name, date)] if date < since else _dated(content, name)
        yield from ((row, measured) for row, measured in rows if measured < since)


def _dated(value: object, name: str) -> Iterator[tuple[str, str]]:
    """Every row that says when it was measured, and what it says."""
    if not isinstance(value, Mapping):
        return
    if "measured" in value:
        yield name, value["measured"]["date"]
    for key, inner in value.items():
        yield from _dated(inner, f"{name}, {key}")


def told(before: str, now: str, older: Sequence[tuple[str, str]]) -> str:
    """What was not measured again, then the README's lines that would change."""
    lines = [f"not measured in this run, but on {date}: {row}" for row, date in older]
    changed = difflib.unified_diff(
        before.splitlines(), now.splitlines(), "README.md", "measured now", n=0, lineterm=""
    )
    which = "every number that was measured" if older else "every number"
    lines += list(changed) or [f"{which} is the same to the last digit shown"]
    return "\n".join([*lines, "To take the new figures over: python benchmarks/readme_blocks.py"])


if __name__ == "__main__":
    main()
