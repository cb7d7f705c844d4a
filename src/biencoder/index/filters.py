"""Which rows a search may return: a small typed tree over the columns of an index.

Python builds it with ``col``; ``filter_parser.py`` reads it from text; ``filter_check.py`` holds it
against an index's columns; ``filter_compile.py`` turns it into what an engine runs. A missing value
is SQL's: a comparison with it is unknown, its denial too, and unknown rows are never returned; only
``is_null`` and ``not_null`` see it.

>>> from biencoder.index.filters import col
>>> (col("source") == "a.pdf") & (col("page") < 10)
And(terms=(Compare(column='source', operator='==', value='a.pdf'), \
Compare(column='page', operator='<', value=10)))
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias

import numpy as np

from biencoder.errors import InputError

Value: TypeAlias = str | int | float | bool
Operator: TypeAlias = Literal["==", "!=", "<", "<=", ">", ">="]
Match: TypeAlias = Literal["starts_with", "contains"]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")


class Filter:
    """A condition on a row; combine with ``&``, ``|`` and ``~``."""

    __slots__ = ()

    def __and__(self, other: Filter) -> Filter:
        return And((*_terms(self, And), *_terms(other, And)))

    def __or__(self, other: Filter) -> Filter:
        return Or((*_terms(self, Or), *_terms(other, Or)))

    def __invert__(self) -> Filter:
        return Not(self)

    def __bool__(self) -> NoReturn:
        # Python's `and` would drop one side silently, and so would `1 < col("page") < 10`.
        raise InputError(
            "a filter is neither true nor false before it meets a row",
            hint="combine filters with &, | and ~, each side in parentheses, not with and, or, not",
        )


@dataclass(frozen=True, slots=True)
class Compare(Filter):
    """A column's value against a constant; texts compare by code point."""

    column: str
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class OneOf(Filter):
    """A column's value is one of these."""

    column: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class TextMatch(Filter):
    """A text column starts with, or contains, exactly this text: no wildcards."""

    column: str
    how: Match
    text: str


@dataclass(frozen=True, slots=True)
class IsNull(Filter):
    """A column has no value; true or false, never unknown."""

    column: str


@dataclass(frozen=True, slots=True)
class Not(Filter):
    """The denial; of unknown, unknown."""

    term: Filter


@dataclass(frozen=True, slots=True)
class And(Filter):
    """All of the terms."""

    terms: tuple[Filter, ...]


@dataclass(frozen=True, slots=True)
class Or(Filter):
    """At least one of the terms."""

    terms: tuple[Filter, ...]


def _terms(filter_: object, kind: type[And] | type[Or]) -> tuple[Filter, ...]:
    """A chain stays flat: a thousand terms are one node, not a tree a thousand deep."""
    if not isinstance(filter_, Filter):
        raise InputError(
            f"{filter_!r} is no filter",
            hint='compare a column, as in (col("page") < 10) & (col("source") == "a.pdf")',
        )
    return filter_.terms if isinstance(filter_, kind) else (filter_,)


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A column of an index by name; comparing it with a constant gives a Filter."""

    name: str

    def __eq__(self, value: object) -> Filter:  # type: ignore[override]
        return Compare(self.name, "==", constant(value))

    def __ne__(self, value: object) -> Filter:  # type: ignore[override]
        return Compare(self.name, "!=", constant(value))

    def __lt__(self, value: object) -> Filter:
        return Compare(self.name, "<", constant(value))

    def __le__(self, value: object) -> Filter:
        return Compare(self.name, "<=", constant(value))

    def __gt__(self, value: object) -> Filter:
        return Compare(self.name, ">", constant(value))

    def __ge__(self, value: object) -> Filter:
        return Compare(self.name, ">=", constant(value))

    def isin(self, values: Iterable[object]) -> Filter:
        """The value is one of ``values``; InputError where there are none."""
        if isinstance(values, str):
            raise InputError(f"isin takes a list, not the text {values!r}", hint="put it in [ ]")
        constants = tuple(map(constant, values))
        if not constants:
            raise InputError(
                f"the list of values for {self.name} is empty", hint="give at least one"
            )
        return OneOf(self.name, constants)

    def startswith(self, prefix: str) -> Filter:
        """The text begins with ``prefix``, letter case included; ``%`` and ``_`` are themselves."""
        return TextMatch(self.name, "starts_with", _text(prefix))

    def contains(self, part: str) -> Filter:
        """``part`` stands in the text, letter case included; ``%`` and ``_`` are themselves."""
        return TextMatch(self.name, "contains", _text(part))

    def is_null(self) -> Filter:
        """There is no value."""
        return IsNull(self.name)

    def not_null(self) -> Filter:
        """There is a value."""
        return Not(IsNull(self.name))


def col(name: str) -> Column:
    """The column ``name``; InputError where that can be no column's name.

    >>> col("page").isin([1, 2])
    OneOf(column='page', values=(1, 2))
    """
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InputError(
            f"{name!a} cannot be a column's name",
            hint="a name is made of letters a-z, digits and _, begins with no digit, "
            "and has at most 64 characters",
        )
    return Column(name)


def constant(value: object) -> Value:
    """``value`` as a filter may hold it: text, whole number, number or truth value.

    numpy's scalars become Python's, -0.0 becomes 0.0. InputError for every other type, for numbers
    that are not finite or do not fit 64 bits, and for text that UTF-8 cannot hold.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    # The exact type: a subclass may print or compare as something else than it holds.
    if type(plain) is bool:
        return plain
    if type(plain) is str:
        return _text(plain)
    if type(plain) is int:
        if not -(2**63) <= plain < 2**63:
            raise InputError("a whole number in a filter does not fit 64 bits")
        return plain
    if type(plain) is float:
        if not math.isfinite(plain):
            raise InputError(
                f"{plain} in a filter compares with nothing",
                hint="for missing values ask is_null()",
            )
        return plain + 0.0
    raise InputError(
        f"a filter cannot compare with {'None' if plain is None else type(plain).__name__}",
        hint="for missing values ask is_null()"
        if plain is None
        else "a value is a text, a whole number, a number, True or False",
    )


def _text(text: object) -> str:
    plain = text.item() if isinstance(text, np.str_) else text
    if type(plain) is not str:
        raise InputError(f"a text was expected, not {type(plain).__name__}")
    try:
        plain.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"a text in a filter holds half a surrogate pair at character {error.start + 1}",
            hint="no stored text can hold it",
        ) from error
    return plain
