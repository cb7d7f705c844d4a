"""Where do two plain products beat the fused attention kernel on this CPU?

    python benchmarks/attention.py

Sets `models/attention.SHORT`. Results: `results/attention.json`.
"""

from __future__ import annotations

from functools import partial

import torch

from biencoder.models.attention import _fused, _products
from harness import interleaved, median, write_results

SHAPES = {"1B (32 query, 8 key heads)": (32, 8), "mini (6 query, 2 key heads)": (6, 2)}
LENGTHS = (16, 64, 128, 256, 512, 1024, 2048)
TOKENS = 1024


@torch.inference_mode()
def main() -> None:
    """Milliseconds of both for a batch of about a thousand tokens, by length of its texts."""
    rows: dict[str, dict[str, dict[str, float]]] = {}
    for name, (heads, kv_heads) in SHAPES.items():
        for length in LENGTHS:
            texts = max(1, TOKENS // length)
            q = torch.randn(texts, length, heads, 64).to(torch.bfloat16)
            k = torch.randn(texts, length, kv_heads, 64).to(torch.bfloat16)
            taken = interleaved(
                {"products": partial(_products, q, k, k), "fused": partial(_fused, q, k, k)},
                rounds=15,
            )
            row = {key: round(median(values) * 1e3, 3) for key, values in taken.items()}
            rows.setdefault(name, {})[f"{texts} texts of {length}"] = row
            print(name, length, row, flush=True)
    print(write_results("attention", {"milliseconds": rows}))


if __name__ == "__main__":
    main()
