"""Half an hour: killed at every commit point and at 200 random moments, an index comes to the same end."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.soak

ROOT = Path(__file__).parent.parent.parent


def test_killed_at_every_commit_point_and_at_200_random_moments_an_index_is_as_undisturbed() -> (
    None
):
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import crash
    from harness import write_results

    counts = crash.measure(50)
    write_results("crash", counts)
    whole = counts["all"]
    assert whole["killed at random moments"] >= 200
    assert whole["killed at commit points"] >= 500
    assert whole["ended as undisturbed"] >= 700
