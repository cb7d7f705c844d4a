"""Pictures are opened and cut in threads of their own: no question ever waits behind one.

Requests take turns page by page, so that a single page is not held up by a book.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable

from biencoder.serve.engine.job import Job
from biencoder.serve.engine.pages import PageRoom

log = logging.getLogger("biencoder.serve")


class OpeningThreads:
    """Takes requests of pages, hands each on once all of its pages are tokens, or says why not.

    on_ready, on_refused, on_crash: called in one of these threads. spared: pages of requests that were
    abandoned meanwhile.
    """

    def __init__(
        self,
        room: PageRoom,
        *,
        threads: int,
        on_ready: Callable[[Job], None],
        on_refused: Callable[[Job, Exception], None],
        on_crash: Callable[[BaseException], None],
    ) -> None:
        self._room = room
        self._on_ready = on_ready
        self._on_refused = on_refused
        self._on_crash = on_crash
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Job, int]] = deque()
        self._done: dict[Job, int] = {}
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"pages-{number}", daemon=True)
            for number in range(threads)
        ]
        self.spared = 0

    def start(self) -> None:
        """Begin to work."""
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        """Take a request of at least one page; never blocks."""
        with self._changed:
            self._done[job] = 0
            self._waiting.append((job, 0))
            self._changed.notify()

    def stop(self) -> None:
        """End once everything taken so far is done."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def join(self, timeout: float) -> None:
        """Wait for the end."""
        for thread in self._threads:
            thread.join(timeout)

    def _run(self) -> None:
        try:
            while (taken := self._take()) is not None:
                self._prepare(*taken)
        except BaseException as error:
            log.exception("a thread that opens pictures has ended")
            self._on_crash(error)

    def _take(self) -> tuple[Job, int] | None:
        """The next page of the request whose turn it is; None at the end."""
        with self._changed:
            while True:
                while self._waiting:
                    job, row = self._waiting.popleft()
                    if self._forgotten(job):
                        continue
                    if row + 1 < len(job.pages):
                        self._waiting.append((job, row + 1))
                        self._changed.notify()
                    return job, row
                if self._stopping:
                    return None
                self._changed.wait()

    def _forgotten(self, job: Job) -> bool:
        """Whether nobody wants the rest of a request: abandoned, or one of its pages was refused."""
        if job.abandoned and self._done.pop(job, None) is not None:
            self.spared += len(job.pages)
        return job not in self._done

    def _prepare(self, job: Job, row: int) -> None:
        try:
            self._room.prepare(job, row)
        except Exception as error:  # given to whoever waits for it
            with self._changed:
                told = self._done.pop(job, None) is None
            if not told:
                self._on_refused(job, error)
            return
        with self._changed:
            if job not in self._done:
                return
            self._done[job] += 1
            whole = self._done[job] == len(job.pages)
            if whole:
                del self._done[job]
        if whole:
            read = [page.tokens for page in job.pages if page.tokens is not None]
            job.tokens = sum(len(tokens.ids) for tokens in read)
            job.truncated = sum(tokens.cut for tokens in read)
            self._on_ready(job)
