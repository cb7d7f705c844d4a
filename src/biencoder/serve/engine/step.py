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
from biencoder.serve.engine.pages import PageRoom
from biencoder.text.page_tokens import PageTokens
from biencoder.types import FloatArray

log = logging.getLogger("biencoder.serve")


@dataclass(frozen=True, slots=True)
class Step:
    """A chosen batch, longest text first. cost: in tokens, with what its pages cost besides.

    packed: None where preparing it failed, and where pages are among the texts.
    """

    entries: Sequence[Entry]
    tokens: int
    cost: int
    packed: Packed | None


@dataclass(frozen=True, slots=True)
class Share:
    """One job's part of a batch: ``vectors[i]`` belongs to the job's text ``rows[i]``."""

    job: Job
    rows: list[int]
    vectors: FloatArray


@dataclass(frozen=True, slots=True)
class Network:
    """What computes. pages: of a page model, whose language model is ``text``."""

    text: LlamaEncoder
    pages: PageRoom | None


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
    cost = sum(entry.cost for entry in entries)
    if _has_pages(entries):
        return Step(entries, tokens, cost, None)
    try:
        return Step(entries, tokens, cost, _packed(entries, device))
    except Exception as error:  # met again, and dealt with, where the step is computed
        log.warning("a batch of %d tokens is prepared anew: %s", tokens, type(error).__name__)
        return Step(entries, tokens, cost, None)


@torch.inference_mode()
def compute(model: LlamaEncoder, step: Step, pages: PageRoom | None = None) -> Outcome:
    """Run a step; one that fails is run once more in parts, and a part that fails again is given up.

    Out of memory: the two halves. Any other fault: each request by itself. pages: of a page model.
    """
    network = Network(model, pages)
    begun = time.perf_counter()
    outcome = Outcome(len(step.entries), step.tokens)
    for entry in step.entries:
        entry.job.begun = entry.job.begun or begun
    try:
        _embed(network, step.entries, step.packed, outcome)
    except Exception as error:
        log.warning("a batch of %d tokens failed: %s", step.tokens, type(error).__name__)
        _embed_in_parts(network, step.entries, outcome, error)
    if pages is not None:
        pages.release([entry.page for entry in step.entries if entry.page is not None])
    outcome.finished = time.perf_counter()
    outcome.seconds = outcome.finished - begun
    return outcome


def _packed(entries: Sequence[Entry], device: torch.device) -> Packed:
    batch = build_batch([entry.ids for entry in entries], np.arange(len(entries)))
    return Packed.from_batch(batch, device)


def _has_pages(entries: Sequence[Entry]) -> bool:
    return any(entry.page is not None for entry in entries)


def _vectors(
    network: Network, entries: Sequence[Entry], packed: Packed | None
) -> dict[int, FloatArray]:
    """Unit vectors of all entries in every size that one of them wants."""
    sizes = {entry.job.dimensions for entry in entries}
    if not _has_pages(entries):
        model = network.text
        pooled_SD = model.embed(packed or _packed(entries, model.embed_tokens.weight.device))
        return {size: normalize(pooled_SD[:, :size]).cpu().numpy() for size in sizes}
    assert network.pages is not None, "only a page model takes pages"
    unit = network.pages.vectors([entry.page or _text_alone(entry) for entry in entries])
    # Of length 1 already: once more would cost a last bit.
    return {
        size: unit if size == unit.shape[1] else normalize(torch.from_numpy(unit[:, :size])).numpy()
        for size in sizes
    }


def _text_alone(entry: Entry) -> PageTokens:
    return PageTokens(entry.ids, 0, 0, entry.tokens, cut=False)


def _embed(
    network: Network, entries: Sequence[Entry], packed: Packed | None, outcome: Outcome
) -> None:
    vectors = _vectors(network, entries, packed)
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
    network: Network, entries: Sequence[Entry], outcome: Outcome, first: Exception
) -> None:
    parts = _parts(entries, first)
    if not parts:
        outcome.failed[entries[0].job] = first
    for part in parts:
        try:
            _embed(network, part, None, outcome)
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
