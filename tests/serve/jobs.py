"""Made-up requests for tests of the queue, without an event loop that runs."""

from __future__ import annotations

import asyncio

import numpy as np

from biencoder.serve.engine.job import Entry, Job
from biencoder.types import Role


def job(*lengths: int, role: Role = "document", arrived: float = 0.0) -> Job:
    """A tokenised request with texts of these lengths."""
    loop = asyncio.new_event_loop()
    future = loop.create_future()
    loop.close()
    return Job(
        texts=[f"{length} tokens" for length in lengths],
        role=role,
        prefix="",
        truncate="NONE",
        dimensions=4,
        future=future,
        vectors=np.empty((len(lengths), 4), np.float32),
        arrived=arrived,
        ids=[np.ones(length, np.int64) for length in lengths],
        tokens=sum(lengths),
        missing=len(lengths),
    )


def lengths(entries: list[Entry]) -> list[int]:
    return [entry.tokens for entry in entries]
