"""The example of pages, with a tiny random page model: the road is real, its ranking means nothing."""

from __future__ import annotations

import re
import runpy
import sys
from pathlib import Path

import pytest
from tests import tiny_pages

EXAMPLE = Path(__file__).parent.parent.parent / "examples/pages.py"


def test_pages_are_ranked_in_three_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tiny_pages.write_checkpoint(tmp_path / "tiny")
    monkeypatch.setattr(sys, "argv", ["pages.py", "which one?", "--model", str(model)])
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["which one?", f"nvingest-multimodal-test.pdf, 3 pages, {model}"]
    assert [line.split(":")[0] for line in lines[2:]] == [
        "by image",
        "by image and text",
        "by text",
    ]
    for line in lines[2:]:
        ranked = re.findall(r"page (\d) \((-?\d\.\d{3})\)", line)
        assert sorted(number for number, _ in ranked) == ["1", "2", "3"]
        scores = [float(score) for _, score in ranked]
        assert scores == sorted(scores, reverse=True)
