"""What the demo says of its table is counted from the table."""

from __future__ import annotations

import runpy
from pathlib import Path

DEMO = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "demo.py"))


def test_the_closing_sentence_counts_the_places_that_were_printed() -> None:
    places = {
        "a?": {"dense": 1, "lexical": 7, "hybrid": 1},
        "b?": {"dense": None, "lexical": 1, "hybrid": 2},
        "c?": {"dense": 10, "lexical": None, "hybrid": 1},
    }
    assert DEMO["outcome"](places) == (
        "In first place: dense 1 of 3, BM25 1, hybrid 2. "
        "Among the first ten: dense 2, BM25 2, hybrid 3."
    )
