"""What an engine tells about its work: each batch as it is done, and sums since the start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from biencoder.serve.engine.job import Embedded
from biencoder.serve.engine.step import Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchFacts:
    """One computed batch.

    fill: tokens / budget. cancelled: texts that were dropped, unpaid, since the last batch.
    """

    texts: int
    tokens: int
    fill: float
    seconds: float
    cancelled: int


@dataclass(slots=True, kw_only=True)
class Totals:
    """Sums since the start: finished requests, computed texts and tokens, batches.

    failed: requests that a fault of the engine left without an answer. cancelled: texts that were
    dropped before they cost anything. tokenize, queue: seconds of all requests together;
    inference: seconds of the model at work.
    """

    requests: int = 0
    failed: int = 0
    texts: int = 0
    tokens: int = 0
    truncated: int = 0
    cancelled: int = 0
    batches: int = 0
    tokenize_seconds: float = 0.0
    queue_seconds: float = 0.0
    inference_seconds: float = 0.0


class Tally:
    """Keeps the sums, and tells each batch to whoever asked for it. Belongs to the event loop."""

    def __init__(self, budget: int, on_batch: Callable[[BatchFacts], None] | None) -> None:
        self._budget = budget
        self._on_batch = on_batch
        self._sums = Totals()

    def finished(self, answer: Embedded) -> None:
        """A request has its answer."""
        self._sums.requests += 1
        self._sums.truncated += answer.truncated
        self._sums.tokenize_seconds += answer.timings.tokenize
        self._sums.queue_seconds += answer.timings.queue

    def failed(self) -> None:
        """A request has failed inside the engine."""
        self._sums.failed += 1

    def batch(self, outcome: Outcome, cancelled: int) -> None:
        """A batch is computed, with so many cancelled texts since the start."""
        facts = BatchFacts(
            texts=outcome.texts,
            tokens=outcome.tokens,
            fill=outcome.tokens / self._budget,
            seconds=outcome.seconds,
            cancelled=cancelled - self._sums.cancelled,
        )
        self._sums.batches += 1
        self._sums.texts += facts.texts
        self._sums.tokens += facts.tokens
        self._sums.cancelled = cancelled
        self._sums.inference_seconds += facts.seconds
        if self._on_batch is not None:
            self._on_batch(facts)

    def totals(self, cancelled: int) -> Totals:
        """The sums, with so many cancelled texts as of now."""
        return replace(self._sums, cancelled=cancelled)
