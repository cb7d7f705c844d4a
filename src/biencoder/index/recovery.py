"""Opening a generation for writing, whatever happened to the writer before.

The ledger names the last acknowledged version and every file that it is made of. All else is moved
to ``quarantine``, and removed once that version opens without it: it is done again from the sources.
If an acknowledged file is damaged all the same (a failing disk, a hand), or the ledger is, `relearn.py`
reads the table itself, and what is damaged stays in ``quarantine``.

Every file is looked at on every opening (its size and its end): a table has some hundred, and a flag
that says "all was well" would be one more thing that a power cut can falsify.
"""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from biencoder.errors import IndexDamagedError
from biencoder.index.durable import disk_errors, files_below, sync_file
from biencoder.index.facts import has_facts, read_facts
from biencoder.index.layout import Generation, Layout, read_layout, stated_layout
from biencoder.index.ledger import Entry, Ledger, StoredFile
from biencoder.index.relearn import learn_from_table
from biencoder.index.rights import RightsError, check_readable
from biencoder.index.rows import schema
from biencoder.index.store import Store
from biencoder.index.table_files import (
    HINT,
    RecoveryWarning,
    drop_unfinished,
    is_whole,
    manifest_name,
    moment,
    set_aside,
    table_files,
)


def take_over(folder: Path) -> Layout:
    """The layout, for the holder of the lock: a damaged index.json is made anew.

    What a killed writer was about to remove, or to give a name, is removed, and so is a compaction that
    came to no end. Raises as `read_layout`.
    """
    try:
        layout = stated_layout(folder)
    except ValueError as error:
        layout = read_layout(folder).write()
        message = f"{folder / 'index.json'} was damaged ({error}); {layout.live} is live"
        warnings.warn(message, RecoveryWarning, stacklevel=2)
    layout.mark()
    remove(layout, layout.unnamed())
    if layout.building is not None and _is_compaction(layout.generation(layout.building)):
        layout = give_up_building(layout)
    with disk_errors(folder):
        for draft in (*folder.glob(".*.draft-*"), *folder.glob("g*/.*.draft-*")):
            draft.unlink()
    return layout


def give_up_building(layout: Layout) -> Layout:
    """Remove the generation that is being built; the disk may be full, so it goes before its name.

    Raises OutputError where the system refuses.
    """
    if layout.building is None:
        return layout
    left = layout.generation(layout.building).folder
    remove(layout, [left] if left.exists() else [])
    return layout.write(building=None)


def _is_compaction(left: Generation) -> bool:
    """Whether it copies what stands, which is soon done anew; a re-embedding is worth hours."""
    try:
        # Without its facts a re-embedding could not go on either.
        return not has_facts(left) or read_facts(left).purpose == "compact"
    except IndexDamagedError:
        return False


def remove(layout: Layout, folders: Sequence[Path]) -> None:
    """Remove generations; when this returns, they are gone from the disk.

    Raises OutputError where the system refuses.
    """
    with disk_errors(layout.folder):
        for folder in folders:
            shutil.rmtree(folder)
    if folders:
        sync_file(layout.folder)


def recover(
    generation: Generation, dimensions: int, *, start_anew: bool = True
) -> tuple[Ledger, Store]:
    """The ledger and the table at the last acknowledged version, both ready for writing.

    start_anew: an empty table where none can be read; its sources are then read again. Warns
    (RecoveryWarning) where something acknowledged was damaged. Raises IndexDamagedError where nothing
    can be read and nothing is to be started.
    """
    ledger = _open_ledger(generation)
    try:
        store = _acknowledged(generation, ledger)
        if store is None:
            # What may not be read looks like damage.
            check_readable(generation.table)
            store = learn_from_table(generation, ledger)
        if store is None:
            if not start_anew:
                raise IndexDamagedError(
                    f"{generation.table} cannot be read in any version",
                    hint="index its sources again: that makes it anew",
                )
            store = _start_anew(generation, ledger, dimensions)
        _plan_again(ledger)
    except BaseException:
        ledger.close()
        raise
    return ledger, store


def _open_ledger(generation: Generation) -> Ledger:
    """The ledger; one that is damaged is moved aside, and an empty one begun."""
    try:
        return Ledger(generation.ledger)
    except RightsError:
        raise
    except IndexDamagedError as error:
        message = f"{error.message}; it is made anew from the table"
        warnings.warn(message, RecoveryWarning, stacklevel=2)
    lost = generation.folder / "lost"
    with disk_errors(lost):
        lost.mkdir(exist_ok=True)
        for path in generation.folder.glob(f"{generation.ledger.name}*"):
            path.replace(lost / f"{path.name}.{moment()}")
    return Ledger(generation.ledger)


def _acknowledged(generation: Generation, ledger: Ledger) -> Store | None:
    """The table as the ledger knows it, all other files set aside; None if it is not whole."""
    known = ledger.fact("acknowledged")
    if known is None:
        return None
    version, stored = int(known["version"]), ledger.stored()
    damaged = [f for f in stored.values() if not is_whole(generation.table / f.path, f.size)]
    if any(not _is_spare(file, version) for file in damaged):
        return None
    strangers = {name for name, _ in table_files(generation.table)} - set(stored)
    spare = [file.path for file in damaged]
    # The hint names the newest version: it goes with it.
    set_aside(generation, [HINT, *strangers] if strangers or spare else [], damaged=False)
    if spare:
        set_aside(generation, spare)
        _forget_spare(ledger, spare)
    try:
        store = Store.open(generation.folder)
    except IndexDamagedError:
        return None
    if store.version != version:
        return None
    # Every acknowledged file is whole and opens: what the ledger does not name was never acknowledged.
    drop_unfinished(generation)
    return store


def _is_spare(file: StoredFile, version: int) -> bool:
    """Whether a version can be read without a file: older manifests, records of what was done."""
    kind = file.path.split("/")[0]
    return kind == "_transactions" or (kind == "_versions" and file.path != manifest_name(version))


def _forget_spare(ledger: Ledger, spare: Sequence[str]) -> None:
    kept = [pair for pair in ledger.versions() if manifest_name(pair[0]) not in spare]
    with ledger.transaction():
        ledger.drop_stored(spare)
        ledger.set_versions(kept)


def _start_anew(generation: Generation, ledger: Ledger, dimensions: int) -> Store:
    if ledger.standing()[0]:
        message = f"{generation.table} cannot be read in any version: every document is read again"
        warnings.warn(message, RecoveryWarning, stacklevel=2)
    entries = [_without_rows(entry) for entry in ledger.entries()]
    # The ledger first: it must not speak of files that are gone.
    with ledger.transaction():
        ledger.put(entries)
        ledger.drop_files(list(ledger.files()))
        ledger.drop_stored(list(ledger.stored()))
        ledger.set_versions([])
        ledger.set_fact("acknowledged", None)
    if generation.table.exists():
        with disk_errors(generation.quarantine):
            if any(files_below(generation.table / "data")):
                generation.quarantine.mkdir(exist_ok=True)
                generation.table.replace(generation.quarantine / moment())
            else:
                # It never had a row: a first run that found the disk full.
                shutil.rmtree(generation.table)
        sync_file(generation.folder)
    return Store.create(generation.folder, schema(dimensions, {}))


def _without_rows(entry: Entry) -> Entry:
    state = entry.state if entry.state == "failed" else "planned"
    return replace(entry, state=state, sha256="", chunks=0, checksum="")


def _plan_again(ledger: Ledger) -> None:
    entries = [replace(entry, state="planned") for entry in ledger.entries("embedded")]
    if entries:
        with ledger.transaction():
            ledger.put(entries)
