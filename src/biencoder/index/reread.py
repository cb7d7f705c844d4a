"""Re-embedding of an index that reads pages by their looks, or is to: images are not stored, so the
sources are read again. They must be as they were when they were indexed: what the old generation holds
and the new one could not would be lost."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from biencoder.embedder.encoder import Encoder
from biencoder.errors import InputError
from biencoder.index.build import Options
from biencoder.index.carry_out import carry_out
from biencoder.index.facts import Facts
from biencoder.index.ingest import Ingest, Tally
from biencoder.index.meter import Meter
from biencoder.index.plan import make_plan
from biencoder.index.writer import Writer


@dataclass(frozen=True, slots=True)
class Rewriting:
    """One re-embedding: from the old generation to the new one, which has these facts."""

    old: Writer
    new: Writer
    facts: Facts
    embedder: Encoder
    options: Options
    meter: Meter


def read_again(work: Rewriting) -> Tally:
    """Read every source anew into the new generation, going on where a kill left it."""
    root, new = Path(work.facts.root), work.new
    with work.meter("looking", None, "files") as tick:
        plan = make_plan(
            root,
            new.ledger,
            new.columns,
            note=new.plan,
            widens=new.widens,
            by_looks=work.facts.reads_pages,
            before=work.old.ledger,
            tick=tick,
        )
    options = work.options
    tally = carry_out(
        plan,
        Ingest(new, work.embedder, work.facts, plan.columns, options.commit_every),
        label="re-embedding",
        meter=work.meter,
        workers=options.workers,
        limits=options.limits,
    )
    tally.unchanged, tally.others = plan.unchanged, plan.others
    tally.failures = {entry.source: entry.reason for entry in new.ledger.entries("failed")}
    return tally


def check_as_before(old: Writer, before: Facts, folder: Path) -> None:
    """Raise InputError where a source is not as the old generation holds it."""
    root = Path(before.root)
    plan = make_plan(root, old.ledger, old.columns, may_empty=True, by_looks=before.reads_pages)
    changed = [*(job.file for job in plan.jobs), *plan.gone]
    changed += [file for file in plan.failures if old.ledger.standing_rows(file)]
    if changed:
        command = shlex.join(["biencoder", "index", str(root), "--to", str(folder)])
        raise InputError(
            f"{root} is not as it was indexed, first {changed[0]}, and images of pages are read from "
            "there again",
            hint=f"bring the index up to date first: {command}",
        )
