"""The README's figures, written from the result files: none is typed by hand.

    python benchmarks/readme_blocks.py [--check]

A block stands between `<!-- measured: NAME -->` and `<!-- end -->`. Without --check the README is
rewritten; with it, a difference is an error (a test does the same).
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")
README = Path(__file__).parent.parent / "README.md"
_BLOCK = re.compile(r"(<!-- measured: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def main() -> None:
    """Rewrite or check the README."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    old = README.read_text(encoding="utf-8")
    new = with_blocks(old)
    if parser.parse_args().check:
        sys.exit("README.md differs from the results" if old != new else 0)
    README.write_text(new, encoding="utf-8")


def with_blocks(text: str) -> str:
    """The text with every block written anew."""
    return _BLOCK.sub(lambda found: f"{found[1]}{BLOCKS[found[2]]()}\n{found[4]}", text)


def read(name: str) -> dict[str, Any]:
    """One result file."""
    value: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return value


def speed() -> str:
    """Ratios to sentence-transformers, and the seconds that a newcomer waits."""
    large, small, start = read("encode_1b"), read("encode_mini"), read("encode_start")
    best, default = "times peer at its best", "times peer at its default 32"
    passages, mini = (
        large["passages of about 130 tokens"],
        small["passages (FastAPI documentation)"],
    )
    teacher = "times all-MiniLM-L6-v2 as it comes"
    queries = small["queries (its headings)"]
    rows = [
        ("1B shape (3 layers), passages of ~130 tokens", passages),
        ("1B shape (3 layers), queries of 8–20 tokens", large["queries of 8 to 20 tokens"]),
        (
            "1B shape, 16 queries and 8 passages of up to 2,000 tokens in one call",
            large["16 queries and 8 passages of up to 2,000 tokens"],
        ),
        ("`mini`, passages, tokenising included", mini),
        ("`mini`, queries, tokenising included", queries),
    ]
    lines = [
        f"On a CPU it is **{passages[best]:.1f} × as fast as sentence-transformers at its best batch "
        f"size** on passages",
        f"with the 1B shape, **{mini[best]:.1f} ×** with `mini` (same weights, bfloat16, both in one "
        "run), and needs no batch size to be tuned:",
        "",
        "| same weights, bfloat16, 2 CPU cores | × its best batch size | × its default 32 | share of the matrix-product ceiling |",
        "|---|--:|--:|--:|",
        *(
            f"| {name} | {row[best]:.2f} | {row[default]:.2f} | {row['share of ceiling']:.2f} |"
            for name, row in rows
        ),
        "",
        f"`mini` is {mini[teacher]:.1f} × (passages) and {queries[teacher]:.1f} × (queries) as fast "
        "as all-MiniLM-L6-v2 in sentence-transformers as it comes.",
        f"Help is there in {start['help, seconds']:.1f} s, the first vector of a fresh process in "
        f"{start['first vector, seconds']:.1f} s.",
    ]
    return "\n".join(lines)


def memory() -> str:
    """A long stream's peak."""
    few, many = (row for name, row in read("stream").items() if name != "machine")
    return (
        f"A stream of {few['rows written']:,} short texts took {few['peak anonymous MB']:,.0f} MB at "
        f"its peak, one of {many['rows written']:,} took {many['peak anonymous MB']:,.0f} MB."
    )


def quality() -> str:
    """`mini`, its teacher and BM25 on each set, with intervals."""
    systems = ("mini", "all-MiniLM-L6-v2", "BM25")
    lines = [
        "| nDCG@10, percent [95 % interval] | `mini` | its teacher, all-MiniLM-L6-v2 | BM25 | queries |",
        "|---|--:|--:|--:|--:|",
    ]
    sets = read("quality")["sets"]
    for name, rows in sets.items():
        cells = (_with_interval(rows[system]) for system in systems)
        lines.append(f"| {LABELS[name]} | {' | '.join(cells)} | {rows['mini']['queries']:,} |")
    return "\n".join([*lines, *_computed_in(sets, systems[:2])])


def compression() -> str:
    """Dimensions and precision of `mini` against score and bytes."""
    rows = read("quality")["sets"]["xquad/en"]
    sizes, precisions = (384, 256, 128, 64), ("float32", "int8", "binary")
    lines = [
        "| nDCG@10 on XQuAD, English (bytes a document) | " + " | ".join(precisions) + " |",
        "|---|--:|--:|--:|",
    ]
    for size in sizes:
        found = [rows[_form(size, precision)] for precision in precisions]
        cells = (f"{100 * row['ndcg@10']:.1f} ({row['bytes/document']:,.0f})" for row in found)
        lines.append(f"| {size} dimensions | {' | '.join(cells)} |")
    return "\n".join(lines)


def borda() -> str:
    """The card's seven models of October 2025, and the first three of August 2026."""
    tables = read("leaderboard")
    lines = [
        "| MTEB(Multilingual, v2) | model | Borda votes | printed on the card |",
        "|---|---|--:|--:|",
    ]
    for table, rows in tables["tables"].items():
        for row in rows:
            printed = f"{row['card votes']:,.0f}" if row.get("card votes") else ""
            lines.append(f"| {table} | {row['model']} | {row['votes']:,.1f} | {printed} |")
    return "\n".join(lines)


def index() -> str:
    """Making, searching and updating an index."""
    facts = read("index")
    found, overhead, again = facts["search"], facts["overhead"], facts["incremental"]
    sizes = [
        f"{name} at {row['documents per second']:,.0f} a second in {row['peak anonymous MB']:,.0f} MB"
        for name, row in facts["pipeline"].items()
    ]
    modes = ", ".join(
        f"{mode} {found[mode]['p50 ms']:.0f} ms" for mode in ("dense", "lexical", "hybrid")
    )
    # Files from before conditions were kept are of a processor with them.
    told = overhead["measured"].get("instructions", ["avx512_bf16"])
    fast = any("bf16" in name for name in told)
    return (
        f"With `mini` on 2 CPU cores {'with' if fast else 'without'} bfloat16 products: {'; '.join(sizes)} (indexing takes "
        f"{overhead['times bare (median of rounds)']:.2f} times as long as encoding alone).\n"
        f"Asking {found['rows']:,} passages takes, once the question is encoded (median): {modes}. "
        f"A run over {again['files']:,} files without a change takes\n"
        f"{again['no change, seconds']:.1f} s, with one in a hundred changed "
        f"{again['one in a hundred changed, seconds']:.1f} s; the first took "
        f"{again['first run, seconds']:.0f} s."
    )


def hybrid() -> str:
    """Dense, lexical and both fused."""
    ways = {
        "dense": "dense (`mini`)",
        "lexical": "BM25",
        "weighted": "hybrid",
        "reciprocal-rank": "by reciprocal ranks",
    }
    lines = [
        f"| nDCG@10, percent [95 % interval], passages of an index | {' | '.join(ways.values())} |",
        "|---|--:|--:|--:|--:|",
    ]
    for name, row in read("hybrid")["sets"].items():
        cells = (
            f"{100 * row[way]['ndcg@10']:.1f} "
            f"[{100 * row[way]['interval'][0]:.1f}–{100 * row[way]['interval'][1]:.1f}]"
            for way in ways
        )
        lines.append(f"| {LABELS[name]} | {' | '.join(cells)} |")
    return "\n".join(lines)


LABELS = {
    "xquad/en": "XQuAD, English paragraphs",
    "fastapi-docs/en": "FastAPI documentation, whole pages cut at 512 tokens",
    "cranfield": "Cranfield, technical abstracts ¹",
    "held-out pairs": "2,000 held-out pairs of the training sources ¹",
}

BLOCKS: dict[str, Callable[[], str]] = {
    "speed": speed,
    "memory": memory,
    "quality": quality,
    "compression": compression,
    "index": index,
    "hybrid": hybrid,
    "borda": borda,
}


def _computed_in(sets: dict[str, Any], systems: Sequence[str]) -> list[str]:
    """The formats that the figures were computed in; nothing where the file is from before they were kept."""
    told = {system: {rows[system].get("dtype") for rows in sets.values()} for system in systems}
    if any(None in formats for formats in told.values()):
        return []
    parts = [f"`{name}` in {' and '.join(sorted(told[name]))}" for name in systems]
    return ["", f"Computed: {', '.join(parts)}."]


def _with_interval(row: dict[str, Any]) -> str:
    low, high = row["interval of ndcg@10"]
    return f"{100 * row['ndcg@10']:.1f} [{100 * low:.1f}–{100 * high:.1f}]"


def _form(size: int, precision: str) -> str:
    parts = ["mini"]
    if size != 384:
        parts.append(f"{size} dimensions")
    if precision != "float32":
        parts.append(precision)
    return ", ".join(parts)


if __name__ == "__main__":
    main()
