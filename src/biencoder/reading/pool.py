"""Many files into texts, in order: plain text by threads, everything else in worker processes."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from queue import LifoQueue
from types import TracebackType
from typing import Self

from biencoder.errors import InputError
from biencoder.reading.file_text import FileText, ReadFailure
from biencoder.reading.kinds import WORKER_KINDS, Kind, kind_of
from biencoder.reading.limits import Limits
from biencoder.reading.plain import read_plain
from biencoder.reading.refusal import refusal
from biencoder.reading.worker_process import WorkerFault, WorkerProcess

# A new process now and then returns what libraries leak.
_FILES_PER_WORKER = 200
# Files read ahead of the one that is asked for, for each worker: this bounds the memory.
_AHEAD = 2
_STOPPED = ReadFailure("was not read: reading was stopped")


class ReaderPool:
    """Reads files with ``workers`` threads, each with a process of its own once it needs one.

    Closing kills and reaps every process.
    """

    def __init__(self, workers: int, limits: Limits | None = None) -> None:
        if workers < 1:
            raise InputError(f"{workers} workers cannot read", hint="give 1 or more")
        self._limits = limits or Limits()
        self._ahead = _AHEAD * workers
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="reading")
        self._seats = [_Seat(self._limits) for _ in range(workers)]
        # Last in, first out: a few PDFs among much plain text start one process, not all.
        self._free: LifoQueue[_Seat] = LifoQueue()
        for seat in self._seats:
            self._free.put(seat)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def read(self, paths: Iterable[Path]) -> Iterator[FileText | ReadFailure]:
        """One result a path, in the order given; what goes wrong with a file is its result."""
        rest = iter(paths)
        pending: deque[Future[FileText | ReadFailure]] = deque()
        try:
            while True:
                for path in itertools.islice(rest, self._ahead - len(pending)):
                    pending.append(self._threads.submit(self._read, path))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def close(self) -> None:
        """End all reading; may be called twice."""
        for seat in self._seats:
            seat.stop()
        self._threads.shutdown(wait=True, cancel_futures=True)
        for seat in self._seats:
            seat.dismiss()

    def _read(self, path: Path) -> FileText | ReadFailure:
        kind = kind_of(path)
        if kind is None:
            return ReadFailure("is of a kind that is not read here")
        if kind == "rows":
            return ReadFailure("holds rows, each a document of its own")
        failure = refusal(path, self._limits)
        if failure is not None:
            return failure
        if kind not in WORKER_KINDS:
            return read_plain(path, kind, self._limits)
        seat = self._free.get()
        try:
            return seat.read(path, kind)
        finally:
            self._free.put(seat)


class _Seat:
    """Room for one worker process, which is started when needed and replaced when lost or old."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._worker: WorkerProcess | None = None
        self._files = 0
        self._closed = False
        # Held while a process comes or goes, so that none comes after the closing.
        self._lock = threading.Lock()

    def read(self, path: Path, kind: Kind) -> FileText | ReadFailure:
        """One fault is forgiven: the file is read again without the page that was at fault."""
        deadline = time.monotonic() + self._limits.file_seconds
        try:
            return self._ask(path, kind, (), deadline)
        except WorkerFault as fault:
            first = fault
        if first.last:
            return ReadFailure(first.what)
        left_out = () if first.page is None else (first.page,)
        what = first.what if first.page is None else f"page {first.page} {first.what}"
        try:
            result = self._ask(path, kind, left_out, deadline)
        except WorkerFault as second:
            where = "" if second.page is None else f"page {second.page} "
            return ReadFailure(f"{what}; read again, {where}{second.what}")
        if first.page is None:
            return result
        if isinstance(result, ReadFailure):
            return ReadFailure(f"{what}; without it, {result.reason}")
        return replace(result, notes=(f"{what} and was left out", *result.notes))

    def stop(self) -> None:
        """Kill the process, if there is one; whoever waits for it learns that reading was stopped."""
        with self._lock:
            self._closed = True
            if self._worker is not None:
                self._worker.kill()

    def dismiss(self) -> None:
        """Release the process, if there is one; nobody may be waiting for it."""
        with self._lock:
            worker, self._worker = self._worker, None
        if worker is not None:
            worker.close()

    def _ask(
        self, path: Path, kind: Kind, leave_out: tuple[int, ...], deadline: float
    ) -> FileText | ReadFailure:
        worker = self._ready_worker()
        if worker is None:
            return _STOPPED
        try:
            return worker.read(path, kind, leave_out, deadline)
        except WorkerFault:
            self.dismiss()
            raise

    def _ready_worker(self) -> WorkerProcess | None:
        if self._files >= _FILES_PER_WORKER:
            self.dismiss()
        with self._lock:
            if self._closed:
                return None
            if self._worker is None:
                self._worker, self._files = WorkerProcess(self._limits), 0
            self._files += 1
            return self._worker
