"""Windows: few texts of a slow model, many of a quick one, the same vectors whatever they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.index.made_documents import write_documents
from tests.index.made_index import mini

from biencoder import Embedder, Index
from biencoder.batching.schedule import WINDOW_TEXTS, windows
from biencoder.index.build import Options, index_folder
from biencoder.index.feed import Pace


def test_windows_grow_while_they_are_quick_and_shrink_to_what_takes_two_seconds() -> None:
    pace = Pace(1_000)
    assert pace() == 8
    pace.took(8, seconds=0.1)
    assert pace() == 32
    pace.took(32, seconds=1.0)
    assert pace() == 64
    pace.took(64, seconds=8.0)
    assert pace() == 16
    pace.took(16, seconds=100.0)
    assert pace() == 1
    for _ in range(9):
        pace.took(pace(), seconds=0.0)
    assert pace() == 1_000


def test_a_window_never_holds_more_than_a_commit() -> None:
    pace = Pace(5)
    assert pace() == 5
    pace.took(5, seconds=0.0)
    assert pace() == 5


def test_a_window_s_size_is_asked_for_before_each() -> None:
    sizes = iter([2, 3, 1, 9])
    cut = windows(map(str, range(8)), max_texts=lambda: next(sizes))
    assert [len(window) for window in cut] == [2, 3, 1, 2]


def test_after_ctrl_c_at_a_slow_model_s_third_window_the_first_two_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs, to = tmp_path / "docs", tmp_path / "index"
    docs.mkdir()
    for number in range(60):
        (docs / f"{number:02}.txt").write_text(f"Lamp {number} is lit.")
    took: list[int] = []
    clock = iter(range(0, 10_000, 4))

    def tick(count: int) -> None:
        took.append(count)
        if sum(took) > 8:
            raise KeyboardInterrupt

    # Each window takes four seconds by this clock, so none grows.
    monkeypatch.setattr("biencoder.index.feed.time.monotonic", lambda: float(next(clock)))
    with pytest.raises(KeyboardInterrupt):
        index_folder(docs, to, Options(workers=1), embedder=mini(), meter=_metered(tick))
    kept = len(Index.open(to, embedder=mini()))
    assert took[0] == 8
    assert kept == sum(took) <= 16


def _metered(tick: Any) -> Any:
    from contextlib import nullcontext

    return lambda label, total, unit: nullcontext(tick if label == "indexing" else lambda n: None)


def test_the_vectors_are_the_same_in_windows_of_any_size(tmp_path: Path) -> None:
    model = Embedder.load("mini")
    docs = write_documents(tmp_path / "docs")
    vectors = []
    for every in (1, 3, WINDOW_TEXTS):
        to = tmp_path / f"index-{every}"
        index_folder(docs, to, Options(commit_every=every), embedder=model)
        mirror = Index.open(to, embedder=model)._snapshot.mirror
        order = np.argsort(mirror.columns["source"].to_numpy())
        vectors.append(np.asarray(mirror.vectors_ND)[order])
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-5)
    np.testing.assert_allclose(vectors[2], vectors[0], atol=1e-5)
