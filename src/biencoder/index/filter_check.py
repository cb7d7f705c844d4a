"""Does a filter fit an index? Columns known, values of their column's type, size in bounds."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Literal, TypeAlias

from biencoder.errors import InputError
from biencoder.index.filters import And, Compare, Filter, IsNull, Not, OneOf, Or, TextMatch, Value

ColumnType: TypeAlias = Literal["text", "integer", "number", "boolean"]

# Engines walk the tree recursively; deeper or wider ones exhaust their stacks before their rows.
MAX_NESTING = 100
MAX_TERMS = 1_000

_SHOWN_COLUMNS = 20
_HOLDS = {
    "text": "texts",
    "integer": "whole numbers",
    "number": "numbers",
    "boolean": "true and false",
}


def check(filter_: Filter, columns: Mapping[str, ColumnType]) -> Filter:
    """The same filter with each value in its column's type (10.0 for an integer column becomes 10).

    ``columns`` are those of the index; "integer" is int64 there, "number" float64. InputError for
    an unknown column (lists the known), a value or operation that its column cannot have, more than
    100 levels or 1,000 terms.
    """
    if not isinstance(filter_, Filter):
        raise InputError(
            f"{filter_!a} is no filter",
            hint='build one, as in col("page") < 10, or read one with parse("page < 10")',
        )
    return _fitted(limited(filter_), columns)


def limited(filter_: Filter) -> Filter:
    """The filter itself; InputError beyond ``MAX_NESTING`` levels or ``MAX_TERMS`` terms."""
    waiting, terms = [(filter_, 1)], 0
    while waiting:  # not recursive: the tree may be deeper than Python's stack
        node, level = waiting.pop()
        if level > MAX_NESTING:
            raise InputError(f"the filter is nested more than {MAX_NESTING} levels deep")
        if isinstance(node, (And, Or)):
            waiting.extend((term, level + 1) for term in node.terms)
        elif isinstance(node, Not):
            waiting.append((node.term, level + 1))
        else:
            terms += 1
    if terms > MAX_TERMS:
        raise InputError(
            f"the filter has {terms:,} terms, more than {MAX_TERMS:,}",
            hint="many values of one column belong into one `in (...)`",
        )
    return filter_


def _fitted(filter_: Filter, columns: Mapping[str, ColumnType]) -> Filter:
    match filter_:
        case And(terms):
            return And(tuple(_fitted(term, columns) for term in terms))
        case Or(terms):
            return Or(tuple(_fitted(term, columns) for term in terms))
        case Not(term):
            return Not(_fitted(term, columns))
        case Compare(column, operator, value):
            kind = _type_of(column, columns)
            if kind == "boolean" and operator not in ("==", "!="):
                raise InputError(
                    f"column {column} holds true and false, which have no order",
                    hint=f"ask {column} = true or {column} = false",
                )
            return Compare(column, operator, _value(column, kind, value))
        case OneOf(column, values):
            kind = _type_of(column, columns)
            return OneOf(column, tuple(_value(column, kind, value) for value in values))
        case TextMatch(column, how, _):
            if (kind := _type_of(column, columns)) != "text":
                raise InputError(f"column {column} holds {_HOLDS[kind]}, and {how} is for texts")
            return filter_
        case IsNull(column):
            _type_of(column, columns)
            return filter_
    raise AssertionError(f"no such filter: {filter_!r}")


def _type_of(column: str, columns: Mapping[str, ColumnType]) -> ColumnType:
    if column in columns:
        return columns[column]
    by_lower = {known.lower(): known for known in columns}
    near = difflib.get_close_matches(column.lower(), by_lower, n=1)
    meant = f"did you mean {by_lower[near[0]]}? " if near else ""
    more = f" and {len(columns) - _SHOWN_COLUMNS} more" if len(columns) > _SHOWN_COLUMNS else ""
    shown = ", ".join(sorted(columns)[:_SHOWN_COLUMNS]) + more
    raise InputError(
        f"there is no column {column}",
        hint=f"{meant}the columns are {shown}"
        if columns
        else "this index has no columns to filter by",
    )


def _value(column: str, kind: ColumnType, value: Value) -> Value:
    if kind == "text" and isinstance(value, str):
        return value
    if kind == "boolean" and isinstance(value, bool):
        return value
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        if kind == "integer" and value == int(value) and -(2**63) <= value < 2**63:
            return int(value)
        # A whole number beyond 2**53 may have no float of its own; comparing a neighbour would lie.
        if kind == "number" and float(value) == value:
            return float(value)
    raise InputError(
        f"column {column} holds {_HOLDS[kind]}, and the filter compares it with {_shown(value)}",
        hint=_HINTS[kind].format(column=column),
    )


_HINTS = {
    "text": 'put the value in quotes: {column} = "..."',
    "integer": "give a whole number without quotes: {column} = 10",
    "number": "give a number without quotes: {column} < 0.5",
    "boolean": "ask {column} = true or {column} = false",
}


def _shown(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {value if len(value) <= 40 else value[:40] + '…'!a}"
    return f"{value}"
