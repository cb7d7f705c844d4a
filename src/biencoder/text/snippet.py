"""The part of a passage that a person should see, and the words in it that match the question.

Words are those of the full-text index (`words.py`): in a script without blanks, runs of characters.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from biencoder.text.shorten import cut_at_word
from biencoder.text.words import split_words, unspaced, word_places

# Words that match everywhere and show nothing.
_COMMON = frozenset(
    [
        "a",
        "an",
        "and",
        "are",
        "as",
        "at",
        "be",
        "by",
        "can",
        "do",
        "does",
        "for",
        "from",
        "how",
        "i",
        "in",
        "is",
        "it",
        "of",
        "on",
        "or",
        "that",
        "the",
        "this",
        "to",
        "was",
        "what",
        "when",
        "where",
        "which",
        "who",
        "why",
        "will",
        "with",
        "you",
        "your",
    ]
)
# The full-text index takes English endings off; these are the commonest.
_ENDINGS = ("ing", "ed", "es", "s", "e")
_SENTENCE_END = re.compile(r"[.!?] |[。！？]")
# So much before the first match is shown where a sentence begins there.
_BEFORE = 80


def question_words(question: str) -> frozenset[str]:
    """The words of a question worth showing, in lower case."""
    return frozenset(split_words(question)) - _COMMON


def matches(text: str, question: str) -> list[tuple[int, int]]:
    """Start and end of what the question holds too, ascending; neighbouring words are one.

    A word also matches by its English endings.

    >>> matches("The pilots saw smoke.", "what did the pilot see?")
    [(4, 10)]
    """
    joined: list[tuple[int, int]] = []
    for start, stop in _places(text, question):
        if joined and (start <= joined[-1][1] or not text[joined[-1][1] : start].strip(" ")):
            joined[-1] = joined[-1][0], max(stop, joined[-1][1])
        else:
            joined.append((start, stop))
    return joined


def snippet(text: str, question: str, *, characters: int = 240) -> str:
    """The window of a text with the most words of the question, on one line, cut at words.

    Where there are no blanks it is cut between characters.
    """
    flat = " ".join(text.split())
    if len(flat) <= characters:
        return flat
    best = _best([start for start, _ in _places(flat, question)], characters)
    start = 0 if best < characters // 3 else _sentence_start(flat, best, characters)
    shown = cut_at_word(flat[start:], characters)
    return ("… " if start else "") + shown + (" …" if start + len(shown) < len(flat) else "")


def _places(text: str, question: str) -> list[tuple[int, int]]:
    """Start and end of each word that matches, ascending; pieces of an unspaced run overlap."""
    words = question_words(question)
    stems = set(map(_stem, words))
    places = [(start, stop) for start, stop, word in word_places(text) if _stem(word) in stems]
    # A question of one Chinese character is no pair, and a passage holds it in pairs only.
    short = sorted(word for word in words if len(word) == 1 and unspaced().match(word))
    if short:
        places += [found.span() for found in re.finditer("|".join(map(re.escape, short)), text)]
    return sorted(places)


def _best(places: Sequence[int], characters: int) -> int:
    """The place from which on a window holds the most others; the first of several, 0 without any."""
    best = most = last = 0
    for first, place in enumerate(places):
        while last < len(places) and places[last] < place + characters:
            last += 1
        if last - first > most:
            best, most = place, last - first
    return best


def _sentence_start(text: str, best: int, characters: int) -> int:
    """Where the sentence begins, if that is near; else the place itself."""
    earliest = max(0, best - min(_BEFORE, characters // 3))
    ends = [found.end() for found in _SENTENCE_END.finditer(text, earliest, best)]
    return ends[-1] if ends else best


def _stem(word: str) -> str:
    """A word without its ending, where three letters remain: ``streaming`` and ``streams`` meet."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3 and word.isascii():
            return word.removesuffix(ending)
    return word
