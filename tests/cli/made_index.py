"""One index for tests that look at an index, and the ways to damage a copy of it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from tests.commands import run
from tests.index.made_documents import write_documents
from tests.reading import made

from biencoder.index.layout import Generation, read_layout
from biencoder.index.ledger import Ledger
from biencoder.index.store import Store

FAILED = {"broken.pdf": "damaged", "empty.txt": "is empty"}
# One passage each, and one more for the second page of the manual.
DOCUMENTS, PASSAGES = 8, 9


def write_folder(folder: Path) -> Path:
    """Documents of four kinds, two files that cannot be read and one that is not."""
    write_documents(folder)
    pages = ["Hold the button for ten seconds to reset the device.", "The lamp turns green."]
    (folder / "manual.pdf").write_bytes(made.pdf(pages, title="Manual"))
    (folder / "broken.pdf").write_bytes(b"%PDF-1.4 nothing")
    (folder / "empty.txt").write_bytes(b"")
    (folder / "photo.png").write_bytes(b"\x89PNG")
    return folder


def write_index(folder: Path) -> Path:
    """The index of that folder; both lie in ``folder``."""
    code, _, err = run("index", write_folder(folder / "docs"), "--to", folder / "index")
    assert code == 3, err
    return folder / "index"


def copied(index: Path, to: Path) -> Path:
    """A copy that may be damaged."""
    shutil.copytree(index, to)
    return to


def live(index: Path) -> Generation:
    return read_layout(index).generation()


def with_new_rows(index: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Write the table anew behind the ledger's back, with the version and file account it expects.

    What stands in the ledger stays; only the rows and their order are what ``change`` makes of them.
    """
    place = live(index)
    before = Store.open(place.folder)
    rows = pa.Table.from_batches(list(before.scan(before.schema.names)))
    sources: list[Any] = rows["source"].unique().to_pylist()
    before.delete_sources(sources)
    before.add(change(rows))
    before.build_words()
    ledger = Ledger(place.ledger)
    with ledger.transaction():
        ledger.set_fact("acknowledged", {"version": before.version})
    ledger.close()


def overwrite(path: Path, at: int, value: float) -> None:
    """Change one number of a .npy file."""
    array = np.load(path, mmap_mode="r+")
    array[at, 0] = value
    array.flush()
