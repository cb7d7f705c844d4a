"""One request inside the engine: its texts, or its pages, on their way to vectors.

The event loop owns a job's future and vectors. The tokenising step fills ``ids`` before the job
goes on to the queue; from then on they are only read.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from biencoder.serve.engine.pages import WaitingPage
from biencoder.types import FloatArray, IntArray, Role, Truncate


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds of one request, which add up to its whole time in the engine.

    tokenize: from arrival until every text is tokens. queue: until its first text is computed.
    inference: until its last one is.
    """

    tokenize: float
    queue: float
    inference: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Embedded:
    """The answer to one request, in the caller's order.

    vectors: unit length, float32, shape (n, dimensions). tokens: what the model saw, prompts
    included. truncated, unreadable: how many texts lost tokens, how many the vocabulary hardly
    covers. images: how many of the inputs were pages.
    """

    vectors: FloatArray
    tokens: int
    truncated: int
    unreadable: int = 0
    images: int = 0
    timings: Timings


@dataclass(slots=True, kw_only=True, eq=False)
class Job:
    """One request. Times are those of ``time.perf_counter``.

    limit: the most tokens of a text in its role, None for the engine's. pages: one for each text, where
    the request is one of page images; ``texts`` are then theirs, possibly empty. reserved: tokens that count as queued for it. missing: inputs
    without a vector. abandoned: nobody waits for the answer any more.
    """

    texts: Sequence[str]
    role: Role
    prefix: str
    truncate: Truncate
    dimensions: int
    future: asyncio.Future[Embedded]
    vectors: FloatArray
    arrived: float
    limit: int | None = None
    pages: Sequence[WaitingPage] = ()
    ids: list[IntArray] = field(default_factory=list)
    tokens: int = 0
    truncated: int = 0
    unreadable: int = 0
    reserved: int = 0
    missing: int = 0
    tokenized: float = 0.0
    begun: float = 0.0
    abandoned: bool = False

    @property
    def cost(self) -> int:
        """All of it in tokens of the language model; what the tower does for pages counts as such."""
        return self.tokens + sum(page.tower_tokens for page in self.pages)

    def answer(self, finished: float) -> Embedded:
        """What the caller gets once every text has its vector."""
        return Embedded(
            vectors=self.vectors,
            tokens=self.tokens,
            truncated=self.truncated,
            unreadable=self.unreadable,
            images=len(self.pages),
            timings=Timings(
                tokenize=self.tokenized - self.arrived,
                queue=self.begun - self.tokenized,
                inference=finished - self.begun,
            ),
        )


class Entry(NamedTuple):
    """One text that waits. Entries sort by length, longest first, and then by arrival.

    order: minus its tokens. sequence: unique, so that no comparison goes beyond it.
    """

    order: int
    sequence: int
    job: Job
    row: int

    @property
    def tokens(self) -> int:
        """The text's length with its prompt."""
        return -self.order

    @property
    def ids(self) -> IntArray:
        """The text's token ids."""
        return self.job.ids[self.row]

    @property
    def page(self) -> WaitingPage | None:
        """The page that it is, None for a text."""
        return self.job.pages[self.row] if self.job.pages else None

    @property
    def cost(self) -> int:
        """What it is to the model, in tokens."""
        page = self.page
        return self.tokens if page is None else self.tokens + page.tower_tokens
