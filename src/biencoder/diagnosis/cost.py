"""What a model costs on this machine: memory from its sizes, hours from a short measured run."""

from __future__ import annotations

import os
import time

import numpy as np
import torch

from biencoder.config.model import LlamaConfig
from biencoder.diagnosis.findings import Finding
from biencoder.diagnosis.memory import available_bytes, gigabytes
from biencoder.embedder.device import Placement
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.stream import compute
from biencoder.models.attention import LONGEST_FOR_PRODUCTS, QUERY_ROWS
from biencoder.models.checkpoint import count_parameters
from biencoder.types import IntArray

DOCUMENT_TOKENS = 130
_SECONDS = 3.0
# Two processes that both want all cores get half of them each.
_LEAST_SHARE = 0.6


def memory(config: LlamaConfig, placement: Placement, max_tokens: int) -> Finding:
    """Weights in this number format and working memory, against what is free.

    Call it before loading: a machine with too little memory may not come back from loading.
    """
    size = placement.dtype.itemsize
    weights = count_parameters(config) * size
    usual = working_bytes(config, placement.token_budget, size, longest=LONGEST_FOR_PRODUCTS)
    longest = max(usual, working_bytes(config, max_tokens, size, longest=max_tokens))
    free = available_bytes(placement.device)
    enough = free is None or weights + usual <= free
    room_for_longest = free is None or weights + longest <= free
    reason = f"{gigabytes(weights)} of weights and {gigabytes(usual)} to work, estimated; "
    reason += f"a text of {max_tokens:,} tokens takes {gigabytes(longest)} to work; "
    reason += "what is free is not known here" if free is None else f"{gigabytes(free)} are free"
    return Finding(
        "memory",
        "ok" if enough and room_for_longest else "warning",
        f"{gigabytes(weights + usual)} needed",
        reason if enough else reason + ": too little, use a smaller model or another machine",
        {"weights": weights, "working": usual, "working_longest": longest, "available": free},
    )


def working_bytes(config: LlamaConfig, tokens: int, size: int, *, longest: int) -> int:
    """Bytes alive at once while ``tokens`` packed tokens pass one layer, ``size`` bytes a number.

    An estimate from the widths: the residual stream and its neighbours, and the feed-forward's
    three wide tensors or the attention's heads with their scores, whichever is larger. Scores are
    written out for some queries of a text at a time, and not at all in the longest texts.
    """
    heads = (config.num_attention_heads + 2 * config.num_key_value_heads) * config.head_dim
    rows = min(longest, QUERY_ROWS) if longest <= LONGEST_FOR_PRODUCTS else 0
    scores = 2 * config.num_attention_heads * rows
    attention = 2 * heads + scores
    widest = max(3 * config.intermediate_size, attention)
    return tokens * size * (4 * config.hidden_size + widest)


def hours(embedder: Embedder, documents: int) -> Finding:
    """Hours to encode ``documents`` texts of 130 tokens here, from a run of about three seconds."""
    length = min(DOCUMENT_TOKENS, embedder.max_tokens)
    _seconds(embedder, 1, length)
    once = _seconds(embedder, 1, length)
    full = max(1, embedder.token_budget // length)
    # Whole batches where time allows: a single text does not fill the machine.
    batches = int(_SECONDS / max(once * full, 1e-6))
    count = full * min(batches, 50) if batches else max(1, int(_SECONDS / once))
    worked = time.process_time()
    seconds = _seconds(embedder, count, length)
    share = _share(time.process_time() - worked, seconds)
    rate = count / seconds
    total = documents / rate / 3600
    busy = embedder.placement.device.type == "cpu" and share < _LEAST_SHARE
    reason = f"{rounded(rate)} a second, {rate * length:,.0f} tokens; measured on {count} in {seconds:.1f} s"
    if busy:
        reason += f"; other work left only {share:.0%} of the cores: ask again when it is done"
    return Finding(
        "hours",
        "warning" if busy else "ok",
        f"{_readable(total)} for {documents:,} documents of {length} tokens",
        reason,
        {"hours": total, "documents": documents, "documents_per_second": rate, "measured": count},
    )


def _seconds(embedder: Embedder, count: int, length: int) -> float:
    ids = _random_documents(embedder.config, count, length)
    start = time.perf_counter()
    # Ends with a copy to the host, so a GPU has finished too.
    compute(
        ids,
        model=embedder.trunk,
        dimensions=embedder.dimensions[-1],
        token_budget=embedder.token_budget,
    )
    return time.perf_counter() - start


def _random_documents(config: LlamaConfig, count: int, length: int) -> list[IntArray]:
    generator = np.random.default_rng(0)
    return list(generator.integers(0, config.vocab_size, size=(count, length), dtype=np.int64))


def _share(worked: float, seconds: float) -> float:
    """The part of its threads' time that this process worked: low where others take the cores."""
    return worked / (seconds * min(torch.get_num_threads(), os.cpu_count() or 1))


def rounded(rate: float) -> str:
    """A rate for people, two digits at least.

    >>> rounded(1234.5), rounded(2.53), rounded(0.0612)
    ('1,234', '2.5', '0.061')
    """
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.2g}"


def _readable(total: float) -> str:
    if total < 1 / 60:
        return f"{total * 3600:.0f} seconds"
    return f"{total * 60:.0f} minutes" if total < 1 else f"{total:,.1f} hours"
