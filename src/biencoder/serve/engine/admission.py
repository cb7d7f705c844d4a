"""How much may wait: a limit on tokens, because texts cost by their tokens and not by their number.

A request is let in whole or refused whole. Called from all threads of an engine.
"""

from __future__ import annotations

import math
import threading

from biencoder.serve.engine.job import Job
from biencoder.serve.errors import ApiError

# What waits should be computed within so many seconds, so that five seconds after an overload all is
# as before; but some batches may always wait. A caller is told to come back within two minutes
# at most, because openai-python obeys no longer pause.
DRAIN_SECONDS = 4.0
LEAST_BUDGETS = 4
LONGEST_PAUSE = 120.0
# Of the past rate, what one new measurement leaves.
_MEMORY = 0.9


class Admission:
    """Tokens that wait, the rate at which they go, and the limit that follows from both."""

    def __init__(self, budget: int, max_queued_tokens: int | None = None) -> None:
        self._budget = budget
        self._fixed_limit = max_queued_tokens
        self._lock = threading.Lock()
        self._queued = 0
        self._tokens = 0.0
        self._seconds = 0.0
        self._full_batch_seen = False

    @property
    def queued(self) -> int:
        """Tokens of the requests that were let in and are not yet computed."""
        return self._queued

    @property
    def rate(self) -> float:
        """Tokens per second, a moving average; 0 before the first batch."""
        return self._tokens / self._seconds if self._seconds else 0.0

    @property
    def limit(self) -> int:
        """Tokens that may wait."""
        if self._fixed_limit is not None:
            return self._fixed_limit
        return max(int(self.rate * DRAIN_SECONDS), LEAST_BUDGETS * self._budget)

    def reserve(self, job: Job, tokens: int) -> None:
        """Let a request in with so many tokens, in place of what it had reserved before.

        Raises ApiError overloaded, with the pause to make, where they would pass the limit. Where
        nothing else waits, a request of any size is let in: otherwise it never would be.
        """
        with self._lock:
            if job.abandoned:
                return
            others = self._queued - job.reserved
            if others and others + tokens > self.limit:
                self._queued, job.reserved = others, 0
                raise self._overloaded()
            self._queued, job.reserved = others + tokens, tokens

    def release(self, job: Job, tokens: int) -> None:
        """So many of a request's tokens no longer wait."""
        with self._lock:
            gone = min(tokens, job.reserved)
            job.reserved -= gone
            self._queued -= gone

    def abandon(self, job: Job) -> None:
        """Nobody waits for this request any more; from here on it takes no room."""
        with self._lock:
            job.abandoned = True
            self._queued -= job.reserved
            job.reserved = 0

    def measure(self, tokens: int, seconds: float) -> None:
        """Learn from a computed batch.

        A batch that is not half full says little about the rate under load, so such a one counts
        only as long as there was no better.
        """
        full = tokens * 2 >= self._budget
        if self._full_batch_seen and not full:
            return
        memory = _MEMORY if full == self._full_batch_seen else 0.0
        with self._lock:
            self._full_batch_seen = full
            self._tokens = memory * self._tokens + tokens
            self._seconds = memory * self._seconds + seconds

    def _overloaded(self) -> ApiError:
        seconds = self._queued / self.rate if self.rate else 1.0
        pause = min(max(seconds, 1.0), LONGEST_PAUSE)
        headers = {
            "Retry-After": str(math.ceil(pause)),
            "retry-after-ms": str(math.ceil(pause * 1000)),
        }
        return ApiError("overloaded", "Model is overloaded", headers=headers)
