"""What is kept beside the table for its pages, read file by file and held against its rows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import numpy as np

from biencoder.errors import IndexDamagedError
from biencoder.index.layout import Generation
from biencoder.index.opened import read_only_ledger
from biencoder.index.page_files import PageFiles
from biencoder.index.page_rows import pictured
from biencoder.index.rows import vectors_of
from biencoder.index.store import Store
from biencoder.index.verify_table import Check
from biencoder.types import FloatArray


def page_checks(
    store: Store, files: PageFiles, *, unfinished: bool, tick: Callable[[int], None]
) -> list[Check]:
    """Every page of the table has its picture and its parts; no file is there without a page.

    unfinished: some documents are not done; what is there of them waits for the next run.
    """
    pages, orphans = Check("pages"), Check("page files")
    standing: set[str] = set()
    # A generation's pages lie beside its ledger.
    with closing(read_only_ledger(Generation(files.folder.parent))) as ledger:
        documents = pictured(ledger)
    try:
        for batch in store.scan(["id", "source", "page", "vector"]):
            vectors_ND = vectors_of(batch)
            columns = (batch.column(name).to_pylist() for name in ("id", "source", "page"))
            for row, (id_, source, page) in enumerate(zip(*columns, strict=True)):
                if source not in documents:
                    continue
                standing.add(id_)
                pages.looked_at += 1
                what = _fault(files, id_, vectors_ND[row])
                if what:
                    pages.wrong(f"{source}{f', page {page}' if page else ''}: {what}")
                tick(1)
    except IndexDamagedError as error:
        pages.wrong(error.message)
        return [pages]
    for path in files.orphans(standing):
        orphans.looked_at += 1
        if unfinished:
            orphans.not_yet = "some wait for documents that are not finished"
        else:
            orphans.wrong(f"{path.name} belongs to no page")
    orphans.looked_at += 2 * len(standing)
    return [pages, orphans]


def _fault(files: PageFiles, id_: str, vector_D: FloatArray) -> str:
    """What is wrong with the files of a page, or nothing."""
    if next(files.lacking([id_]), None) is not None:
        return "its picture, or how the model saw it, is missing"
    seen = files.whole(id_)
    if seen is None:
        return "its picture, or how the model saw it, is damaged"
    if not np.array_equal(seen.vector_D, vector_D):
        return "what is kept of it is another page's"
    return ""
