"""`biencoder` itself: its version, and a reader who stops reading."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from tests.commands import run

MAIN = [sys.executable, "-m", "biencoder"]


def test_the_version_is_that_of_the_package() -> None:
    assert run("--version") == (0, f"biencoder {version('biencoder')}\n", "")


@pytest.mark.parametrize("arguments", [["models"], ["models", "--json"], ["--help"]])
def test_a_reader_that_has_gone_is_no_fault(arguments: list[str]) -> None:
    """rich ends with code 1 there, click too, and Python itself with 120."""
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as out:
        done = subprocess.run(
            [*MAIN, *arguments], stdout=out, stderr=subprocess.PIPE, check=False, timeout=120
        )
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_wrong_option_is_still_a_fault(tmp_path: Path) -> None:
    assert run("models", "--nonsense")[0] == 2
    assert run("report", tmp_path / "none")[0] == 1
