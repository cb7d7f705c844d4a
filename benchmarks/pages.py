"""How fast are pages? Ours against the same weights in transformers' parts, in one run.

    python benchmarks/pages.py [--only equal|mixed|preparing|overlap] [--rounds 5] [--dtype float32]
    python benchmarks/pages.py --full --device cuda

Real shapes cut to few layers in the proportion of the whole model; ``--full`` is all of it. Both
sides start from tiles and token ids. Ceiling: `F.linear` over the model's own weight shapes at the
rows of a page of seven tiles. Operations of attention are counted as ours, and not in the ceiling.
Ratios are medians over rounds in which the contestants take turns. Results: `results/pages.json`;
in another number format than bfloat16, on a GPU, or in full, its name says so.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from torch.nn import functional as F

from biencoder import Embedder
from biencoder.config.family import PAGES_1B
from biencoder.config.page_model import PageConfig
from biencoder.diagnosis.pages.cost import document_flops
from biencoder.embedder.pages.compute import compute_pages
from biencoder.embedder.pages.page import Page
from biencoder.embedder.pages.prepare import PreparedPage, prepare_page
from biencoder.embedder.random_checkpoint import write_random_checkpoint
from harness import interleaved, median, ratio, seconds, write_results
from page_peer import Composition
from page_preparing import measure_preparing, png
from page_workloads import equal_pages, mixed_pages

SWEEP = (1, 2, 4, 8)
MIXED_BATCH = 8
# 27 tower layers stand before 16 of the language model.
TOWER_LAYERS, TEXT_LAYERS = 3, 2
PARTS = ("preparing", "equal", "mixed", "overlap")


def main() -> None:
    """Run the parts that were asked for; the file is written after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="*", choices=PARTS, default=PARTS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=8, help="of equal size")
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--full", action="store_true", help="all layers")
    options = parser.parse_args()
    name = "_".join(_label(options))
    result: dict[str, Any] = {"model": _described(options)}
    if "preparing" in options.only:
        result["preparing, one core"] = measure_preparing(options.rounds)
        print(write_results(name, result), flush=True)
    rest = [part for part in options.only if part != "preparing"]
    if not rest:
        return
    with tempfile.TemporaryDirectory() as folder:
        embedder = load(Path(folder, "vl"), options)
        for part in rest:
            work: dict[str, Callable[[], dict[str, Any]]] = {
                "equal": partial(measure_equal, embedder, options.pages, options.rounds),
                "mixed": partial(measure_mixed, embedder, options.rounds),
                "overlap": partial(measure_overlap, embedder, options.rounds),
            }
            result[part] = work[part]()
            print(part, result[part], flush=True)
            print(write_results(name, result), flush=True)


def load(folder: Path, options: argparse.Namespace) -> Embedder:
    """A random checkpoint of the real shapes, written and loaded as any other."""
    config = PAGES_1B.pages
    assert config is not None
    if not options.full:
        config = replace(
            config,
            vision=replace(config.vision, num_hidden_layers=TOWER_LAYERS),
            text=replace(config.text, num_hidden_layers=TEXT_LAYERS),
        )
    write_random_checkpoint(PAGES_1B, folder, seed=0, config=config)
    return Embedder.load(folder, dtype=options.dtype, device=options.device)


def measure_equal(embedder: Embedder, count: int, rounds: int) -> dict[str, Any]:
    """Letter pages of seven tiles, nothing else: share of the ceiling, and times the peer's best."""
    pages = prepared(embedder, equal_pages(count))
    peer = Composition(embedder)
    sizes = [size for size in SWEEP if size <= count]
    sweep = {size: seconds(partial(peer.encode, pages, size)) for size in sizes}
    best = min(sweep, key=lambda size: sweep[size])
    config = _config(embedder)
    products, operations = ceiling(embedder, pages[0])
    taken = interleaved(
        {
            "ours": partial(encode, embedder, pages),
            "ceiling": products,
            "best": partial(peer.encode, pages, best),
        },
        rounds=rounds,
    )
    flops = _flops(config, pages)
    reached = [flops / value / 1e9 for value in taken["ours"]]
    ceilings = [operations / value / 1e9 for value in taken["ceiling"]]
    return {
        "pages": count,
        "tiles and tokens of each": [len(_pixels(pages[0])), len(pages[0].tokens.ids)],
        "pages per second": count / median(taken["ours"]),
        "GFLOP a page": flops / count / 1e9,
        "GFLOP/s": median(reached),
        "ceiling GFLOP/s": median(ceilings),
        "share of ceiling": median([a / b for a, b in zip(reached, ceilings, strict=True)]),
        "peer's sweep, seconds": sweep,
        "peer's best batch size": best,
        "times peer at its best": ratio(taken["best"], taken["ours"]),
        "least cosine with the peer": _least_cosine(embedder, peer, pages, best),
    }


def measure_mixed(embedder: Embedder, rounds: int) -> dict[str, Any]:
    """Images of one to seven tiles, with and without text, and texts: what padding costs the peer."""
    pages = prepared(embedder, mixed_pages())
    peer = Composition(embedder)
    sweep = {size: seconds(partial(peer.encode, pages, size)) for size in SWEEP}
    best = min(sweep, key=lambda size: sweep[size])
    taken = interleaved(
        {
            "ours": partial(encode, embedder, pages),
            "best": partial(peer.encode, pages, best),
            "batch of 8": partial(peer.encode, pages, MIXED_BATCH),
        },
        rounds=rounds,
    )
    tiles = [0 if page.tiles is None else len(_pixels(page)) for page in pages]
    return {
        "tiles": tiles,
        "tokens": [len(page.tokens.ids) for page in pages],
        "seconds": median(taken["ours"]),
        "GFLOP/s": _flops(_config(embedder), pages) / median(taken["ours"]) / 1e9,
        "peer's sweep, seconds": sweep,
        "peer's best batch size": best,
        "times peer at its best": ratio(taken["best"], taken["ours"]),
        "times peer at a batch of 8": ratio(taken["batch of 8"], taken["ours"]),
        "least cosine with the peer": _least_cosine(embedder, peer, pages, MIXED_BATCH),
    }


def measure_overlap(embedder: Embedder, rounds: int, count: int = 4) -> dict[str, Any]:
    """PNG files in, vectors out: how much of the preparing is hidden behind the computing?"""
    pages = [Page(png(page.image)) for page in equal_pages(count)]
    ready = prepared(embedder, pages)
    taken = interleaved(
        {
            "prepare": partial(prepared, embedder, pages),
            "compute": partial(encode, embedder, ready),
            "both": lambda: list(embedder.encode_pages(pages, window_pages=1)),
        },
        rounds=rounds,
    )
    prepare, compute, both = (median(taken[name]) for name in ("prepare", "compute", "both"))
    # The first page has nothing to hide behind.
    possible = prepare * (count - 1) / count
    return {
        "pages": count,
        "preparing alone, ms a page": prepare / count * 1e3,
        "computing alone, ms a page": compute / count * 1e3,
        "both, ms a page": both / count * 1e3,
        "part of the preparing that is hidden": (prepare + compute - both) / possible,
    }


def ceiling(embedder: Embedder, page: PreparedPage) -> tuple[Callable[[], None], int]:
    """All matrix products of one page, inputs and weights ready, and their operations."""
    config, where = _config(embedder), embedder.placement
    vision, tiles = config.vision, len(_pixels(page))
    width, inner, hidden = vision.hidden_size, vision.intermediate_size, config.text.hidden_size
    tower = [(width, width)] * 4 + [(inner, width), (width, inner)]
    runs = [
        (tiles, vision.patches, [(width, 3 * vision.patch_size**2)]),
        (tiles * vision.num_hidden_layers, vision.patches, tower),
        (tiles, config.tokens_per_tile, [(hidden, config.shuffled_size), (hidden, hidden)]),
        (
            config.text.num_hidden_layers,
            len(page.tokens.ids),
            list(config.text.matmul_weights().values()),
        ),
    ]
    make = partial(torch.randn, dtype=where.dtype, device=where.device)
    ready = [
        (times, [(make(rows, into), make(out, into)) for out, into in shapes])
        for times, rows, shapes in runs
    ]

    @torch.inference_mode()
    def run() -> None:
        for times, products in ready:
            for _ in range(times):
                for rows, weight in products:
                    F.linear(rows, weight)
        if where.device.type == "cuda":
            torch.cuda.synchronize(where.device)

    operations = sum(
        2 * times * rows * out * into for times, rows, shapes in runs for out, into in shapes
    )
    return run, operations


def prepared(embedder: Embedder, pages: Sequence[Page]) -> list[PreparedPage]:
    """Pages as the model takes them."""
    assert embedder.pages is not None
    ready = [prepare_page(row, page, embedder.pages, "NONE") for row, page in enumerate(pages)]
    return [page for page in ready if isinstance(page, PreparedPage)]


def encode(embedder: Embedder, pages: Sequence[PreparedPage]) -> np.ndarray:
    """Ours, from what is prepared to vectors on the host."""
    assert embedder.pages is not None
    return compute_pages(
        pages,
        model=embedder.pages.model,
        dimensions=embedder.dimensions[-1],
        token_budget=embedder.token_budget,
    ).vectors


def _least_cosine(
    embedder: Embedder, peer: Composition, pages: list[PreparedPage], batch_size: int
) -> float:
    """Both compute the same model, or the figures beside each other mean nothing."""
    products = encode(embedder, pages) * peer.encode(pages, batch_size)
    return float(products.sum(axis=1).min())


def _flops(config: PageConfig, pages: Sequence[PreparedPage]) -> int:
    tiles = [0 if page.tiles is None else len(_pixels(page)) for page in pages]
    counts = zip(tiles, (len(page.tokens.ids) for page in pages), strict=True)
    return sum(document_flops(config, *count) for count in counts)


def _pixels(page: PreparedPage) -> np.ndarray:
    assert page.tiles is not None
    return page.tiles.pixels_ISSC


def _config(embedder: Embedder) -> PageConfig:
    assert embedder.pages is not None
    return embedder.pages.config


def _label(options: argparse.Namespace) -> list[str]:
    label = ["pages"] + ["full"] * options.full
    label += [options.device] * (options.device != "cpu")
    return label + [options.dtype] * (options.dtype != "bfloat16")


def _described(options: argparse.Namespace) -> str:
    cut = "all layers" if options.full else f"{TOWER_LAYERS} tower and {TEXT_LAYERS} text layers"
    return f"vl shape, {cut}, random weights, {options.dtype} on {options.device}"


if __name__ == "__main__":
    main()
