"""The texts that benchmarks encode: drawn by a fixed seed, or shipped with the repository."""

from __future__ import annotations

import random
from pathlib import Path

from biencoder.corpus.beir import read_corpus, read_queries

EXAMPLES = Path(__file__).parent.parent / "examples"
CORPUS = EXAMPLES / "fastapi-docs" / "en"


def sized_texts(count: int, shortest: int, longest: int) -> list[str]:
    """Random letters, ``shortest`` to ``longest`` of them (one token each for random checkpoints)."""
    source = random.Random(0)
    letters = "abcdefghij "
    return [
        "".join(source.choices(letters, k=source.randint(shortest, longest))) for _ in range(count)
    ]


def mixed_texts() -> list[str]:
    """What one call of an application holds: 16 queries and 8 passages of very different length."""
    lengths = (100, 250, 400, 700, 1000, 1300, 1600, 1980)
    passages = [text for length in lengths for text in sized_texts(1, length, length)]
    return sized_texts(16, 0, 12) + passages


def mini_passages() -> list[str]:
    """Paragraphs of the FastAPI documentation of at least 20 words."""
    texts = [
        part.strip()
        for page in read_corpus(CORPUS)
        for part in page.text.split("\n\n")
        if len(part.split()) >= 20
    ]
    # Neighbouring paragraphs make passages of about 130 tokens.
    return [" ".join(texts[start : start + 3]) for start in range(0, len(texts), 3)]


def mini_queries() -> list[str]:
    """The headings of the FastAPI documentation."""
    return list(read_queries(CORPUS).values())
