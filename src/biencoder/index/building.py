"""A generation that is made beside the live one: begun, gone on with after a kill, or given up."""

from __future__ import annotations

import warnings
from dataclasses import replace

from biencoder.errors import IndexDamagedError
from biencoder.index.durable import disk_errors, sync_file
from biencoder.index.facts import Facts, read_facts, write_facts
from biencoder.index.layout import Generation, Layout
from biencoder.index.mirror import make_mirror
from biencoder.index.opened import read_only_ledger
from biencoder.index.recovery import remove
from biencoder.index.rights import RightsError
from biencoder.index.table_files import RecoveryWarning
from biencoder.index.writer import Writer


def begin(layout: Layout, facts: Facts, *, resume: bool) -> tuple[Layout, Generation]:
    """The generation to build: what a kill left of the same work, or a new one."""
    if layout.building is not None:
        left = layout.generation(layout.building)
        if resume and same_work(left, facts):
            return layout, left
        _tell_given_up(left)
        remove(layout, [left.folder] if left.folder.exists() else [])
    name = layout.next_name()
    target = layout.generation(name)
    # Named first: what is not named would stay for ever after a kill.
    layout = layout.write(building=name)
    with disk_errors(target.folder):
        target.folder.mkdir()
    sync_file(layout.folder)
    write_facts(target, facts)
    return layout, target


def facts_left(left: Generation) -> Facts | None:
    """What a generation was to become; None where that cannot be known any more."""
    try:
        return read_facts(left)
    except RightsError:
        raise
    except IndexDamagedError:
        return None


def _tell_given_up(left: Generation) -> None:
    facts = facts_left(left)
    if facts is not None and facts.purpose == "reindex":
        try:
            done = documents_done(left)
        except IndexDamagedError:
            done = 0
        warnings.warn(
            f"a re-embedding with {facts.model} ({facts.dimensions:,} dimensions, passages of up to "
            f"{facts.chunk_tokens:,} tokens) was half done and is given up: "
            f"{done:,} documents of it are dropped",
            RecoveryWarning,
            stacklevel=4,
        )


def same_work(left: Generation, facts: Facts) -> bool:
    """Whether a generation was to become just what is wanted now."""
    there = facts_left(left)
    return there is not None and replace(there, created=facts.created) == facts


def finish(target: Generation, writer: Writer, facts: Facts) -> None:
    """Its indices and its mirror: it may be put in the live one's place."""
    writer.finish()
    make_mirror(target.mirror, writer.store, facts)


def documents_done(generation: Generation) -> int:
    """How many documents stand in it."""
    ledger = read_only_ledger(generation)
    try:
        return ledger.standing()[0]
    finally:
        ledger.close()
