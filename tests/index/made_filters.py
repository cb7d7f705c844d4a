"""Made for the tests of filters: a table, generated filters, and SQL's logic in plain Python."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from biencoder.index.filter_check import ColumnType
from biencoder.index.filters import And, Compare, Filter, IsNull, Not, OneOf, Or, TextMatch, col

COLUMNS: dict[str, ColumnType] = {
    "source": "text",
    "page": "integer",
    "score": "number",
    "scanned": "boolean",
    "Order": "text",  # a word that SQL reserves, and a capital letter
}
TEXTS = ["", "a", "a.pdf", "a%pdf", "a\U0010ffffb", "ab", "b", "é", "it's", "\\", "\0", "A"]
TEXTS += ["\ud7ff", "\ud7ffz", "\ue000", "\U0010ffff", "\U0010ffff\U0010ffffz"]
NUMBERS = [0.0, -0.0, 0.5, -1.5, 2.0, 1e300]
POOLS: dict[str, list[Any]] = {
    "source": TEXTS,
    "page": [0, 1, -3, 10, 2**63 - 1, -(2**63)],
    "score": NUMBERS,
    "scanned": [True, False],
    "Order": TEXTS,
}
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
ROWS = 60


def _table() -> pa.Table:
    rng = np.random.default_rng(5)
    types = {"text": pa.string(), "integer": pa.int64(), "number": pa.float64()}
    columns: dict[str, pa.Array[Any]] = {"row": pa.array(range(ROWS))}
    for name, kind in COLUMNS.items():
        pool = [*POOLS[name], None]
        values = [pool[place] for place in rng.integers(0, len(pool), ROWS)]
        columns[name] = pa.array(values, types.get(kind, pa.bool_()))
    columns["words"] = pa.array([f"tea {'cup' if row % 2 else 'pot'}" for row in range(ROWS)])
    return pa.table(columns)


TABLE = _table()
RECORDS = TABLE.to_pylist()


def truth(filter_: Filter, row: dict[str, Any]) -> bool | None:
    """What SQL says of a row; None is unknown."""
    match filter_:
        case And(terms):
            truths = [truth(term, row) for term in terms]
            return False if False in truths else None if None in truths else True
        case Or(terms):
            truths = [truth(term, row) for term in terms]
            return True if True in truths else None if None in truths else False
        case Not(term):
            denied = truth(term, row)
            return None if denied is None else not denied
        case IsNull(column):
            return row[column] is None
        case Compare(column, how, value):
            return None if row[column] is None else COMPARE[how](row[column], value)
        case OneOf(column, values):
            return None if row[column] is None else row[column] in values
        case TextMatch(column, "starts_with", text):
            return None if row[column] is None else str(row[column]).startswith(text)
        case TextMatch(column, "contains", text):
            return None if row[column] is None else text in str(row[column])
    raise AssertionError(filter_)


def expected(filter_: Filter) -> list[int]:
    """The rows that a filter selects."""
    return [row["row"] for row in RECORDS if truth(filter_, row) is True]


@st.composite
def _leaves(draw: st.DrawFn) -> Filter:
    name = draw(st.sampled_from(list(COLUMNS)))
    value = st.sampled_from(POOLS[name])
    if COLUMNS[name] == "text":
        value |= st.text(max_size=3)
    column, kind = col(name), draw(st.sampled_from(["compare", "in", "null", "match"]))
    if kind == "null":
        return draw(st.sampled_from([column.is_null(), column.not_null()]))
    if kind == "in":
        return column.isin(draw(st.lists(value, min_size=1, max_size=4)))
    if kind == "match" and COLUMNS[name] == "text":
        text = draw(value)
        return draw(st.sampled_from([column.startswith(text), column.contains(text)]))
    signs = list(COMPARE) if COLUMNS[name] != "boolean" else ["==", "!="]
    compare = COMPARE[draw(st.sampled_from(signs))]
    found: Any = compare(column, draw(value))
    assert isinstance(found, Filter)
    return found


FILTERS = st.recursive(
    _leaves(),
    lambda inner: (
        st.builds(operator.and_, inner, inner)
        | st.builds(operator.or_, inner, inner)
        | st.builds(operator.invert, inner)
    ),
    max_leaves=8,
)
