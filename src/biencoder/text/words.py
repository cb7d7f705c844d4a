"""Words for a lexical baseline, in any script: whole where a script has spaces, else pieces.

Letters, marks and digits make a run; all else parts them. (Python's ``\\w`` lacks marks, and so
splits every Devanagari word at its vowel signs.) A run of Han, kana or Hangul becomes its
neighbouring pairs, one of Thai, Lao, Khmer or Myanmar its triples.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import groupby
from typing import Literal, TypeAlias, get_args

from biencoder.errors import InputError

Tokens: TypeAlias = Literal["auto", "words", "bigrams", "trigrams"]
TOKENS: tuple[Tokens, ...] = get_args(Tokens)

Splitter: TypeAlias = Callable[[str], list[str]]

# Unicode blocks; within a run of letters, marks and digits they hold nothing else.
_PAIRED = (
    (0x1100, 0x11FF),  # Hangul Jamo
    (0x2E80, 0x2FDF),  # radicals
    (0x3005, 0x3007),  # iteration mark, closing mark, zero
    (0x3021, 0x302F),  # numerals, tone marks
    (0x3031, 0x303C),  # kana repeat marks, numerals
    (0x3040, 0x30FF),  # Hiragana, Katakana
    (0x3130, 0x318F),  # Hangul Compatibility Jamo
    (0x31F0, 0x31FF),  # Katakana extensions
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),  # Han
    (0xA960, 0xA97F),  # Hangul Jamo Extended-A
    (0xAC00, 0xD7FF),  # Hangul syllables, Jamo Extended-B
    (0xF900, 0xFAFF),  # Han compatibility
    (0xFF66, 0xFFDC),  # half-width Katakana, Hangul
    (0x1AFF0, 0x1B16F),  # kana extensions
    (0x20000, 0x3FFFF),  # Han
)
_TRIPLED = (
    (0x0E00, 0x0E7F),  # Thai
    (0x0E80, 0x0EFF),  # Lao
    (0x1000, 0x109F),  # Myanmar
    (0x1780, 0x17FF),  # Khmer
    (0xA9E0, 0xA9FF),  # Myanmar Extended-B
    (0xAA60, 0xAA7F),  # Myanmar Extended-A
)
# Where Unicode keeps its marks; a test compares with all of it.
_MARKS = (range(0x20000), range(0xE0000, 0xE1000))

_ascii_run = re.compile(r"[a-z0-9]+")


def split_words(text: str, tokens: Tokens = "auto") -> list[str]:
    """The words of a text in order, case folded, composed (NFC).

    tokens: ``auto`` as the head of this file says; ``words`` keeps every run whole; ``bigrams`` and
    ``trigrams`` cut every run, in any script, into pieces of 2 or 3 characters. A run shorter than
    a piece stays as it is.

    >>> split_words("Straße 2010年发布 हिन्दी", "auto")
    ['strasse', '2010', '年发', '发布', 'हिन्दी']
    >>> split_words("Words, twice", "trigrams")
    ['wor', 'ord', 'rds', 'twi', 'wic', 'ice']
    """
    return splitter(tokens)(text)


def splitter(tokens: Tokens) -> Splitter:
    """The function that `split_words` would use, to be called a million times."""
    match tokens:
        case "auto":
            return _by_script
        case "words":
            return _runs
        case "bigrams":
            return lambda text: _pieces(_runs(text), 2)
        case "trigrams":
            return lambda text: _pieces(_runs(text), 3)
    raise InputError(f"tokens {tokens!r} are unknown", hint=f"known: {', '.join(TOKENS)}")


def word_places(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, end and word of each word of `split_words`, as it stands in the text.

    >>> list(word_places("Straße 2010年发布"))
    [(0, 6, 'strasse'), (7, 11, '2010'), (11, 13, '年发'), (12, 14, '发布')]
    """
    for run in _any_run().finditer(text.replace("_", " ")):
        for part in _one_script().finditer(run[0]):
            size = {"paired": 2, "tripled": 3}.get(part.lastgroup or "", len(part[0]))
            for first in range(max(1, len(part[0]) - size + 1)):
                start = run.start() + part.start() + first
                stop = min(start + size, run.start() + part.end())
                yield start, stop, _folded(text[start:stop])


def _by_script(text: str) -> list[str]:
    runs = _runs(text)
    # One look at the whole text: most have no script that must be cut.
    if text.isascii() or not unspaced().search(text):
        return runs
    words: list[str] = []
    for run in runs:
        for part in _one_script().finditer(run):
            match part.lastgroup:
                case "paired":
                    words += _pieces([part[0]], 2)
                case "tripled":
                    words += _pieces([part[0]], 3)
                case _:
                    words.append(part[0])
    return words


def _runs(text: str) -> list[str]:
    if text.isascii():
        return _ascii_run.findall(text.lower())
    return _any_run().findall(_folded(text).replace("_", " "))


def _folded(text: str) -> str:
    # Folding may take a composed letter apart, so it is composed again.
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def _pieces(runs: Iterable[str], size: int) -> list[str]:
    return [
        run[start : start + size] for run in runs for start in range(max(1, len(run) - size + 1))
    ]


@cache
def _any_run() -> re.Pattern[str]:
    """Letters and digits (``\\w`` but for the underscore, which the caller takes out) and marks."""
    marks = (
        code for codes in _MARKS for code in codes if unicodedata.category(chr(code))[0] == "M"
    )
    return re.compile(rf"[\w{_charset(_ranges(marks))}]+")


@cache
def unspaced() -> re.Pattern[str]:
    """A character of a script that parts no words by blanks."""
    return re.compile(f"[{_charset(_PAIRED + _TRIPLED)}]")


@cache
def _one_script() -> re.Pattern[str]:
    """Parts of a run: paired, tripled or neither."""
    paired, tripled = _charset(_PAIRED), _charset(_TRIPLED)
    return re.compile(f"(?P<paired>[{paired}]+)|(?P<tripled>[{tripled}]+)|[^{paired}{tripled}]+")


def _charset(ranges: Iterable[tuple[int, int]]) -> str:
    return "".join(f"\\U{first:08x}-\\U{last:08x}" for first, last in ranges)


def _ranges(codes: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Ascending numbers as ranges, both ends included."""
    for _, group in groupby(enumerate(codes), key=lambda pair: pair[1] - pair[0]):
        members = [code for _, code in group]
        yield members[0], members[-1]
