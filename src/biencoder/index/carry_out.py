"""A plan carried out: texts first, then pages by their looks, each under a progress bar of its own.

Looking at a page takes a model of that size seconds, so the second bar counts pages, not documents.
"""

from __future__ import annotations

from biencoder.index.ingest import Ingest, Tally
from biencoder.index.meter import Meter
from biencoder.index.plan import Plan
from biencoder.index.sources import documents
from biencoder.index.writer import Writer, unbroken
from biencoder.reading.limits import Limits
from biencoder.reading.pool import ReaderPool


def carry_out(
    plan: Plan, ingest: Ingest, *, label: str, meter: Meter, workers: int, limits: Limits
) -> Tally:
    """Index what the plan wants and remove what is gone. label: of the bars, such as "indexing"."""
    retyped = _retype(ingest.writer, plan)
    looks = [job for job in plan.jobs if job.by_looks]
    others = plan.wanted + len(plan.failures) - len(looks)
    # A file of rows is read for its faults too where no row of it is wanted.
    if len(plan.jobs) > len(looks) or plan.failures or plan.gone:
        with meter(label, others, "documents") as tick, ReaderPool(workers, limits) as pool:
            ingest.run(documents(plan, pool), plan.gone, tick)
    if looks:
        with meter(label, None, "pages") as tick:
            ingest.run_pages(looks, limits, tick)
    # Of a file of rows they come with no document: the ledger alone has them.
    ends = ingest.writer.ledger.files()
    files = [job.file for job in plan.jobs if job.rows is not None and job.file in ends]
    notes = ingest.tally.notes
    notes |= {file: ends[file].notes for file in files if ends[file].notes}
    for file in _without_values(ingest) if retyped else ():
        names = ", ".join(map(repr, retyped))
        told = f"{names}: of another type now; rows that failed stand as before, without it"
        notes[file] = (*notes.get(file, ()), told)
    return ingest.tally


def _without_values(ingest: Ingest) -> list[str]:
    """The files of documents that failed and stand from before."""
    failed = map(ingest.writer.ledger.entry, ingest.tally.failures)
    return sorted({entry.file for entry in failed if entry is not None and entry.chunks})


def _retype(writer: Writer, plan: Plan) -> list[str]:
    """Give columns that no document needs as they are another type, before rows of that type come.

    Gives their names. A document that is to be done and then fails stays without its old value there.
    """
    there = writer.columns
    # Whole numbers become fractions in place, with the rows that need it (`writer.py`).
    other = {
        name: kind
        for name, kind in plan.columns.items()
        if name in there and there[name] != kind and (there[name], kind) != ("integer", "number")
    }
    if other:
        with unbroken():
            writer.store.retype(other)
            writer.acknowledge()
    return sorted(other)
