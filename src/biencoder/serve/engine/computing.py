"""Batches through the model, in a thread of their own that owns the device and the queue.

No timer: an idle thread takes what there is at once; while a batch runs, the next ones collect by
themselves. Where a full batch waits already, it is chosen and moved to the device meanwhile.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from biencoder.models.llama import LlamaEncoder
from biencoder.serve.engine.admission import Admission
from biencoder.serve.engine.job import Entry, Job
from biencoder.serve.engine.pages import PageRoom
from biencoder.serve.engine.queue import TokenQueue, is_impatient
from biencoder.serve.engine.step import Outcome, Step, compute, prepare

log = logging.getLogger("biencoder.serve")

_Item = TypeVar("_Item")


class ComputingThread:
    """Takes tokenised jobs and gives outcomes, batch by batch.

    warm, on_warm, on_outcome, on_crash: called in this thread. spared: texts whose callers had gone
    before they cost anything.
    """

    def __init__(
        self,
        model: LlamaEncoder,
        admission: Admission,
        budget: int,
        *,
        pages: PageRoom | None = None,
        warm: Callable[[], None],
        on_warm: Callable[[], None],
        on_outcome: Callable[[Outcome], None],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self._model = model
        self._pages = pages
        self._device = model.embed_tokens.weight.device
        self._admission = admission
        self._budget = budget
        self._warm = warm
        self._on_warm = on_warm
        self._on_outcome = on_outcome
        self._on_crash = on_crash
        self._queue = TokenQueue(budget)
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._gone: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._stopping = False
        self._ahead: Future[Step] | None = None
        self._preparer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="prepare")
        self._thread = threading.Thread(target=self._run, name="compute", daemon=True)
        self.spared = 0

    def start(self) -> None:
        """Warm up, then begin to work."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Take a tokenised job; never blocks."""
        self._inbox.put(job)

    def forget(self, job: Job) -> None:
        """Drop what still waits of an abandoned job, before the next batch is chosen."""
        self._gone.put(job)

    def stop(self) -> None:
        """End once everything taken so far is computed."""
        self._inbox.put(None)

    def join(self, timeout: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            # Here and not in the caller's thread: kernels keep their worker threads per thread.
            self._warm()
            self._on_warm()
            while (step := self._next()) is not None:
                if self._ahead is None and self._queue.tokens >= self._budget:
                    self._ahead = self._preparer.submit(self._choose)
                outcome = compute(self._model, step, self._pages)
                self._admission.measure(step.cost, outcome.seconds)
                self._on_outcome(outcome)
        except BaseException as error:
            log.exception("the computing thread has ended")
            self._on_crash(error)
        finally:
            self._preparer.shutdown(wait=False)

    def _next(self) -> Step | None:
        """The step to compute now; waits for one. None at the end."""
        while True:
            # From here to the next `submit` nobody else touches the queue.
            ahead = self._ahead.result() if self._ahead else None
            self._receive(block=not self._queue and ahead is None)
            if ahead is not None and not self._overtakes(ahead):
                self._ahead = None
                if step := self._still_wanted(ahead):
                    return step
            elif self._queue:
                return self._choose()
            elif self._stopping:
                return None

    def _receive(self, *, block: bool) -> None:
        for job in _items(self._inbox, block=block and not self._stopping):
            if job is None:
                self._stopping = True
            elif job.abandoned:
                self.spared += len(job.texts)
            else:
                self._queue.add(job)
        for gone in _items(self._gone, block=False):
            self.spared += self._queue.drop(gone)

    def _choose(self) -> Step:
        entries = self._queue.choose(time.perf_counter())
        for entry in entries:
            self._admission.release(entry.job, entry.cost)
        return prepare(entries, self._device)

    def _overtakes(self, ahead: Step) -> bool:
        """Whether a query that has come since goes before the batch that lies ready."""
        if not self._queue.has_queries:
            return False
        now = time.perf_counter()
        return not any(
            entry.job.role == "query" or is_impatient(entry.job, now) for entry in ahead.entries
        )

    def _still_wanted(self, ahead: Step) -> Step | None:
        wanted: list[Entry] = [entry for entry in ahead.entries if not entry.job.abandoned]
        self.spared += len(ahead.entries) - len(wanted)
        if len(wanted) == len(ahead.entries):
            return ahead
        return prepare(wanted, self._device) if wanted else None


def _items(source: queue.SimpleQueue[_Item], *, block: bool) -> Iterator[_Item]:
    """All that lies in a queue; with ``block``, at least one."""
    try:
        while True:
            yield source.get(block=block)
            block = False
    except queue.Empty:
        return
