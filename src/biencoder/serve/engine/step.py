"""One batch through the model, and what comes of a batch that fails.

A fault costs the request that caused it its answer, never its neighbours.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from biencoder.batching.pack import build_batch
from biencoder.models.llama import LlamaEncoder
from biencoder.models.packed import Packed
from biencoder.models.pooling import normalize
from biencoder.serve.engine.job import Entry, Job
from biencoder.types import FloatArray

log = logging.getLogger("biencoder.serve")


@dataclass(frozen=True, slots=True)
class Step:
    """A chosen batch, longest text first; ``packed`` is None where the device had no room for it."""

    entries: Sequence[Entry]
    tokens: int
    packed: Packed | None


@dataclass(frozen=True, slots=True)
class Share:
    """One job's part of a batch: ``vectors[i]`` belongs to the job's text ``rows[i]``."""

    job: Job
    rows: list[int]
    vectors: FloatArray


@dataclass(slots=True)
class Outcome:
    """What one step gave: shares, and the jobs that failed, each with the reason.

    finished: when, by ``time.perf_counter``. seconds: what the model took.
    """

    texts: int
    tokens: int
    seconds: float = 0.0
    finished: float = 0.0
    shares: list[Share] = field(default_factory=list)
    failed: dict[Job, Exception] = field(default_factory=dict)


class NotFiniteError(ArithmeticError):
    """The model gave NaN, infinity or zero where a vector was due."""


def prepare(entries: Sequence[Entry], device: torch.device) -> Step:
    """Entries, longest first, as one batch on the device."""
    tokens = sum(entry.tokens for entry in entries)
    try:
        return Step(entries, tokens, _packed(entries, device))
    except torch.OutOfMemoryError:
        # The step is computed all the same: that is where a lack of memory is dealt with.
        return Step(entries, tokens, None)


@torch.inference_mode()
def compute(model: LlamaEncoder, step: Step) -> Outcome:
    """Run a step; one that fails is run once more in parts, and a part that fails again is given up.

    Out of memory: the two halves. Any other fault: each request by itself.
    """
    begun = time.perf_counter()
    outcome = Outcome(len(step.entries), step.tokens)
    for entry in step.entries:
        entry.job.begun = entry.job.begun or begun
    try:
        _embed(model, step.entries, step.packed, outcome)
    except Exception as error:
        log.warning("a batch of %d tokens failed: %s", step.tokens, type(error).__name__)
        _embed_in_parts(model, step.entries, outcome, error)
    outcome.finished = time.perf_counter()
    outcome.seconds = outcome.finished - begun
    return outcome


def _packed(entries: Sequence[Entry], device: torch.device) -> Packed:
    batch = build_batch([entry.ids for entry in entries], np.arange(len(entries)))
    return Packed.from_batch(batch, device)


def _embed(
    model: LlamaEncoder, entries: Sequence[Entry], packed: Packed | None, outcome: Outcome
) -> None:
    pooled_SD = model.embed(packed or _packed(entries, model.embed_tokens.weight.device))
    sizes = {entry.job.dimensions for entry in entries}
    vectors = {size: normalize(pooled_SD[:, :size]).cpu().numpy() for size in sizes}
    places: dict[Job, list[int]] = {}
    for place, entry in enumerate(entries):
        places.setdefault(entry.job, []).append(place)
    for job, own in places.items():
        share = Share(job, [entries[place].row for place in own], vectors[job.dimensions][own])
        if are_unit(share.vectors):
            outcome.shares.append(share)
        else:
            outcome.failed[job] = NotFiniteError("the model gave NaN, infinity or zero")


def are_unit(vectors: FloatArray) -> bool:
    """Whether each row has length 1; NaN, infinity and zero all fail this."""
    squares = np.einsum("nd,nd->n", vectors, vectors)
    return bool((np.abs(squares - 1.0) < 1e-2).all())


def _embed_in_parts(
    model: LlamaEncoder, entries: Sequence[Entry], outcome: Outcome, first: Exception
) -> None:
    parts = _parts(entries, first)
    if not parts:
        outcome.failed[entries[0].job] = first
    for part in parts:
        try:
            _embed(model, part, None, outcome)
        except Exception as error:  # given to whoever waits for it
            outcome.failed.update((entry.job, error) for entry in part)


def _parts(entries: Sequence[Entry], error: Exception) -> list[Sequence[Entry]]:
    """What to try again; nothing where a request by itself has failed."""
    if _is_out_of_memory(error):
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        half = (len(entries) + 1) // 2
        return [part for part in (entries[:half], entries[half:]) if part]
    jobs = list(dict.fromkeys(entry.job for entry in entries))
    if len(jobs) == 1:
        return []
    return [[entry for entry in entries if entry.job is job] for job in jobs]


def _is_out_of_memory(error: Exception) -> bool:
    # On a CPU torch has no type of its own for it.
    return isinstance(error, (torch.OutOfMemoryError, MemoryError)) or (
        "can't allocate memory" in str(error)
    )
