"""Which texts are computed next: one token budget a step, queries first, like lengths together.

Owned by the computing thread alone, so there is no lock. A single request on an idle engine is cut
exactly as `batching.pack` cuts it offline, and so gives the same bits.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from itertools import count

from biencoder.serve.engine.job import Entry, Job

# Among so many waiting texts of a lane, the oldest, neighbours in length are looked for.
WINDOW_TEXTS = 2048
# A passage that has waited so long is not overtaken a second time.
PATIENCE_SECONDS = 0.25


class Lane:
    """Requests in order of arrival, and the texts of the oldest ones in order of length."""

    def __init__(self) -> None:
        self._outside: deque[list[Entry]] = deque()
        self._left: dict[Job, int] = {}
        self._window: list[Entry] = []
        self.tokens = 0

    def __bool__(self) -> bool:
        return bool(self._window)

    @property
    def oldest(self) -> Job:
        """The request that has waited longest; the lane must not be empty."""
        return next(iter(self._left))

    def add(self, entries: list[Entry]) -> None:
        """A request's texts, all of them, behind those that wait."""
        self.tokens += sum(entry.tokens for entry in entries)
        self._outside.append(entries)
        self._refill()

    def take(self, budget: int) -> list[Entry]:
        """Texts up to the budget, around the oldest request's longest: at least one, in order.

        The run goes on to shorter texts, and to longer ones where the shorter ones have run out.
        """
        oldest = self.oldest
        start = next(i for i, entry in enumerate(self._window) if entry.job is oldest)
        return self._take_around(start, budget)

    def fill(self, rest: int) -> list[Entry]:
        """As `take`, but only of the texts that fit into what another lane has left: maybe none."""
        fitting = bisect_left(self._window, (-rest,))
        if fitting == len(self._window):
            return []
        oldest = self.oldest
        own = (i for i in range(fitting, len(self._window)) if self._window[i].job is oldest)
        return self._take_around(next(own, fitting), rest)

    def drop(self, job: Job) -> int:
        """Forget a request; says how many of its texts were still waiting."""
        before = self.tokens
        gone = [entry for entry in self._window if entry.job is job]
        if gone:
            self._window = [entry for entry in self._window if entry.job is not job]
            del self._left[job]
        for entries in self._outside:
            if entries[0].job is job:
                gone = entries
                self._outside.remove(entries)
                break
        self.tokens = before - sum(entry.tokens for entry in gone)
        self._refill()
        return len(gone)

    def _take_around(self, start: int, budget: int) -> list[Entry]:
        window = self._window
        stop = start + 1
        total = window[start].tokens
        while stop < len(window) and total + window[stop].tokens <= budget:
            total += window[stop].tokens
            stop += 1
        while start > 0 and total + window[start - 1].tokens <= budget:
            start -= 1
            total += window[start].tokens
        taken = window[start:stop]
        del window[start:stop]
        self.tokens -= total
        for entry in taken:
            self._left[entry.job] -= 1
            if not self._left[entry.job]:
                del self._left[entry.job]
        self._refill()
        return taken

    def _refill(self) -> None:
        # Whole requests, so that the oldest one is always in sight.
        while self._outside and len(self._window) < WINDOW_TEXTS:
            entries = self._outside.popleft()
            self._left[entries[0].job] = len(entries)
            if len(entries) == 1:
                insort(self._window, entries[0])
            else:
                self._window.extend(entries)
                self._window.sort()


class TokenQueue:
    """Two lanes, and the choice between them."""

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self._queries = Lane()
        self._passages = Lane()
        self._sequence = count()
        self._overtaken = False

    def __bool__(self) -> bool:
        return bool(self._queries or self._passages)

    @property
    def tokens(self) -> int:
        """All that wait."""
        return self._queries.tokens + self._passages.tokens

    @property
    def has_queries(self) -> bool:
        """Whether a query waits."""
        return bool(self._queries)

    def add(self, job: Job) -> None:
        """Split a tokenised request into its texts."""
        entries = [
            Entry(-len(ids), next(self._sequence), job, row) for row, ids in enumerate(job.ids)
        ]
        self._lane(job).add(entries)

    def drop(self, job: Job) -> int:
        """Forget a request that nobody waits for; says how many texts that spares."""
        return self._lane(job).drop(job)

    def choose(self, now: float) -> list[Entry]:
        """The next batch, longest first; the queue must not be empty.

        Queries lead and passages fill what they leave. Passages lead where there is no query, or
        where the oldest has lost its patience and the last batch has already passed it over.
        """
        queries, passages = self._queries, self._passages
        oldest = passages.oldest if passages else None
        impatient = oldest is not None and is_impatient(oldest, now) and self._overtaken
        lead, rest = (passages, queries) if impatient or not queries else (queries, passages)
        chosen = lead.take(self.budget)
        left = self.budget - sum(entry.tokens for entry in chosen)
        if rest and left > 0:
            chosen += rest.fill(left)
            chosen.sort()
        self._overtaken = oldest is not None and all(entry.job is not oldest for entry in chosen)
        return chosen

    def _lane(self, job: Job) -> Lane:
        return self._queries if job.role == "query" else self._passages


def is_impatient(job: Job, now: float) -> bool:
    """Whether a request has waited so long that it must not be overtaken again."""
    return now - job.arrived > PATIENCE_SECONDS
