"""Names and texts of any length made short, cut where a word ends."""

from __future__ import annotations

import unicodedata

# Of a title or heading that many are shown and stored, with every passage; real ones are far shorter.
NAME_CHARACTERS = 1_000
# And so many stand in front of what the model reads: more would not fit beside a passage.
CONTEXT_CHARACTERS = 300


def cut_at_word(text: str, most: int) -> str:
    """The beginning of a text, at most ``most`` characters.

    It ends between words; where the last half has no blank, between letters, never before a mark that
    belongs to one.

    >>> cut_at_word("oxbow lakes are bends", 13)
    'oxbow lakes'
    """
    if len(text) <= most:
        return text
    stop = text.rfind(" ", most // 2, most + 1)
    if stop < 0:
        stop = most
        while stop > most // 2 and unicodedata.category(text[stop])[0] == "M":
            stop -= 1
    return text[:stop].rstrip()


def short_name(name: str) -> str:
    """A title or heading as it is shown; of a book in its place the beginning, and that it goes on."""
    if len(name) <= NAME_CHARACTERS:
        return name
    return cut_at_word(name, NAME_CHARACTERS - 1) + "…"
