"""What a page costs on this machine: memory from the model's sizes, pages an hour from a short run."""

from __future__ import annotations

import time
from dataclasses import dataclass

from biencoder.config.page_model import PageConfig, PageLimits
from biencoder.diagnosis.cost import rounded, working_bytes
from biencoder.diagnosis.findings import Finding
from biencoder.diagnosis.memory import available_bytes, gigabytes
from biencoder.diagnosis.pages.probes import picture, prepared
from biencoder.embedder.device import Placement
from biencoder.embedder.pages.compute import compute_pages
from biencoder.embedder.pages.page import Page
from biencoder.embedder.pages.side import PageSide
from biencoder.models.attention import LONGEST_FOR_PRODUCTS, QUERY_ROWS
from biencoder.models.page_checkpoint import count_page_parameters
from biencoder.models.page_model import CPU_TILES, GPU_TILES

_SECONDS = 3.0
# Prompt and marks around a page's places are so few that they hardly cost anything.
_FRAME_TOKENS = 6


@dataclass(frozen=True, slots=True)
class _Cost:
    """A page of so many tiles: its tokens, and its floating-point operations."""

    tiles: int
    tokens: int
    flops: float


def memory(config: PageConfig, placement: Placement, limits: PageLimits) -> Finding:
    """Weights in this number format and working memory, against what is free; call it before loading."""
    size = placement.dtype.itemsize
    weights = count_page_parameters(config).run * size
    page = max(limits.image, placement.token_budget)
    usual = usual_bytes(config, page, size, on_gpu=placement.device.type != "cpu")
    most = max(limits.image_text, limits.text)
    longest = max(usual, working_bytes(config.text, most, size, longest=most))
    free = available_bytes(placement.device)
    enough = free is None or weights + longest <= free
    reason = f"{gigabytes(weights)} of weights and {gigabytes(usual)} to work, estimated; "
    reason += f"a page with text of {most:,} tokens takes {gigabytes(longest)} to work; "
    reason += "what is free is not known here" if free is None else f"{gigabytes(free)} are free"
    return Finding(
        "memory",
        "ok" if enough else "warning",
        f"{gigabytes(weights + usual)} needed",
        reason if enough else reason + ": too little, use another machine",
        {"weights": weights, "working": usual, "working_longest": longest, "available": free},
    )


def usual_bytes(config: PageConfig, tokens: int, size: int, *, on_gpu: bool) -> int:
    """Bytes to work with for a run of ``tokens``, ``size`` bytes a number: tower or language model."""
    tower = tower_bytes(config, size, tiles=GPU_TILES if on_gpu else CPU_TILES)
    return max(tower, working_bytes(config.text, tokens, size, longest=LONGEST_FOR_PRODUCTS))


def tower_bytes(config: PageConfig, size: int, *, tiles: int) -> int:
    """Bytes alive at once while ``tiles`` pass one layer of the tower, ``size`` bytes a number.

    The stream and its neighbours, and the wider of the feed-forward's inner states and the
    attention's heads with their scores, which are written out for some queries at a time.
    """
    vision = config.vision
    rows = min(vision.patches, QUERY_ROWS)
    scores = 2 * vision.num_attention_heads * rows
    widest = max(vision.intermediate_size, 6 * vision.hidden_size + scores)
    return tiles * vision.patches * size * (3 * vision.hidden_size + widest)


def pages_an_hour(side: PageSide, placement: Placement, pages: int) -> Finding:
    """Pages of the largest grid in an hour here.

    Measured on whole pages where they fit some seconds, else on an image of one tile and scaled by
    the operations that both take. Preparing is not in it: it overlaps.
    """
    config = side.config
    full, single = page_cost(config, _most(config)), page_cost(config, 1)
    once = min(_seconds(side, placement, 1, 1) for _ in range(2))
    estimate = once * full.flops / single.flops
    if estimate > _SECONDS:
        seconds, how = estimate, f"scaled from an image of one tile in {once:.1f} s"
    else:
        count = max(1, min(32, int(_SECONDS / max(estimate, 1e-6))))
        _seconds(side, placement, count, full.tiles)
        seconds = _seconds(side, placement, count, full.tiles) / count
        how = f"measured on {count}"
    rate = 3600 / seconds
    return Finding(
        "pages an hour",
        "ok",
        rounded(rate),
        f"of {full.tiles} tiles and {full.tokens:,} tokens, {full.flops / 1e12:.2g} TFLOP each, {how}; "
        f"{pages:,} of them take {pages / rate:,.1f} hours",
        {
            "pages_per_hour": rate,
            "tiles": full.tiles,
            "tokens": full.tokens,
            "gigaflops": full.flops / seconds / 1e9,
        },
    )


def page_cost(config: PageConfig, tiles: int) -> _Cost:
    """Operations of an image alone."""
    tokens = tiles * config.tokens_per_tile + _FRAME_TOKENS
    return _Cost(tiles, tokens, float(document_flops(config, tiles, tokens)))


def document_flops(config: PageConfig, tiles: int, tokens: int) -> int:
    """Operations of tower, projector and language model, attention scores included."""
    text = config.text
    heads = text.num_attention_heads * text.head_dim
    attention = 4 * tokens * heads * text.num_hidden_layers
    return tiles * config.flops_per_tile() + tokens * (text.flops_per_token() + attention)


def _most(config: PageConfig) -> int:
    return config.max_tiles + (config.thumbnail and config.max_tiles > 1)


def _seconds(side: PageSide, placement: Placement, count: int, tiles: int) -> float:
    """For ``count`` images of ``tiles`` tiles that are prepared already."""
    page = prepared(side, Page(picture(side, 0, (tiles, 1))), max_tiles=tiles)
    start = time.perf_counter()
    # Ends with a copy to the host, so a GPU has finished too.
    compute_pages(
        [page] * count,
        model=side.model,
        dimensions=side.config.text.hidden_size,
        token_budget=placement.token_budget,
    )
    return time.perf_counter() - start
