"""What every encoder does alike: look at what was asked, join windows, compare vectors."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.encoder import Encoder, Window
from biencoder.embedder.notices import TruncationWarning, UnreadableWarning
from biencoder.errors import InputError
from biencoder.types import TRUNCATE, FloatArray, Truncate

# None among them is an error that is told by its row.
Texts: TypeAlias = Iterable[str] | Iterable[str | None]


def check_call(texts: Iterable[object], truncate: Truncate) -> None:
    """Raise InputError for one string in place of a list, and for an unknown way to truncate."""
    if isinstance(texts, str):
        raise InputError(
            "one string was given where a list of texts is expected",
            hint='put it in a list: ["..."]',
        )
    if truncate not in TRUNCATE:
        raise InputError(f"truncate={truncate!r} is not one of {', '.join(TRUNCATE)}")


def given_texts(texts: Texts | None) -> Texts:
    """The texts of a call without images; raises InputError where there are none either."""
    if texts is None:
        raise InputError("there are neither texts nor images", hint="give a list of either")
    return texts


def checked_texts(texts: Texts) -> Iterator[str]:
    """The texts one by one; raises InputError for what is no string."""
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            # Not by PIL's own class: it may never have been imported.
            picture = isinstance(text, bytes | Path) or hasattr(text, "getexif")
            raise InputError(
                f"text {row} is {type(text).__name__}, not a string",
                hint="an image is a document of a page model: encode_documents(images=[...])"
                if picture
                else "an empty string is a text; None is not",
            )
        yield text


def join(stream: Iterable[Window], encoder: Encoder, dimensions: int | None) -> FloatArray:
    """The vectors of all windows, float32, shape (n, dimensions).

    Warns, in the line that called the caller, of texts that were cut or are hardly readable.
    """
    parts: list[FloatArray] = []
    cut = unreadable = 0
    for window in stream:
        parts.append(window.vectors)
        cut += window.cut
        unreadable += len(window.unreadable)
    total = sum(map(len, parts))
    if cut:
        message = f"{cut} of {total} texts were cut to {encoder.max_tokens} tokens"
        warnings.warn(message, TruncationWarning, stacklevel=3)
    if unreadable:
        message = f"{unreadable} of {total} texts are hardly readable for {encoder.profile.name}"
        hint = "; use a multilingual model such as llama-nemotron-embed-1b-v2"
        warnings.warn(message + hint, UnreadableWarning, stacklevel=3)
    if not parts:
        size = check_dimensions(dimensions, encoder.dimensions, encoder.profile.name)
        return np.empty((0, size), dtype=np.float32)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def similarity(queries: npt.ArrayLike, documents: npt.ArrayLike) -> FloatArray:
    """Cosine of every query with every document, float32, shape (queries, documents)."""
    left, right = (np.asarray(side, dtype=np.float32) for side in (queries, documents))
    if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
        raise InputError(
            f"vectors of shape {left.shape} and {right.shape} cannot be compared",
            hint="both sides need two axes and the same number of dimensions",
        )
    return _unit(left) @ _unit(right).T


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = vectors / np.maximum(lengths, np.float32(1e-12))
    return unit
