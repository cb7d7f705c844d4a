"""What the verbs of an index share in telling people about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from biencoder.cli.show import Advance, progress, say

if TYPE_CHECKING:
    from biencoder.index.ingest import Tally

# Some files failed and the rest is indexed, or an index has faults.
FAULTS = 3
_SHOWN = 50
_REASON = 300


def bar(label: str, total: int | None, unit: str) -> AbstractContextManager[Advance]:
    """A progress bar, as the index asks for one."""
    return progress(label, total=total, unit=unit)


def tell_tally(tally: Tally, folder: Path, seconds: float, left_out: Sequence[str] = ()) -> None:
    """What a run did, in a line; then what to know about it, and what failed and why.

    left_out: files of kinds that are not read here.
    """
    from biencoder.evaluate.report.words import counted, visible

    did = [
        f"{counted(tally.documents, 'document')} and {counted(tally.chunks, 'passage')} indexed",
        f"{tally.unchanged:,} unchanged",
        f"{tally.removed:,} removed",
        *([f"{len(tally.failures):,} failed"] if tally.failures else []),
    ]
    say(f"{', '.join(did)}, {seconds:.1f} s -> {folder}")
    if tally.unreadable:
        say(
            f"Warning: {counted(tally.unreadable, 'passage')} hardly readable for the model "
            "(another language or script)"
        )
    if tally.notes:
        file, notes = next(iter(tally.notes.items()))
        say(
            f"Warning: {counted(len(tally.notes), 'file')} not read whole, "
            f"first {visible(file)}: {visible('; '.join(notes))}"
        )
    if left_out:
        say(
            f"Warning: left out {counted(len(left_out), 'file')} of kinds that are not read here, "
            f"first {visible(left_out[0])}"
        )
    for line in failure_lines(tally.failures, folder):
        say(line)


def failure_lines(failures: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Each document that failed with its reason, on a line of its own; of very many the first."""
    from biencoder.evaluate.report.words import one_line

    if failures:
        yield "Failed:"
    for source, reason in list(failures.items())[:_SHOWN]:
        yield f"  {one_line(source)}: {one_line(reason, _REASON)}"
    if len(failures) > _SHOWN:
        yield f"  and {len(failures) - _SHOWN:,} more: biencoder status {folder} --json"


def failure_records(failures: Mapping[str, str]) -> list[dict[str, str]]:
    """The same for programs."""
    return [{"source": source, "reason": reason} for source, reason in failures.items()]
