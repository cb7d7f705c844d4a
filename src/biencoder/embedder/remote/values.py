"""Single values of what a server states, each of its kind or a ValueError."""

from __future__ import annotations

import re

_ANY = re.compile(r"(?s).*")


def text(value: object, pattern: re.Pattern[str] = _ANY) -> str:
    """A string of the pattern's form."""
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{value!r} is not as expected")
    return value


def count(value: object) -> int:
    """A whole number from 1 on."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} is no count")
    return value


def truth(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise ValueError(f"{value!r} is neither true nor false")
    return value
