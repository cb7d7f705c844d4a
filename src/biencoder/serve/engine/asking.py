"""What is asked of an engine, checked, as the job that goes through it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biencoder.embedder.embedder import Embedder
from biencoder.errors import InputError
from biencoder.serve.engine.job import Embedded, Job
from biencoder.serve.engine.pages import PageRoom, SentPage, WaitingPage
from biencoder.serve.errors import ApiError
from biencoder.text.truncate import CHARACTERS_PER_TOKEN
from biencoder.types import IntArray, Role, Truncate

_NO_IDS: IntArray = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Texts, or pages, and how they are wanted. dimensions: None for the model's full size."""

    texts: Sequence[str] = ()
    pages: Sequence[SentPage] = ()
    role: Role = "document"
    dimensions: int | None = None
    truncate: Truncate = "NONE"
    instruction: str | None = None


def make_job(
    wish: Wish, embedder: Embedder, future: asyncio.Future[Embedded], *, max_tokens: int
) -> Job:
    """The job of a wish. Raises ApiError invalid_dimensions, invalid_request."""
    full = embedder.dimensions[-1]
    size = full if wish.dimensions is None else wish.dimensions
    if not 1 <= size <= full:
        message = f"dimensions={size} is not between 1 and {full}"
        raise ApiError("invalid_dimensions", message, param="dimensions")
    try:
        prefix = embedder.profile.prompts.prefix(wish.role, wish.instruction)
    except InputError as error:
        raise ApiError("invalid_request", str(error), param="instruction") from error
    texts = [page.text or "" for page in wish.pages] or wish.texts
    now = time.perf_counter()
    return Job(
        texts=texts,
        role=wish.role,
        prefix=prefix,
        truncate=wish.truncate,
        dimensions=size,
        future=future,
        vectors=np.empty((len(texts), size), dtype=np.float32),
        missing=len(texts),
        arrived=now,
        tokenized=now,
        begun=now if not texts else 0.0,
        limit=min(max_tokens, embedder.limit(wish.role)),
        pages=[WaitingPage(page) for page in wish.pages],
        # Pages are opened side by side, each for its own place.
        ids=[_NO_IDS] * len(wish.pages),
    )


def least_tokens(job: Job, room: PageRoom | None) -> int:
    """What a request costs at least, before it is read: a text never more than the model's limit.

    A longer one is cut to it or refused, so more would only keep others out.
    """
    if job.pages:
        assert room is not None, "whoever sends pages has asked whether the model takes them"
        return sum(room.least(page.sent) for page in job.pages)
    guesses = (1 + len(text) // CHARACTERS_PER_TOKEN for text in job.texts)
    if job.limit is None:
        return sum(guesses)
    return sum(min(guess, job.limit) for guess in guesses)
