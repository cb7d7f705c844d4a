"""The first request should not pay for what every process does once: compiling, caches, threads."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import numpy as np
import torch

from biencoder.batching.pack import build_batch
from biencoder.models.llama import LlamaEncoder
from biencoder.models.packed import Packed
from biencoder.serve.engine.pages import PageRoom

Warmup: TypeAlias = Literal["none", "short", "full"]

log = logging.getLogger("biencoder.serve")

# A usual passage: a full batch consists of such ones.
_PASSAGE_TOKENS = 128


def warm_up(
    model: LlamaEncoder,
    *,
    kind: Warmup,
    budget: int,
    max_tokens: int,
    measure: Callable[[int, float], None],
    pages: PageRoom | None = None,
) -> None:
    """Compute made-up batches in the calling thread; ``measure`` learns tokens and seconds of each.

    ``short``: one small text. ``full``: single texts of rising length, then twice the fullest batch
    of passages, whose second time is the rate to expect; for a page model a blank page before them.
    """
    if kind == "full" and pages is not None:
        begun = time.perf_counter()
        cost = pages.warm_up()
        seconds = time.perf_counter() - begun
        measure(cost, seconds)
        log.info("warm-up: a page in %.3f s", seconds)
    for lengths in _batches(kind, budget, max_tokens):
        seconds = _run(model, lengths)
        measure(sum(lengths), seconds)
        log.info("warm-up: %d x %d tokens in %.3f s", len(lengths), lengths[0], seconds)


def _batches(kind: Warmup, budget: int, max_tokens: int) -> Iterator[list[int]]:
    if kind == "none":
        return
    longest = max(1, min(budget, max_tokens))
    yield [min(16, longest)]
    if kind == "short":
        return
    length = 64
    while length < longest:
        yield [length]
        length *= 4
    yield [longest]
    passage = min(_PASSAGE_TOKENS, longest)
    for _ in range(2):
        yield [passage] * (budget // passage)


@torch.inference_mode()
def _run(model: LlamaEncoder, lengths: list[int]) -> float:
    vocabulary, device = model.config.vocab_size, model.embed_tokens.weight.device
    ids = [np.arange(length, dtype=np.int64) % vocabulary for length in lengths]
    begun = time.perf_counter()
    model.embed(Packed.from_batch(build_batch(ids, np.arange(len(ids))), device)).cpu()
    return time.perf_counter() - begun
