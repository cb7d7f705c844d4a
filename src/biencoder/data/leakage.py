"""Keep evaluation texts out of training: equal normalised text, or a shared run of 13 words.

The rule is the one that the field reports for decontaminated benchmarks: text in lower case,
letters and digits only; 13 consecutive words in common make a leak.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

RUN_WORDS = 13

_word = re.compile(r"[^\W_]+")
_Row = TypeVar("_Row")


def words(text: str) -> list[str]:
    """The words of a text in lower case: runs of letters and digits.

    >>> words("What's an A-B tree?")
    ['what', 's', 'an', 'a', 'b', 'tree']
    """
    return _word.findall(text.lower())


class LeakCheck:
    """Remembers protected texts and says whether another text repeats one of them.

    >>> check = LeakCheck(["Where do oxbow lakes come from?"])
    >>> check.reason("where do oxbow lakes come from"), check.reason("What is a lake?")
    ('equal text', None)
    """

    def __init__(self, protected: Iterable[str]) -> None:
        self.equal: set[str] = set()
        self.runs: set[int] = set()
        for text in protected:
            tokens = words(text)
            if tokens:
                self.equal.add(" ".join(tokens))
            self.runs.update(_run_hashes(tokens))

    def reason(self, text: str) -> str | None:
        """``"equal text"``, ``"13 words in common"``, or None where the text is clean."""
        tokens = words(text)
        if " ".join(tokens) in self.equal:
            return "equal text"
        if any(run in self.runs for run in _run_hashes(tokens)):
            return f"{RUN_WORDS} words in common"
        return None

    def clean(
        self, rows: Iterable[_Row], texts_of: Callable[[_Row], Iterable[str]]
    ) -> tuple[list[_Row], Counter[str]]:
        """Rows of which no text leaks, and how many were dropped for which reason."""
        kept: list[_Row] = []
        dropped: Counter[str] = Counter()
        for row in rows:
            reason = next(filter(None, map(self.reason, texts_of(row))), None)
            if reason is None:
                kept.append(row)
            else:
                dropped[reason] += 1
        return kept, dropped


def _run_hashes(tokens: Sequence[str]) -> Iterator[int]:
    for start in range(len(tokens) - RUN_WORDS + 1):
        yield hash(tuple(tokens[start : start + RUN_WORDS]))
