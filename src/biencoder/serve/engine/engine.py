"""One model as a service: texts of many callers in, each caller's own vectors out.

The event loop takes requests and gives answers; a thread tokenises, another computes, others open
pictures for a page model. Inputs of different requests share batches, and no result depends on that.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Literal, TypeAlias

from biencoder.embedder.embedder import Embedder
from biencoder.pages.pictures import PictureLimits
from biencoder.serve.engine.admission import Admission
from biencoder.serve.engine.asking import Wish, least_tokens, make_job
from biencoder.serve.engine.counts import BatchFacts, Tally, Totals
from biencoder.serve.engine.job import Embedded, Job, Timings
from biencoder.serve.engine.pages import SERVED_PICTURES, SentPage, open_room
from biencoder.serve.engine.step import Outcome
from biencoder.serve.engine.threads import Calls, Threads
from biencoder.serve.engine.tokenising import is_short, tokenize
from biencoder.serve.engine.warmup import Warmup, warm_up
from biencoder.serve.errors import ApiError
from biencoder.types import Role, Truncate

__all__ = ["BatchFacts", "Embedded", "Engine", "SentPage", "Timings", "Totals", "Warmup"]

log = logging.getLogger("biencoder.serve")

State: TypeAlias = Literal["new", "starting", "ready", "stopping", "broken"]
# After a stop, so long for the batch that is being computed.
_LAST_BATCH_SECONDS = 10.0


class Engine:
    """One model, its queue and its threads. All methods belong to one event loop."""

    def __init__(
        self,
        embedder: Embedder,
        *,
        token_budget: int | None = None,
        max_queued_tokens: int | None = None,
        max_tokens: int | None = None,
        on_batch: Callable[[BatchFacts], None] | None = None,
        pictures: PictureLimits = SERVED_PICTURES,
    ) -> None:
        self.embedder = embedder
        self.pages = open_room(embedder, max_tokens=max_tokens, pictures=pictures)
        self.max_tokens = min(max_tokens or embedder.max_tokens, embedder.max_tokens)
        self.token_budget = token_budget or embedder.token_budget
        self._tally = Tally(self.token_budget, on_batch)
        self._admission = Admission(self.token_budget, max_queued_tokens)
        self._jobs: set[Job] = set()
        self._emptied = asyncio.Event()
        self._state: State = "new"

    @property
    def queued_tokens(self) -> int:
        """Tokens that were let in and are not yet on their way through the model."""
        return self._admission.queued

    @property
    def tokens_per_second(self) -> float:
        """The rate of the last batches; 0 before the first."""
        return self._admission.rate

    @property
    def totals(self) -> Totals:
        """Sums since the start, as of now."""
        return self._tally.totals(self._cancelled)

    @property
    def ready(self) -> bool:
        """Whether requests are taken."""
        return self._state == "ready"

    @property
    def broken(self) -> bool:
        """Whether a thread has ended by a fault: from then on nothing can be answered."""
        return self._state == "broken"

    async def start(self, warmup: Warmup = "full") -> None:
        """Start the threads; done when the model is warm. Raises what the warm-up raised."""
        if self._state != "new":
            raise RuntimeError(f"an engine starts once; this one is {self._state}")
        self._state = "starting"
        self._loop = asyncio.get_running_loop()
        self._warm: asyncio.Future[None] = self._loop.create_future()
        self._threads = Threads(
            self.embedder,
            self._admission,
            self._calls(warmup),
            pages=self.pages,
            max_tokens=self.max_tokens,
            token_budget=self.token_budget,
        )
        self._threads.start()
        await self._warm
        if self._state == "starting":
            self._state = "ready"

    async def embed(
        self,
        texts: Sequence[str],
        *,
        role: Role,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        instruction: str | None = None,
        timeout: float | None = None,
    ) -> Embedded:
        """Unit vectors of texts, in their order. Cancelling drops what is not yet computed.

        Raises ApiError: not_ready, invalid_request, invalid_dimensions, context_length_exceeded,
        overloaded, timeout (seconds from now), engine_error.
        """
        wish = Wish(
            texts=texts,
            role=role,
            dimensions=dimensions,
            truncate=truncate,
            instruction=instruction,
        )
        return await self._answer(wish, timeout)

    async def embed_pages(
        self,
        pages: Sequence[SentPage],
        *,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        timeout: float | None = None,
    ) -> Embedded:
        """Unit vectors of page images, each alone or with its text, as `embed`; for a page model only.

        Raises ApiError as `embed`, and invalid_image: one such refuses the whole request.
        """
        wish = Wish(pages=pages, dimensions=dimensions, truncate=truncate)
        return await self._answer(wish, timeout)

    async def stop(self, timeout: float) -> None:
        """Take nothing new, finish what was taken within ``timeout`` seconds, end the threads.

        What is not finished by then fails with not_ready; with 0, nothing at all is waited for.
        """
        started = self._state not in ("new", "stopping")
        self._state = "stopping"
        if not started:
            return
        if self._jobs:
            self._emptied.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._emptied.wait(), timeout)
        for job in list(self._jobs):
            self._abandon(job)
            self._fail(job, _not_ready())
        self._threads.stop()
        await asyncio.to_thread(self._threads.join, _LAST_BATCH_SECONDS if timeout else 0.0)

    def _calls(self, warmup: Warmup) -> Calls:
        in_loop = self._in_loop
        return Calls(
            ready=self._admit_or_refuse,
            refused=partial(in_loop, self._fail),
            warm=partial(self._warm_up, warmup),
            warmed=partial(in_loop, self._warmed),
            outcome=partial(in_loop, self._deliver),
            crash=partial(in_loop, self._crashed),
        )

    async def _answer(self, wish: Wish, timeout: float | None) -> Embedded:
        if not self.ready:
            raise _not_ready()
        future: asyncio.Future[Embedded] = self._loop.create_future()
        job = make_job(wish, self.embedder, future, max_tokens=self.max_tokens)
        if not job.texts:
            return job.answer(job.arrived)
        # Guessed low, but a full house refuses before it reads.
        self._admission.reserve(job, least_tokens(job, self.pages))
        self._jobs.add(job)
        try:
            async with asyncio.timeout(timeout):
                self._submit(job)
                return await job.future
        except TimeoutError:
            raise ApiError("timeout", f"No answer within {timeout:g} seconds") from None
        finally:
            self._leave(job)

    def _submit(self, job: Job) -> None:
        if job.pages or len(self._jobs) > 1 or not is_short(job):
            self._threads.read(job)
            return
        try:
            refused = tokenize([(job, range(1))], self.embedder.tokenizer, self.max_tokens)
        except Exception as error:  # the library raises bare Exception for every fault
            self._fail(job, error)
            return
        if refused:
            raise refused[job]
        self._admit(job)

    def _admit(self, job: Job) -> None:
        """Into the queue with the true number of tokens; from any thread. Raises overloaded."""
        job.tokenized = time.perf_counter()
        self._admission.reserve(job, job.cost)
        self._threads.compute(job)

    def _admit_or_refuse(self, job: Job) -> None:
        try:
            self._admit(job)
        except ApiError as error:
            self._in_loop(self._fail, job, error)

    def _in_loop(self, callback: Callable[..., None], *arguments: Any) -> None:
        # A loop that was closed without a stop has nobody left to be told.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(callback, *arguments)

    def _deliver(self, outcome: Outcome) -> None:
        for share in outcome.shares:
            job = share.job
            job.vectors[share.rows] = share.vectors
            job.missing -= len(share.rows)
            if not job.missing and not job.future.done():
                answer = job.answer(outcome.finished)
                job.future.set_result(answer)
                self._tally.finished(answer)
        for job, error in outcome.failed.items():
            self._fail(job, error)
        self._tally.batch(outcome, self._cancelled)

    def _fail(self, job: Job, error: Exception) -> None:
        if job.future.done():
            return
        if not isinstance(error, ApiError):
            log.error("a request failed inside the engine", exc_info=error)
            self._tally.failed()
            error = _engine_error(error)
        job.future.set_exception(error)

    def _leave(self, job: Job) -> None:
        self._jobs.discard(job)
        if job.missing:
            self._abandon(job)
        if self.pages is not None:
            self.pages.release(job.pages)
        if not self._jobs:
            self._emptied.set()

    def _abandon(self, job: Job) -> None:
        self._admission.abandon(job)
        self._threads.forget(job)

    @property
    def _cancelled(self) -> int:
        if self._state == "new":
            return 0
        return self._threads.spared

    def _warm_up(self, kind: Warmup) -> None:
        warm_up(
            self.embedder.trunk,
            kind=kind,
            budget=self.token_budget,
            max_tokens=self.max_tokens,
            measure=self._admission.measure,
            pages=self.pages,
        )

    def _warmed(self) -> None:
        if not self._warm.done():
            self._warm.set_result(None)

    def _crashed(self, error: BaseException) -> None:
        """A thread has ended by a fault of ours: nothing can be answered any more."""
        self._state = "broken"
        if not self._warm.done():
            self._warm.set_exception(error)
        for job in list(self._jobs):
            self._fail(job, _engine_error(error))


def _not_ready() -> ApiError:
    return ApiError("not_ready", "The model is not ready", headers={"Retry-After": "1"})


def _engine_error(cause: BaseException) -> ApiError:
    # Without this header, openai-python would send the same request twice more.
    error = ApiError(
        "engine_error", "The model could not embed this", headers={"x-should-retry": "false"}
    )
    error.__cause__ = cause
    return error
