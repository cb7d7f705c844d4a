"""The part of a passage that a person should see, and the words in it that match the question."""

from __future__ import annotations

import re

_word = re.compile(r"\w+")
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


def question_words(question: str) -> frozenset[str]:
    """The words of a question worth showing, in lower case."""
    return frozenset(_word.findall(question.lower())) - _COMMON


def snippet(text: str, question: str, *, characters: int = 240) -> str:
    """The window of a text with the most words of the question, on one line, cut at words."""
    flat = " ".join(text.split())
    if len(flat) <= characters:
        return flat
    wanted = question_words(question)
    places = [match.start() for match in _word.finditer(flat) if match[0].lower() in wanted]
    best = max(places, default=0, key=lambda start: _hits(places, start, characters))
    start = flat.rfind(". ", 0, best) + 2 if flat.rfind(". ", 0, best) > best - 80 else best
    start = 0 if best < characters // 3 else start
    stop = flat.rfind(" ", start, start + characters) if start + characters < len(flat) else None
    return ("… " if start else "") + flat[start:stop] + (" …" if stop else "")


def _hits(places: list[int], start: int, characters: int) -> int:
    return sum(start <= place < start + characters for place in places)
