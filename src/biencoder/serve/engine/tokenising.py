"""Texts become tokens in a thread of their own, so that the event loop never waits for a book.

Whatever waits is tokenised in one call of the library, queries first; a large request takes
several calls, between which others get their turn.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable

from biencoder.serve.engine.job import Job
from biencoder.serve.errors import ApiError
from biencoder.text.tokenizer import TextTokenizer, Wanted

log = logging.getLogger("biencoder.serve")

# One call lasts some ten milliseconds: as long may a newcomer wait for the next.
CALL_CHARACTERS = 32_000
# Up to this length a text alone is tokenised sooner than it could be handed to a thread. With others
# about, the thread is better: it takes them all in one call, and they meet in one batch.
INLINE_CHARACTERS = 200

Slice = tuple[Job, range]


def is_short(job: Job) -> bool:
    """Whether handing a request to the thread would cost more than reading it."""
    return len(job.texts) == 1 and len(job.texts[0]) <= INLINE_CHARACTERS


def tokenize(
    slices: Iterable[Slice], tokenizer: TextTokenizer, max_tokens: int
) -> dict[Job, ApiError]:
    """Append the ids of some texts of each job, in one call a limit; says which jobs are refused.

    A text that is too long and may not be cut refuses its whole request, naming the text.
    """
    by_limit: dict[int, list[tuple[Job, int]]] = {}
    for job, rows in slices:
        limit = max_tokens if job.limit is None else min(job.limit, max_tokens)
        by_limit.setdefault(limit, []).extend((job, row) for row in rows)
    refused: dict[Job, ApiError] = {}
    for limit, places in by_limit.items():
        refused |= _tokenize(places, tokenizer, limit)
    return refused


def _tokenize(
    places: list[tuple[Job, int]], tokenizer: TextTokenizer, max_tokens: int
) -> dict[Job, ApiError]:
    wanted = [Wanted(job.texts[row], job.prefix, job.truncate) for job, row in places]
    refused: dict[Job, ApiError] = {}
    for (job, row), read in zip(places, tokenizer.read(wanted, max_tokens=max_tokens), strict=True):
        if read.over and job.truncate == "NONE":
            refused.setdefault(job, too_long(row, read.counted, max_tokens))
        job.ids.append(read.ids)
        job.tokens += len(read.ids)
        job.truncated += read.over
        job.unreadable += read.unreadable
    return refused


def too_long(row: int, tokens: int, max_tokens: int) -> ApiError:
    """The refusal that clients recognise by its words."""
    return ApiError(
        "context_length_exceeded",
        f"Input length {tokens} exceeds maximum allowed token size {max_tokens}",
        param=f"input[{row}]",
    )


def slices_of(waiting: Iterable[Job], characters: int) -> list[Slice]:
    """What one call takes, one text at least: queries first, then by arrival.

    A request that was begun goes on where it stopped. The oldest passage gets one text into every call,
    so that no stream of queries keeps it waiting for ever.
    """
    slices: list[Slice] = []
    in_turn = sorted(waiting, key=lambda job: job.role != "query")
    for job in in_turn:
        first = stop = len(job.ids)
        while stop < len(job.texts) and characters > 0:
            characters -= len(job.texts[stop])
            stop += 1
        if stop > first:
            slices.append((job, range(first, stop)))
        if characters <= 0:
            break
    oldest = next((job for job in in_turn if job.role != "query"), None)
    if oldest is not None and all(job is not oldest for job, _ in slices):
        slices.append((oldest, range(len(oldest.ids), len(oldest.ids) + 1)))
    return slices


class TokenizingThread:
    """Takes jobs, hands each on once all of its texts are tokens, or with the reason why not.

    on_ready, on_refused, on_crash: called in this thread. spared: texts of jobs that were abandoned
    meanwhile, which are not handed on.
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        max_tokens: int,
        *,
        on_ready: Callable[[Job], None],
        on_refused: Callable[[Job, Exception], None],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self._tokenizer = tokenizer
        self._max_tokens = max_tokens
        self._on_ready = on_ready
        self._on_refused = on_refused
        self._on_crash = on_crash
        self._inbox: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="tokenize", daemon=True)
        self.spared = 0

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Take a job; never blocks."""
        self._inbox.put(job)

    def stop(self) -> None:
        """End once everything taken so far is done."""
        self._inbox.put(None)

    def join(self, timeout: float) -> None:
        """Wait for the end."""
        self._thread.join(timeout)

    def _run(self) -> None:
        try:
            self._work()
        except BaseException as error:
            log.exception("the tokenising thread has ended")
            self._on_crash(error)

    def _work(self) -> None:
        waiting: list[Job] = []
        stopping = False
        while waiting or not stopping:
            arrived, stop = self._receive(block=not waiting)
            stopping = stopping or stop
            waiting = self._spare(waiting + arrived)
            if waiting:
                waiting = self._step(waiting)

    def _receive(self, *, block: bool) -> tuple[list[Job], bool]:
        arrived: list[Job] = []
        try:
            item = self._inbox.get(block=block)
            while item is not None:
                arrived.append(item)
                item = self._inbox.get_nowait()
        except queue.Empty:
            return arrived, False
        return arrived, True

    def _spare(self, jobs: list[Job]) -> list[Job]:
        gone = [job for job in jobs if job.abandoned]
        self.spared += sum(len(job.texts) for job in gone)
        return [job for job in jobs if not job.abandoned] if gone else jobs

    def _step(self, waiting: list[Job]) -> list[Job]:
        """One call; returns the jobs that still wait."""
        refused = self._tokenize(slices_of(waiting, CALL_CHARACTERS))
        left = []
        for job in waiting:
            if job in refused:
                self._on_refused(job, refused[job])
            elif len(job.ids) == len(job.texts):
                self._on_ready(job)
            else:
                left.append(job)
        return left

    def _tokenize(self, slices: list[Slice]) -> dict[Job, Exception]:
        try:
            return dict(tokenize(slices, self._tokenizer, self._max_tokens))
        except Exception as error:  # the library raises bare Exception for every fault
            if len(slices) == 1:
                return {slices[0][0]: error}
        # Which request it was shows when each is read by itself.
        return {job: error for one in slices for job, error in self._tokenize([one]).items()}
