"""A filter's text in pieces, each with its place, and errors that point at a place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

from biencoder.errors import InputError

Kind: TypeAlias = Literal["text", "number", "word", "operator", "sign", "end"]

_TOKEN = re.compile(
    r"""
      (?P<text>'(?:[^'\\]|''|\\.)*+'|"(?:[^"\\]|""|\\.)*+")
    | (?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![A-Za-z0-9_.]))
    | (?P<word>[A-Za-z_][A-Za-z0-9_]*)
    | (?P<operator><>|[=!<>]=|[=<>])
    | (?P<sign>[(),])
    """,
    re.VERBOSE | re.DOTALL,
)
_SPACE = re.compile(r"\s*")
_WINDOW = 40


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a filter; ``start`` counts characters from 0."""

    kind: Kind
    text: str
    start: int

    @property
    def key(self) -> str:
        """What the grammar knows it by: a word in small letters, a sign as it is, else nothing."""
        return self.text.lower() if self.kind in ("word", "sign") else ""


def tokens(text: str) -> Iterator[Token]:
    """The pieces of ``text``, the last of kind "end"; InputError at what cannot be read."""
    place = _space_end(text, 0)
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _unreadable(text, place)
        yield Token(found.lastgroup, found.group(), place)  # type: ignore[arg-type]
        place = _space_end(text, found.end())
    yield Token("end", "", place)


def unquoted(text: str, token: Token) -> str:
    """What a quoted text says; InputError at a backslash before something that needs none."""
    quote, body = token.text[0], token.text[1:-1]
    pieces, place = [], 0
    while place < len(body):
        if body[place] == "\\" and body[place + 1] not in "\\'\"":
            raise error_at(
                text,
                token.start + 1 + place,
                "a backslash escapes only a quote or a backslash",
                hint="for a backslash itself write two",
            )
        place += body[place] in (quote, "\\")
        pieces.append(body[place])
        place += 1
    return "".join(pieces)


def error_at(text: str, place: int, message: str, hint: str | None = None) -> InputError:
    """An error with the neighbourhood of ``place`` on one line and a caret below it."""
    first = max(0, place - _WINDOW)
    near = text[first : place + _WINDOW]
    # Control characters would move the caret, or the terminal.
    shown = "".join(character if character.isprintable() else "·" for character in near)
    return InputError(
        f"the filter cannot be read at character {place + 1}: {message}\n"
        f"  {shown}\n  {' ' * (place - first)}^",
        hint=hint,
    )


def visible(text: str) -> str:
    """The first characters of ``text``, fit for a message."""
    return text[:_WINDOW] if text.isprintable() else ascii(text[:_WINDOW])


def _space_end(text: str, place: int) -> int:
    found = _SPACE.match(text, place)
    assert found is not None
    return found.end()


def _unreadable(text: str, place: int) -> InputError:
    character = text[place]
    if character in "'\"":
        message, hint = "the text that begins here has no end", "a quote inside a text is doubled"
    elif character in "‘’“”‚„«»`´":
        message, hint = f"{character} is no quote here", "put texts in straight quotes, ' or \""
    elif character in "0123456789+-":
        message, hint = "this is no number", "a text stands in quotes"
    else:
        message = f"{visible(character)} means nothing here"
        hint = "a text stands in quotes, as in: source = 'a.pdf'"
    return error_at(text, place, message, hint)
