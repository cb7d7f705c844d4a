"""What rows bring beside their text: page, heading, and values for the index's typed columns."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from biencoder.index.columns import EXACT, MAX_COLUMNS
from biencoder.index.filter_check import ColumnType
from biencoder.index.filters import Value
from biencoder.index.rows import CORE, INNER
from biencoder.reading.rows import LeftOut, Row

# Fields of a row that are columns of the index already, and may come from the row.
_TAKEN_OVER = ("page", "heading")
_WHOLE = re.compile(r"-?[0-9]{1,18}")
_TYPES: Mapping[type, ColumnType] = {
    str: "text",
    bool: "boolean",
    int: "integer",
    float: "number",
}
_MISFIT = "its field "


@dataclass(frozen=True, slots=True)
class Brought:
    """What of a row goes into the index beside its text. reason: why the row cannot stand there."""

    page: int | None
    heading: str
    metadata: Mapping[str, Value]
    reason: str


def bring(row: Row, columns: Mapping[str, ColumnType], left_out: LeftOut) -> Brought:
    """What a row brings to an index of these columns; what it cannot bring is counted."""
    for name in row.metadata:
        if (name in CORE or name in INNER) and name not in _TAKEN_OVER:
            left_out.add(f"{name!r}, which is a column of the index's own")
    own = own_metadata(row)
    if len(columns) >= MAX_COLUMNS:
        for name in own:
            if name not in columns:
                left_out.add(f"{name!r}, for the index has its {MAX_COLUMNS} columns of metadata")
        own = {name: value for name, value in own.items() if name in columns}
    page, heading = (row.metadata.get(name) for name in _TAKEN_OVER)
    return Brought(_page(page, left_out), _heading(heading, left_out), own, misfit(own, columns))


def own_metadata(row: Row) -> dict[str, Value]:
    """A row's metadata without the fields that are the index's own columns."""
    return {
        name: value
        for name, value in row.metadata.items()
        if name not in CORE and name not in INNER
    }


def misfit(metadata: Mapping[str, Value], columns: Mapping[str, ColumnType]) -> str:
    """Why a row's metadata cannot stand in the columns, or nothing."""
    for name, value in metadata.items():
        if name not in columns:
            # The plan has seen every field of the file as it was then.
            return "its file changed while it was read: run again"
        kind, there = _TYPES[type(value)], columns[name]
        if (kind, there) == ("integer", "number"):
            if abs(value) > EXACT:  # type: ignore[arg-type]
                return (
                    f"{_MISFIT}{name!r} is a whole number beyond 2**53, and other rows have "
                    "fractions there, which so large a number does not fit: make it a text in all"
                )
        elif (kind, there) == ("number", "integer"):
            return (
                f"{_MISFIT}{name!r} is a number here, and other rows have whole numbers beyond "
                "2**53 there, which would be rounded: make it a text in all"
            )
        elif kind != there:
            return f"{_MISFIT}{name!r} is {kind} here and {there} in other rows: make them alike"
    return ""


def is_misfit(reason: str) -> bool:
    """Whether a row failed because of what other rows have: it may fit when those change."""
    return reason.startswith(_MISFIT)


def _page(value: Value | None, left_out: LeftOut) -> int | None:
    """A whole number, also where it is written as a text or as 12.0."""
    match value:
        case None | bool():
            pass
        case int():
            return value
        case float() if value.is_integer() and abs(value) <= EXACT:
            return int(value)
        case str() if _WHOLE.fullmatch(value.strip()):
            return int(value)
    if value is not None:
        left_out.add("'page', where it is no whole number")
    return None


def _heading(value: Value | None, left_out: LeftOut) -> str:
    if isinstance(value, bool):
        left_out.add("'heading', where it is neither a text nor a number")
        return ""
    return "" if value is None else str(value)
