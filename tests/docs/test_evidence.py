"""What `make evidence` says of the README's figures is true."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parent.parent.parent / "benchmarks"
OLD, BEGAN, NEW = "2026-01-01 09:00 UTC", "2026-01-02 09:00 UTC", "2026-01-02 09:01 UTC"


@pytest.fixture
def evidence(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import evidence

    return evidence


@pytest.fixture
def quality(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    import quality

    return quality


def test_a_figure_that_was_not_measured_again_is_named_with_its_date(evidence: ModuleType) -> None:
    rows = {
        "xquad/en": {"mini": {"ndcg@10": 0.9}, "measured": {"date": NEW}},
        "cranfield": {"mini": {"ndcg@10": 0.3}, "measured": {"date": OLD}},
    }
    files = {
        "quality": {"machine": {"date": NEW}, "sets": rows},
        "stream": {"machine": {"date": OLD}, "long": {"measured": {"date": OLD}}},
    }
    older = list(evidence.not_measured(files, BEGAN))
    assert older == [("quality, sets, cranfield", OLD), ("stream", OLD)]
    told = evidence.told("90.6", "90.6", older).splitlines()
    assert told[:3] == [
        f"not measured in this run, but on {OLD}: quality, sets, cranfield",
        f"not measured in this run, but on {OLD}: stream",
        "every number that was measured is the same to the last digit shown",
    ]


def test_every_number_is_said_to_be_the_same_only_where_every_number_was_measured(
    evidence: ModuleType,
) -> None:
    told = evidence.told("90.6", "90.6", [])
    assert told.startswith("every number is the same to the last digit shown")
    changed = evidence.told("90.6", "90.5", [])
    assert "every number" not in changed
    assert "-90.6\n+90.5" in changed


def test_each_part_names_a_file_that_stands_and_says_when_it_was_measured(
    evidence: ModuleType,
) -> None:
    for part in evidence.PARTS.values():
        content = json.loads((BENCHMARKS / "results" / f"{part.file}.json").read_text("utf-8"))
        assert content["machine"]["date"].endswith("UTC")
        assert (BENCHMARKS / part.command[0]).exists()


def test_quality_is_measured_into_a_fresh_folder_unless_one_is_named(
    quality: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    used: list[Path] = []

    def measure(data: Path | None, output: Path) -> dict[str, Any]:
        assert not used or output == tmp_path or not list(output.iterdir())
        used.append(output)
        if output != tmp_path:
            (output / "mini.json").write_text("{}")
        return {}

    monkeypatch.setattr(quality, "measure", measure)
    monkeypatch.setattr(quality, "write_results", lambda name, value: name)
    for arguments in ([], [], ["--output", str(tmp_path)]):
        monkeypatch.setattr(sys, "argv", ["quality.py", *arguments])
        quality.main()
    first, second, named = used
    assert first != second
    assert named == tmp_path
    assert not first.exists()
    assert not second.exists()


def test_the_readme_says_in_which_format_quality_was_computed_where_the_file_does(
    evidence: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    import readme_blocks

    def sets(**formats: str) -> dict[str, Any]:
        figures = {"ndcg@10": 0.5, "interval of ndcg@10": [0.4, 0.6], "queries": 3}
        systems = {name: figures | {"dtype": formats.get(name)} for name in SYSTEMS}
        return {"sets": {"xquad/en": systems}}

    SYSTEMS = ("mini", "all-MiniLM-L6-v2", "BM25")
    known = sets(**{"mini": "bfloat16", "all-MiniLM-L6-v2": "float32"})
    monkeypatch.setattr(readme_blocks, "read", lambda name: known)
    assert readme_blocks.quality().endswith(
        "| 3 |\n\nComputed: `mini` in bfloat16, `all-MiniLM-L6-v2` in float32."
    )
    monkeypatch.setattr(readme_blocks, "read", lambda name: sets())
    assert readme_blocks.quality().endswith("| 3 |")


def test_the_figures_of_quality_hold_the_format_they_were_computed_in(quality: ModuleType) -> None:
    from tests.evaluate.made_results import made

    metrics = {"recall@5": 0.5, "recall@100": 0.5}
    assert quality.figures(made([0.5], extra=metrics))["dtype"] == "bfloat16"
    assert quality.figures(made([0.5], system="BM25", extra=metrics))["dtype"] is None
