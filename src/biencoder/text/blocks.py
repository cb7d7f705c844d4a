"""A text of any length in blocks: what takes more than linear time on a text gets one at a time.

The splitter does, by the words of its longest sentence, and a tokenizer holds some hundred bytes for each
token: a line of some megabytes would take hours and gigabytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from biencoder.text.words import unspaced

BLOCK_CHARACTERS = 100_000
# In scripts without blanks every character is a word to the splitter: so many in one sentence cost as
# much as a block of English on one line.
SENTENCE_CHARACTERS = 5_000
# Where a block may end, the best first, and how many of these characters still belong to it.
_ENDS = (("\n#", 1), ("\n\n", 2), ("\n", 1), (". ", 2), ("。", 1), (" ", 1), ("\t", 1))
_SENTENCE_ENDS = re.compile("[\n.!?。！？]+")


def blocks(text: str) -> Iterator[tuple[int, str]]:
    """Start and text of pieces that are the whole text together, at most ``BLOCK_CHARACTERS`` long.

    A text that fits is one; only where a script without blanks has no end of a sentence for long, its
    blocks are ``SENTENCE_CHARACTERS`` long.
    """
    for start, block in pieces(text, BLOCK_CHARACTERS):
        if any(map(_is_dense, _SENTENCE_ENDS.split(block))):
            for inner, piece in pieces(block, SENTENCE_CHARACTERS):
                yield start + inner, piece
        else:
            yield start, block


def pieces(text: str, most: int) -> Iterator[tuple[int, str]]:
    """Start and text of pieces that are the whole text together, none longer than ``most`` characters.

    A text that fits is one. Others end at a heading, paragraph, line, sentence or blank of each piece's
    second half, and where it has none, anywhere; they are about equally long, so that none is a crumb.

    >>> list(pieces("one two three", most=8))
    [(0, 'one '), (4, 'two '), (8, 'three')]
    """
    start = 0
    while len(text) - start > most:
        rest = len(text) - start
        stop = _end(text, start, start + -(-rest // -(-rest // most)))
        yield start, text[start:stop]
        start = stop
    yield start, text[start:]


def _end(text: str, start: int, stop: int) -> int:
    half = start + (stop - start) // 2
    for mark, kept in _ENDS:
        found = text.rfind(mark, half, stop)
        if found >= 0:
            return found + kept
    return stop


def _is_dense(sentence: str) -> bool:
    if len(sentence) <= SENTENCE_CHARACTERS or sentence.isascii():
        return False
    return len(sentence) - len(unspaced().sub("", sentence)) > SENTENCE_CHARACTERS
