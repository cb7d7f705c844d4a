"""Who follows the README in a clone leaves nothing behind that git would add."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_WRITTEN = re.compile(r"^\$? ?biencoder .*?--(?:output|to) (?!/)(\S+)", re.MULTILINE)


def test_what_the_readme_writes_is_ignored() -> None:
    if not (ROOT / ".git").exists():
        pytest.skip("no clone")
    written = set(_WRITTEN.findall((ROOT / "README.md").read_text(encoding="utf-8")))
    assert {"docs.npy", "questions.parquet", "report.html", "results", "my-index"} <= written
    vectors = {name for name in written if name.endswith((".npy", ".parquet", ".jsonl"))}
    beside = {str(Path(name).with_suffix(".meta.json")) for name in vectors}
    # What is a folder is asked for as one, there or not.
    names = [name if Path(name).suffix else f"{name}/" for name in written | beside]
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *names],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert sorted(done.stdout.split()) == sorted(names)
