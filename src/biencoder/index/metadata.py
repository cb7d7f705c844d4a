"""What rows bring beside their text, as typed columns that the index can be filtered by."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from biencoder.index.filter_check import ColumnType
from biencoder.index.filters import Value
from biencoder.index.rows import CORE, INNER
from biencoder.reading.rows import Row

# The largest whole number up to which every one is a 64-bit float too.
_EXACT = 2**53
# Fields of a row that are columns of the index already, and may come from the row.
_TAKEN_OVER = ("page", "heading")
_TYPES: Mapping[type, ColumnType] = {
    str: "text",
    bool: "boolean",
    int: "integer",
    float: "number",
}


def own_metadata(row: Row) -> dict[str, Value]:
    """A row's metadata without the fields that are the index's own columns."""
    return {
        name: value
        for name, value in row.metadata.items()
        if name not in CORE and name not in INNER
    }


def taken_over(row: Row) -> tuple[int | None, str]:
    """Page and heading, where a row brings them."""
    page, heading = (row.metadata.get(name) for name in _TAKEN_OVER)
    return (
        page if isinstance(page, int) and not isinstance(page, bool) else None,
        heading if isinstance(heading, str) else "",
    )


def misfit(metadata: Mapping[str, Value], columns: Mapping[str, ColumnType]) -> str:
    """Why a row's metadata cannot stand in the columns, or nothing."""
    for name, value in metadata.items():
        kind, there = _TYPES[type(value)], columns[name]
        if (kind, there) == ("integer", "number"):
            if abs(value) > _EXACT:  # type: ignore[arg-type]
                return (
                    f"its field {name!r} is a whole number beyond 2**53, and other rows have "
                    "fractions there, which so large a number does not fit: make it a text in all"
                )
        elif (kind, there) == ("number", "integer"):
            return (
                f"its field {name!r} is a number here, and other rows have whole numbers beyond "
                "2**53 there, which would be rounded: make it a text in all"
            )
        elif kind != there:
            return f"its field {name!r} is {kind} here and {there} in other rows: make them alike"
    return ""


def learn_types(
    metadata: Mapping[str, Value],
    columns: dict[str, ColumnType],
    widens: Callable[[str], bool],
) -> None:
    """Add to ``columns`` what a row's metadata needs.

    widens: whether a column of whole numbers, by its name, may become one of fractions.
    """
    for name, value in metadata.items():
        kind = _TYPES[type(value)]
        there = columns.setdefault(name, kind)
        # 10 in one row and 10.5 in another: which comes first must not matter.
        if (kind, there) == ("number", "integer") and widens(name):
            columns[name] = kind
