"""What a run tells while it runs: documents one by one, then pages one by one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.index import made_pages

from biencoder.index.build import index_folder
from biencoder.index.meter import Tick


def test_pages_have_a_bar_of_their_own_behind_that_of_the_documents(tmp_path: Path) -> None:
    told: list[tuple[str, int | None, str]] = []
    done: list[int] = []

    @contextmanager
    def meter(label: str, total: int | None, unit: str) -> Iterator[Tick]:
        told.append((label, total, unit))
        done.append(0)
        place = len(done) - 1

        def tick(count: int) -> None:
            done[place] += count

        yield tick

    source, model = made_pages.write_sources(tmp_path / "source"), made_pages.mini()
    index_folder(source, tmp_path / "index", made_pages.OPTIONS, embedder=model, meter=meter)
    # A note; a report of three pages, and three photos.
    assert told == [
        ("looking", None, "files"),
        ("indexing", 1, "documents"),
        ("indexing", None, "pages"),
    ]
    assert done == [5, 1, 6]
    # Nothing has changed, so there is nothing to show.
    told.clear()
    index_folder(source, tmp_path / "index", made_pages.OPTIONS, embedder=model, meter=meter)
    assert [label for label, _, _ in told] == ["looking"]
