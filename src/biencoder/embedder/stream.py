"""The road from texts to vectors: windows are tokenised ahead, packed, computed, put back in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing

import numpy as np
import torch

from biencoder.batching.pack import pack
from biencoder.batching.schedule import WINDOW_TEXTS, WindowTexts, prefetch, windows
from biencoder.embedder.collect import checked_texts
from biencoder.embedder.encoder import Window
from biencoder.errors import EncodingError
from biencoder.models.llama import LlamaEncoder
from biencoder.models.packed import Packed
from biencoder.models.pooling import normalize
from biencoder.text.tokenizer import Encoded
from biencoder.types import FloatArray, IntArray

Tokenize = Callable[[list[str], int], Encoded]


def encode_stream(
    texts: Iterable[str] | Iterable[str | None],
    *,
    model: LlamaEncoder,
    tokenize: Tokenize,
    dimensions: int,
    token_budget: int,
    window_texts: WindowTexts = WINDOW_TEXTS,
) -> Iterator[Window]:
    """Vectors window by window; memory depends on the budget and the window, not on the corpus."""
    cut = windows(checked_texts(texts), max_texts=window_texts)
    ready = prefetch(_numbered(cut), _prepare(tokenize))
    # However this ends, nobody asks for texts any more once it has ended.
    with closing(ready):
        for first_row, encoded in ready:
            yield Window(
                vectors=compute(
                    encoded.ids,
                    model=model,
                    dimensions=dimensions,
                    token_budget=token_budget,
                    first_row=first_row,
                ),
                first_row=first_row,
                tokens=sum(map(len, encoded.ids)),
                cut=encoded.cut,
                unreadable=tuple(first_row + index for index in encoded.unreadable),
            )


@torch.inference_mode()
def compute(
    ids: list[IntArray],
    *,
    model: LlamaEncoder,
    dimensions: int,
    token_budget: int,
    first_row: int = 0,
) -> FloatArray:
    """Unit vectors of tokenised texts, in order, float32, shape (n, dimensions)."""
    device = model.embed_tokens.weight.device
    rows, parts = [], []
    for batch in pack(ids, budget=token_budget):
        pooled_SD = model.embed(Packed.from_batch(batch, device))
        parts.append(normalize(pooled_SD[:, :dimensions]))
        rows.append(batch.rows_S)
    # One copy from the device for the whole window: batches do not wait for each other.
    vectors: FloatArray = torch.cat(parts).cpu().numpy()
    out = np.empty_like(vectors)
    out[np.concatenate(rows)] = vectors
    demand_finite(out, range(first_row, first_row + len(out)), "text")
    return out


def demand_finite(vectors: FloatArray, rows: Sequence[int], what: str) -> None:
    """Raise EncodingError for vectors that are not finite. rows: whose they are."""
    bad = tuple(rows[int(place)] for place in np.flatnonzero(~np.isfinite(vectors).all(axis=1)))
    if bad:
        raise EncodingError(
            f"the model gave NaN or infinity for {what} {bad[0]}",
            hint="the weights are damaged, or this number format is too small: try dtype='float32'",
            rows=bad,
        )


def _numbered(parts: Iterable[list[str]]) -> Iterator[tuple[int, list[str]]]:
    first = 0
    for part in parts:
        yield first, part
        first += len(part)


def _prepare(tokenize: Tokenize) -> Callable[[tuple[int, list[str]]], tuple[int, Encoded]]:
    def prepare(part: tuple[int, list[str]]) -> tuple[int, Encoded]:
        first_row, texts = part
        return first_row, tokenize(texts, first_row)

    return prepare
