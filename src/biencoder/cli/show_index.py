"""What the verbs of an index share in telling people about it."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from biencoder.cli.show import Advance, progress, say

if TYPE_CHECKING:
    from biencoder.index.ingest import Tally

# Some files failed and the rest is indexed, or an index has faults.
FAULTS = 3
_SHOWN = 50
_SHOWN_NOTES = 10
_REASON = 300
# Between two lines of progress where there is no terminal for a bar.
_LINE_SECONDS = 30.0


@contextmanager
def bar(label: str, total: int | None, unit: str) -> Iterator[Advance]:
    """A progress bar, as the index asks for one; a line now and then where there is no terminal."""
    lines = None if sys.stderr.isatty() else _Lines(label, total, unit, time.monotonic())
    with progress(label, total=total, unit=unit) as advance:

        def tick(count: int) -> None:
            advance(count)
            if lines is not None:
                lines.advance(count)

        yield tick


@dataclass
class _Lines:
    """Progress for a file or a pipe: of short work nothing."""

    label: str
    total: int | None
    unit: str
    began: float
    lines: int = 0
    done: int = 0

    def advance(self, count: int) -> None:
        self.done += count
        now = time.monotonic()
        if now - self.began >= (self.lines + 1) * _LINE_SECONDS:
            self.lines = int((now - self.began) / _LINE_SECONDS)
            say(self._line(self.done / (now - self.began)))

    def _line(self, rate: float) -> str:
        done = f"{self.done:,}" if self.total is None else f"{self.done:,} of {self.total:,}"
        line = f"{self.label}: {done} {self.unit}, {rate:,.{0 if rate >= 10 else 1}f}/s"
        if self.total is None or not rate:
            return line
        return f"{line}, {_duration((self.total - self.done) / rate)} left"


def tell_tally(tally: Tally, folder: Path, seconds: float, left_out: Sequence[str] = ()) -> None:
    """What a run did, in a line; then what to know about it, and what failed and why.

    left_out: files of kinds that are not read here, and queries and judgements beside a corpus.
    """
    from biencoder.evaluate.report.words import counted, visible

    did = [
        f"{counted(tally.documents, 'document')} and {_told_rows(tally)} indexed",
        f"{tally.unchanged:,} unchanged",
        f"{tally.removed:,} removed",
        *([f"{len(tally.failures):,} failed"] if tally.failures else []),
    ]
    say(f"{', '.join(did)}, {seconds:.1f} s -> {folder}")
    for line in _notes(tally, folder):
        say(line)
    if left_out:
        say(
            f"Warning: left out {counted(len(left_out), 'file')} that cannot be read here or hold no "
            f"documents, first {visible(left_out[0])}"
        )
    for line in failure_lines(tally.failures, folder):
        say(line)


def _told_rows(tally: Tally) -> str:
    from biencoder.evaluate.report.words import counted

    passages = counted(tally.chunks - tally.pages, "passage")
    pages = counted(tally.pages, "page image")
    if not tally.pages:
        return passages
    return pages if tally.pages == tally.chunks else f"{pages} and {passages}"


def _notes(tally: Tally, folder: Path) -> Iterator[str]:
    """What to know of documents that are in the index."""
    from biencoder.evaluate.report.words import counted, one_line, visible

    if tally.unreadable:
        yield (
            f"Warning: {counted(tally.unreadable, 'passage')} hardly readable for the model "
            "(another language or script):"
        )
        for source, count in list(tally.hardly_read.items())[:_SHOWN_NOTES]:
            yield f"  {one_line(source)}: {counted(count, 'passage')}"
        if len(tally.hardly_read) > _SHOWN_NOTES:
            more = counted(len(tally.hardly_read) - _SHOWN_NOTES, "more document")
            yield f"  and {more}: {_all_in(folder)}"
    for kind, notes in (
        ("not read whole", tally.notes),
        ("read whole, its encoding or form guessed", tally.remarks),
    ):
        if notes:
            file, first = next(iter(notes.items()))
            begin = "Warning: " if notes is tally.notes else ""
            yield (
                f"{begin}{counted(len(notes), 'file')} {kind}, "
                f"first {visible(file)}: {visible('; '.join(first))}"
            )


def note_lines(notes: Mapping[str, Sequence[str]], folder: Path) -> Iterator[str]:
    """What to know of each file or document that is in the index; of very many the first."""
    from biencoder.evaluate.report.words import one_line

    if notes:
        yield "Worth knowing:"
    for source, of_file in list(notes.items())[:_SHOWN_NOTES]:
        yield f"  {one_line(source)}: {one_line('; '.join(of_file), _REASON)}"
    if len(notes) > _SHOWN_NOTES:
        yield f"  and {len(notes) - _SHOWN_NOTES:,} more: {_all_in(folder)}"


def note_records(notes: Mapping[str, Sequence[str]]) -> list[dict[str, object]]:
    """What to know of files, for programs."""
    return [{"file": file, "notes": list(of_file)} for file, of_file in notes.items()]


def failure_lines(failures: Mapping[str, str], folder: Path) -> Iterator[str]:
    """Each document that failed with its reason, on a line of its own; of very many the first."""
    from biencoder.evaluate.report.words import one_line

    if failures:
        yield "Failed:"
    for source, reason in list(failures.items())[:_SHOWN]:
        yield f"  {one_line(source)}: {one_line(reason, _REASON)}"
    if len(failures) > _SHOWN:
        yield f"  and {len(failures) - _SHOWN:,} more: {_all_in(folder)}"


def failure_records(failures: Mapping[str, str]) -> list[dict[str, str]]:
    """The same for programs."""
    return [{"source": source, "reason": reason} for source, reason in failures.items()]


def _all_in(folder: Path) -> str:
    return shlex.join(["biencoder", "status", str(folder), "--json"])


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"about {seconds / length:,.0f} {unit}"
    return f"about {seconds:,.0f} s"
