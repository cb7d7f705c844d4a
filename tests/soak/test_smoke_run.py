"""Minutes long: the recipe learns, and a long stream stays small."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

ROOT = Path(__file__).parent.parent.parent
BINARY = Path(sys.executable).with_name("biencoder")


def test_two_minutes_of_the_recipe_beat_its_start(tmp_path: Path) -> None:
    run = subprocess.run(
        [
            BINARY,
            "distil",
            "--recipe",
            "mini",
            "--smoke",
            "--to",
            tmp_path / "run",
            "--cache",
            tmp_path / "cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = re.search(r"nDCG@10 .*: ([\d.]+) before, ([\d.]+) after", run.stderr)
    assert found is not None
    assert float(found[2]) > float(found[1])
    assert (tmp_path / "run" / "model" / "model.safetensors").exists()


def test_more_texts_take_no_more_memory() -> None:
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import stream

    # Compiled products and the allocator settle within the first 60,000 texts.
    few, many = stream.measure(60_000), stream.measure(200_000)
    assert many["rows written"] == 200_000
    assert many["peak anonymous MB"] < 1.1 * few["peak anonymous MB"]
