"""Texts longer than the model reads: refused by default, cut only when asked.

A book is not tokenised to keep its first page: only as many characters as could matter are read.
"""

from __future__ import annotations

import numpy as np

from biencoder.errors import TooLongError
from biencoder.types import IntArray, Truncate

# Pieces are rarely longer than 16 characters; a text that is over the limit by this measure is
# counted on to eight times the limit, so that the message can tell how much too long it is.
CHARACTERS_PER_TOKEN = 16
COUNTED_LIMITS = 8


def head_of(text: str, max_tokens: int, truncate: Truncate) -> str:
    """The part of a text worth tokenising: its first characters, or its last for ``START``."""
    characters = CHARACTERS_PER_TOKEN * max_tokens * (COUNTED_LIMITS if truncate == "NONE" else 1)
    if len(text) <= characters:
        return text
    if truncate == "START":
        tail = text[-characters:]
        space = tail.find(" ")
        return tail[space + 1 :] if 0 <= space < 256 else tail
    head = text[:characters]
    space = head.rfind(" ")
    return head[:space] if space > characters - 256 else head


def cut_tokens(tokens: IntArray, max_tokens: int, truncate: Truncate, kept: int) -> IntArray:
    """At most ``max_tokens`` tokens: the first ones (``END``), or ``kept`` leading and the last.

    >>> cut_tokens(np.arange(6), 4, "END", 0).tolist(), cut_tokens(np.arange(6), 4, "START", 2).tolist()
    ([0, 1, 2, 3], [0, 1, 4, 5])
    """
    if len(tokens) <= max_tokens:
        return tokens
    if truncate == "END":
        return tokens[:max_tokens]
    kept = min(kept, max_tokens)
    return np.concatenate((tokens[:kept], tokens[len(tokens) - (max_tokens - kept) :]))


def too_long(row: int, tokens: int, max_tokens: int, *, at_least: bool) -> TooLongError:
    """The error for a text that may not be cut, with both numbers."""
    how_many = f"at least {tokens:,}" if at_least else f"{tokens:,}"
    told = f"{how_many} tokens with its prompt; the model reads at most {max_tokens:,}"
    return TooLongError(
        f"text {row} has {told}",
        hint='split it, or allow cutting with truncate="END" (keep the beginning) or "START"',
        told=told,
    )


def question_too_long(error: TooLongError) -> TooLongError:
    """The same error where the text is somebody's one question: a question is not cut or split."""
    return TooLongError(
        f"the question is too long: {error.told}",
        hint="ask in fewer words",
        told=error.told,
    )
