"""Where do two plain products beat the fused attention kernel on this CPU, and how many queries at
a time?

    python benchmarks/attention.py

Sets `LONGEST_FOR_PRODUCTS` and `QUERY_ROWS` of `models/attention.py`. Results: `results/attention.json`.
"""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor

from biencoder.models import attention
from biencoder.models.attention import _fused
from harness import interleaved, median, write_results

SHAPES = {"1B (32 query, 8 key heads)": (32, 8), "mini (6 query, 2 key heads)": (6, 2)}
LENGTHS = (16, 64, 128, 350, 512, 1000, 2000, 4000, 8000)
ROWS = (32, 64, 128, 256, 512)
TOKENS = 1024


@torch.inference_mode()
def main() -> None:
    """Milliseconds of each way for a batch of about a thousand tokens, by length of its texts."""
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for name, (heads, kv_heads) in SHAPES.items():
        for length in LENGTHS:
            texts = max(1, TOKENS // length)
            q = torch.randn(texts, length, heads, 64).to(torch.bfloat16)
            k = torch.randn(texts, length, kv_heads, 64).to(torch.bfloat16)
            ways = {
                f"products, {rows} queries": partial(products, rows, q, k)
                for rows in ROWS
                if rows < length or rows == min(ROWS)
            }
            taken = interleaved({"fused": partial(_fused, q, k, k), **ways}, rounds=7)
            row = {key: round(median(values) * 1e3, 3) for key, values in taken.items()}
            rows.setdefault(name, {})[f"{texts} texts of {length}"] = row
            print(name, length, row, flush=True)
    print(write_results("attention", {"milliseconds": rows}))


def products(rows: int, q: Tensor, k: Tensor) -> Tensor:
    """The plain products with another number of queries at a time."""
    attention.QUERY_ROWS = rows
    return attention._products(q, k, k)


if __name__ == "__main__":
    main()
