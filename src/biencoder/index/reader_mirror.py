"""The mirror for somebody who only reads: the one beside the table, or one of his own.

During a run, and after one that was stopped, the newest version has no mirror yet. Whoever may write
there makes it for everybody. Who may not, or finds the disk full, has his own in the temporary folder:
its files lose their names as soon as they are mapped, so that not even a kill leaves them behind.
"""

from __future__ import annotations

import tempfile
import time
import warnings
from pathlib import Path
from weakref import WeakValueDictionary

from biencoder.errors import OutputError
from biencoder.index.facts import Facts
from biencoder.index.mirror import (
    Mirror,
    make_mirror,
    manifest_of,
    mirror_name,
    open_mirror,
    write_mirror,
)
from biencoder.index.store import Store

# From here on a person wonders what is being done.
_SLOW_SECONDS = 2.0
# Those that somebody in this process still uses: a service opens an index again and again.
_own: WeakValueDictionary[tuple[Path, str, str], Mirror] = WeakValueDictionary()


class ReaderMirrorWarning(UserWarning):
    """Opening an index took its time, and will again; the message says why."""


def mirror_for_reading(folder: Path, store: Store, facts: Facts) -> Mirror:
    """The mirror of the store's version.

    Raises OutputError where it can be written nowhere, IndexDamagedError where the table cannot be read.
    """
    there = open_mirror(folder, facts, store.version)
    if there is not None:
        return there
    try:
        return make_mirror(folder, store, facts)
    except OutputError as error:
        return _own_mirror(folder, store, facts, error)


def _own_mirror(folder: Path, store: Store, facts: Facts, refusal: OutputError) -> Mirror:
    manifest = manifest_of(folder, store.version)
    key = (folder.absolute(), mirror_name(facts, store.version), manifest)
    known = _own.get(key)
    if known is not None:
        return known
    began = time.monotonic()
    try:
        with tempfile.TemporaryDirectory(prefix="biencoder-") as place:
            mirror = write_mirror(Path(place), store, facts, manifest)
    except (OSError, OutputError) as error:
        raise OutputError(
            f"{refusal.message}; nor could it in {tempfile.gettempdir()}: {error}",
            hint="name a folder with space in TMPDIR, or search once as the index's owner",
        ) from error
    _own[key] = mirror
    taken = time.monotonic() - began
    if taken > _SLOW_SECONDS:
        warnings.warn(
            f"opening {folder.parent.parent} took {taken:.0f} s longer, and will each time until "
            f"its owner's run ends or he searches it: {refusal.message}",
            ReaderMirrorWarning,
            stacklevel=2,
        )
    return mirror
