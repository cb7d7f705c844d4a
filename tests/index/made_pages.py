"""Made for tests of indices that read pages by their looks; as `made_index.py` for passages.

`crash_child.py` takes this module in the place of that one.
"""

from __future__ import annotations

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from tests import tiny_pages
from tests.index import made_index
from tests.reading import made

from biencoder import Embedder, Index
from biencoder.index.build import Options, index_folder
from biencoder.index.ingest import Tally
from biencoder.index.page_settings import PageOptions
from biencoder.index.rows import vectors_of

# Pages so small that drawing them takes no time; so few rows that a run comes to some commits.
PAGES = PageOptions(dpi=36)
OPTIONS = Options(commit_every=3, workers=1, pages=PAGES)


@dataclass(frozen=True)
class Contents(made_index.Contents):
    """What an index holds, and a hash of the picture of every page by the page's id."""

    pictures: dict[str, str]


@cache
def checkpoint() -> Path:
    """A tiny page model; gone with this process."""
    place = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, place, ignore_errors=True)
    return tiny_pages.write_checkpoint(place / "tiny-pages")


@cache
def mini() -> Embedder:
    """That model. It computes each page alone, so that a page read again has the same bits."""
    embedder = Embedder.load(checkpoint())
    embedder.token_budget = 1
    return embedder


def write_sources(folder: Path) -> Path:
    """A report of three pages, the last of them a scan; three photos; a note in Markdown."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.pdf").write_bytes(made.pdf(["Hold the lamp button.", "A loud pump.", ""]))
    for number in range(3):
        write_photo(folder, number)
    (folder / "note.md").write_text("# Tea\n\nA kettle for tea.\n", encoding="utf-8")
    return folder


def change_sources(folder: Path) -> None:
    """The report says something else, a photo is gone, one is another, one is new."""
    (folder / "report.pdf").write_bytes(made.pdf(["Turn the lamp off.", "A quiet pump."]))
    (folder / "photo-0.png").unlink()
    write_photo(folder, 1, seed=9)
    write_photo(folder, 7)


def write_photo(folder: Path, number: int, *, seed: int | None = None) -> Path:
    """Noise of 200 x 90 pixels: three tiles and a thumbnail."""
    path = folder / f"photo-{number}.png"
    tiny_pages.picture(200, 90, seed=number if seed is None else seed).save(path)
    return path


def index(source: Path, folder: Path, options: Options = OPTIONS) -> Tally:
    """Index as a user would."""
    return index_folder(source, folder, options, embedder=mini())


def opened(folder: Path) -> Index:
    """The index with its model."""
    return Index.open(folder, embedder=mini())


def contents(folder: Path) -> Contents:
    """What somebody who opens the index finds: no page without its picture and its own vector."""
    index = opened(folder)
    snapshot = index._snapshot
    pictures: dict[str, str] = {}
    for batch in snapshot.store.scan(["id", "source", "vector"]):
        ids, sources = (batch.column(name).to_pylist() for name in ("id", "source"))
        for id_, source, vector_D in zip(ids, sources, vectors_of(batch), strict=True):
            if str(source).endswith((".pdf", ".png")):
                seen = snapshot.pages.whole(str(id_))
                assert seen is not None, f"{source} stands there without its picture"
                np.testing.assert_array_equal(seen.vector_D, vector_D)
                picture = index.page_image(str(id_))
                assert picture is not None
                pictures[str(id_)] = hashlib.sha256(picture).hexdigest()
    plain = made_index.contents_of(index)
    return Contents(plain.ids, plain.checksums, plain.best, pictures)


def page_files(folder: Path) -> Iterator[Path]:
    """What lies beside the table of the live generation."""
    pages = made_index.live(folder) / "pages"
    yield from sorted(path for path in pages.rglob("*") if path.is_file())
