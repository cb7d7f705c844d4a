"""The threads of an engine, as one: who takes a request first, who next, started and stopped together."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from biencoder.embedder.embedder import Embedder
from biencoder.serve.engine.admission import Admission
from biencoder.serve.engine.computing import ComputingThread
from biencoder.serve.engine.job import Job
from biencoder.serve.engine.opening import OpeningThreads
from biencoder.serve.engine.pages import PageRoom
from biencoder.serve.engine.step import Outcome
from biencoder.serve.engine.tokenising import TokenizingThread

# A GPU takes pages faster than one thread can open them; a CPU is busy with computing them.
_OPENING_THREADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What the threads tell an engine, each call in the thread that makes it.

    ready: all of a request is tokens. warm, warmed: what to do first, and that it is done.
    """

    ready: Callable[[Job], None]
    refused: Callable[[Job, Exception], None]
    warm: Callable[[], None]
    warmed: Callable[[], None]
    outcome: Callable[[Outcome], None]
    crash: Callable[[BaseException], None]


class Threads:
    """Texts go to the tokenising thread, pages to those that open pictures, and all to the computing one."""

    def __init__(
        self,
        embedder: Embedder,
        admission: Admission,
        calls: Calls,
        *,
        pages: PageRoom | None,
        max_tokens: int,
        token_budget: int,
    ) -> None:
        self._tokenizing = TokenizingThread(
            embedder.tokenizer,
            max_tokens,
            on_ready=calls.ready,
            on_refused=calls.refused,
            on_crash=calls.crash,
        )
        self._computing = ComputingThread(
            embedder.trunk,
            admission,
            token_budget,
            pages=pages,
            warm=calls.warm,
            on_warm=calls.warmed,
            on_outcome=calls.outcome,
            on_crash=calls.crash,
        )
        self._opening: OpeningThreads | None = None
        if pages is not None:
            on_cpu = embedder.placement.device.type == "cpu"
            threads = 1 if on_cpu else min(_OPENING_THREADS, os.cpu_count() or 1)
            self._opening = OpeningThreads(
                pages,
                threads=threads,
                on_ready=calls.ready,
                on_refused=calls.refused,
                on_crash=calls.crash,
            )

    @property
    def spared(self) -> int:
        """Inputs that were dropped before the model saw them."""
        return sum(thread.spared for thread in self._all)

    def start(self) -> None:
        """Begin to work, with the warming up."""
        for thread in self._all:
            thread.start()

    def read(self, job: Job) -> None:
        """Make tokens of a request; never blocks."""
        if job.pages:
            assert self._opening is not None, "only a page model takes pages"
            self._opening.submit(job)
        else:
            self._tokenizing.submit(job)

    def compute(self, job: Job) -> None:
        """Take a request that is tokens; never blocks."""
        self._computing.submit(job)

    def forget(self, job: Job) -> None:
        """Drop what still waits of an abandoned request."""
        self._computing.forget(job)

    def stop(self) -> None:
        """End once everything taken so far is done."""
        for thread in self._all:
            thread.stop()

    def join(self, timeout: float) -> None:
        """Wait for the end of each."""
        for thread in self._all:
            thread.join(timeout)

    @property
    def _all(self) -> tuple[TokenizingThread | OpeningThreads | ComputingThread, ...]:
        opening = () if self._opening is None else (self._opening,)
        return (*opening, self._tokenizing, self._computing)
