"""How much of the offline speed is left behind HTTP, and how do other servers do with the same weights?

    python benchmarks/serve.py [--rounds 5] [--dtype auto] [--environments FOLDER] [--short]

`mini` on FastAPI's documentation, passages of some 130 tokens, on this machine's loopback. Servers,
the offline `Embedder` and the clients share the same cores and take turns within a round; who has
no turn is suspended. Ratios are medians over rounds. A round in which other processes took part of
the cores (Linux tells) is counted and left out, as in `exact_search.py`.

The client's share. While a server is measured, its clients use the same cores, which offline have
nothing beside them. Of the seconds of all cores in a turn (cores x seconds) the clients' processor
seconds are a share s, and what the offline rate is multiplied by, before anything is compared with
it, is 1 - s: what the offline Embedder would do if somebody took that much of its machine. Nothing
else is taken off: the kernel's and the server's own work for HTTP are the server's. s stands in the
result beside the ratio without it; a client that needs 70 % of a core stops the measurement.

Latency: idle is one caller; p99 at 70 % is an open loop, Poisson, of 70 % of the requests a second
that 64 callers got in the same round, and counts from the moment a request was due.

The peers: sentence-transformers behind FastAPI (`peer_server.py`), and infinity-emb, installed in
environments of their own. --environments keeps these for the next run. --short tries it all with
few texts, counts disturbed rounds too, and writes no result. Results: `results/serve.json`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np

from biencoder import Embedder
from contestants import biencoder_server, fastapi_server, infinity_server
from exact_search import OTHERS, busy_seconds
from harness import write_results
from serve_turns import CLIENTS, CORES, FULL, SHORT, Bench, Figures, Size, one_round
from servers import Server, own_seconds
from workloads import mini_passages

MOST_TOKENS = 180


def main() -> None:
    """Start the servers, take the rounds, judge them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--environments", type=Path)
    parser.add_argument("--short", action="store_true")
    asked = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        facts: dict[str, Any] = {}
        size = SHORT if asked.short else FULL
        bench = prepare(stack, folder, asked.environments or folder, asked.dtype, size, facts)
        rounds, disturbed = quiet_rounds(bench, 1 if asked.short else asked.rounds, asked.short)
    result = {**facts, **summary(bench, rounds), "rounds counted": len(rounds)}
    result["rounds left out, disturbed by other processes"] = disturbed
    if asked.short:
        print(json.dumps(result, indent=1))
    else:
        print(write_results("serve", result))


def prepare(
    stack: contextlib.ExitStack,
    folder: Path,
    environments: Path,
    dtype: str,
    size: Size,
    facts: dict[str, Any],
) -> Bench:
    """The model in a folder, every server that can be had, and whether they answer the same."""
    embedder = Embedder.load("mini", dtype=dtype)
    number = str(embedder.placement.dtype).removeprefix("torch.")
    saved = folder / "mini"
    embedder.save(saved)
    ours = stack.enter_context(biencoder_server(folder, number))
    passages = some_passages(embedder)
    facts["model"] = f"mini, {number}; {len(passages)} passages, again from the start"
    facts["tokens of a passage, mean"] = round(mean_tokens(embedder, passages), 1)
    facts["client"] = f"{CLIENTS} processes, keep-alive, base64, bodies prepared"
    peers: dict[str, Server] = {}
    facts["peers"] = {}
    for name, make in {"FastAPI": fastapi_server, "infinity": infinity_server}.items():
        try:
            server, about = make(stack, folder, environments, number)
            peers[name], facts["peers"][name] = server, about
        except RuntimeError as error:
            facts["peers"][name] = f"not measured: {error}"
    bench = Bench(embedder, passages, ours, peers, size)
    facts["cosine with offline, least of 16 passages"] = agreement(bench)
    print(json.dumps(facts, indent=1), flush=True)
    return bench


def some_passages(embedder: Embedder) -> list[str]:
    """Of at most MOST_TOKENS tokens, so that about 130 are the mean."""
    prefix = embedder.profile.prompts.prefix("document")
    count = embedder.tokenizer.count
    return [text for text in mini_passages() if count(text, prefix) <= MOST_TOKENS]


def mean_tokens(embedder: Embedder, texts: list[str]) -> float:
    """As the model sees them."""
    prefix = embedder.profile.prompts.prefix("document")
    return statistics.mean(embedder.tokenizer.count(text, prefix) for text in texts)


def agreement(bench: Bench) -> dict[str, float]:
    """A fast wrong vector is worth nothing."""
    texts = bench.passages[:16]
    offline = bench.embedder.encode_documents(texts)
    found = {}
    for name, server in {"biencoder": bench.ours, **bench.peers}.items():
        with server.awake():
            answered = server.vectors(texts)
        answered = answered / np.linalg.norm(answered, axis=1, keepdims=True)
        found[name] = round(float((offline * answered).sum(axis=1).min()), 6)
    return found


def quiet_rounds(bench: Bench, rounds: int, keep_all: bool) -> tuple[list[Figures], int]:
    """``rounds`` undisturbed rounds, and how many were disturbed; one more before, not counted."""
    one_round(replace(bench, size=SHORT))
    kept: list[Figures] = []
    disturbed = 0
    while len(kept) < rounds:
        before, own, began = busy_seconds(), own_seconds(), time.monotonic()
        figures = one_round(bench)
        others = busy_seconds() - before - (own_seconds() - own)
        share = others / ((time.monotonic() - began) * CORES)
        print(f"others took {share:.1%} of the cores", figures, flush=True)
        disturbed += share > OTHERS
        if share <= OTHERS or keep_all:
            kept.append(figures)
        elif disturbed > 5 * rounds:
            raise SystemExit("this machine is never quiet; run it again later")
    return kept, disturbed


def summary(bench: Bench, rounds: list[Figures]) -> dict[str, Any]:
    """Medians, and every target with what was measured."""
    medians = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    targets = {name: verdict(rounds, *rule) for name, rule in rules(bench).items()}
    return {
        "targets": targets,
        "medians": {key: round(value, 4) for key, value in medians.items()},
        "rounds": [{key: round(value, 4) for key, value in one.items()} for one in rounds],
    }


Rule = tuple[Callable[[Figures], float], str, float]


def rules(bench: Bench) -> dict[str, Rule]:
    """What is asked for: a figure of a round, and its bound."""

    def rate(name: str) -> Callable[[Figures], float]:
        return lambda one: (
            one[f"biencoder, {name}, texts a second"]
            / (one["offline"] * (1 - one[f"biencoder, {name}, client's share"]))
        )

    found: dict[str, Rule] = {
        "64 callers, 1 text: share of offline less the client's": (rate("1 text"), ">=", 0.85),
        "64 callers, 32 texts: share of offline less the client's": (rate("32 texts"), ">=", 0.95),
        "idle p50 above one text offline, ms": (
            lambda one: one["biencoder, idle, p50"] - one["offline, one text, p50"],
            "<=",
            3.0,
        ),
        "p99 / p50 at 70 % load": (
            lambda one: one["biencoder, 70 %, p99"] / one["biencoder, 70 %, p50"],
            "<=",
            5.0,
        ),
    }
    for name, least in (("FastAPI", 3.0), ("infinity", 1.3)):
        if name in bench.peers:
            found |= dict(against(name, least))
    return found


def against(peer: str, least: float) -> Iterator[tuple[str, Rule]]:
    """Requests a second, and p99 in the same closed loop."""

    def times(key: str, one: Figures) -> float:
        return one[f"biencoder, 1 text, {key}"] / one[f"{peer}, 1 text, {key}"]

    yield (
        f"64 callers, 1 text: times {peer}'s requests a second",
        (lambda one: times("texts a second", one), ">=", least),
    )
    yield f"64 callers, 1 text: p99, times {peer}'s", (lambda one: times("p99", one), "<=", 1.0)


def verdict(
    rounds: list[Figures], figure: Callable[[Figures], float], how: str, bound: float
) -> dict[str, Any]:
    """The median, the spread, and whether the median keeps the bound."""
    values = [figure(one) for one in rounds]
    middle = statistics.median(values)
    return {
        "measured (median)": round(middle, 3),
        "least, greatest": [round(min(values), 3), round(max(values), 3)],
        "asked": f"{how} {bound:g}",
        "kept": middle >= bound if how == ">=" else middle <= bound,
    }


if __name__ == "__main__":
    main()
