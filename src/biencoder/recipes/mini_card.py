"""The model card of `mini`, written from the run's own figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

_CARD = """---
language: en
license: apache-2.0
library_name: biencoder
pipeline_tag: sentence-similarity
---

# mini

A small English embedding model, trained by the biencoder project and shipped inside the package: a
bidirectional Llama (4 layers × 384, feed-forward 1024, 6 query and 2 key/value heads, llama3 rotary
positions), average pooling, unit vectors of 384, 256, 128 or 64 dimensions (Matryoshka).

Queries are read behind `query: `, documents behind `passage: `; both were there in training.

## How it was made

Distilled from `sentence-transformers/all-MiniLM-L6-v2` with `biencoder distil --recipe mini`: the
student learns the teacher's vector of each text (cosine) and the similarities within each batch (at
every vector size), no judgements and no negatives. Texts were cut at 256 tokens in training; it
accepts 512.

| | |
|---|---|
| texts | {texts:,} ({tokens:,} tokens, read once) |
| steps | {steps:,} |
| time | {minutes:.0f} minutes on 2 CPU cores, teacher vectors that were already cached not counted |
| settings | `{settings}` |

`training_log.jsonl` has every step, `manifest.json` every source with licence, counts and hash.

## What it scores

Held-out pairs of the training sources (2,000 pairs set aside before any training; find the
positive among all held-out positives):

| | nDCG@10 | Recall@5 |
|---|--:|--:|
| mini | {student[ndcg@10]:.3f} | {student[recall@5]:.3f} |
| its teacher | {teacher[ndcg@10]:.3f} | {teacher[recall@5]:.3f} |

Evaluation sets: see `benchmarks/results/quality.json` in the repository.

## What it cannot do

English only: its 30,522 pieces do not cover other languages, and biencoder counts and reports
texts that it cannot read. Long documents must be split. It knows what a 22-million-parameter
teacher knows, and less.

## Sources and licences

{sources}

Rows marked CC BY-SA and rows of `fastapi/fastapi` were left out. Every row was checked against the
evaluation sets and the held-out pairs: equal text or 13 words in common means dropped.

## Commercial use

The weights are ours and are given under Apache-2.0. Two things for you to judge: the teacher is
published under Apache-2.0, and its own card lists training data with terms of their own, MS MARCO
among them (the dataset's terms speak of non-commercial research), also Reddit comments, Yahoo
Answers, GooAQ, Natural Questions, S2ORC and others. Whether such terms reach a model distilled
from the teacher's vectors is a legal question that this card cannot answer.
"""


def write_card(folder: Path, figures: Mapping[str, Any], manifest: Mapping[str, Any]) -> None:
    """Write ``README.md``; every number in it comes from the run."""
    rows = ["| source | licence | queries | documents |", "|---|---|--:|--:|"]
    rows += [
        f"| {row['repository']} | {row['licence']} | {row['queries']:,} | {row['documents']:,} |"
        for row in manifest["sources"]
    ]
    text = _CARD.format(
        texts=figures["texts"],
        tokens=figures["tokens"],
        steps=figures["steps"],
        minutes=figures["seconds"] / 60,
        settings=figures["settings"],
        student=figures["student"],
        teacher=figures["teacher"],
        sources="\n".join(rows),
    )
    (folder / "README.md").write_text(text, encoding="utf-8")
