"""A checked filter as an engine runs it: pyarrow's for memory, LanceDB's typed tree for the store.

Both mean the same, three-valued logic included. Neither road assembles SQL text: a constant stays a
typed literal all the way, so no value can be read as code.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from biencoder.index.filters import And, Compare, Filter, IsNull, Not, OneOf, Or, TextMatch, Value

if TYPE_CHECKING:
    from lancedb.expr import Expr

T = TypeVar("T")

_ARROW_COMPARE: dict[str, Callable[..., Any]] = {
    "==": pc.equal,
    "!=": pc.not_equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_LAST, _SURROGATES = 0x10FFFF, (0xD800, 0xDFFF)


def to_arrow(filter_: Filter) -> pc.Expression:
    """For ``table.filter`` and data sets; the filter must have passed ``check``."""
    expression: pc.Expression = _arrow(filter_, pc.field)
    return expression


def mask(filter_: Filter, table: pa.Table) -> npt.NDArray[np.bool_]:
    """Which rows of ``table`` the filter selects, shape (rows,); it must have passed ``check``."""
    truth = _arrow(filter_, table.column)
    selected: npt.NDArray[np.bool_] = pc.fill_null(truth, False).to_numpy()
    return selected


def _arrow(filter_: Filter, column: Callable[[str], Any]) -> Any:
    """pyarrow computes on columns and on expressions with the same calls; ``column`` decides."""
    match filter_:
        case And(terms):
            return _balanced(pc.and_kleene, [_arrow(term, column) for term in terms])
        case Or(terms):
            return _balanced(pc.or_kleene, [_arrow(term, column) for term in terms])
        case Not(term):
            return pc.invert(_arrow(term, column))
        case Compare(name, sign, value):
            return _ARROW_COMPARE[sign](column(name), pa.scalar(value))
        case OneOf(name, values):
            # is_in takes -0.0 and 0.0 for two, and a missing value for one that is in no list.
            zeros = [-0.0 for value in values if type(value) is float and value == 0]
            accepted: list[Any] = [*values, *zeros]
            found = pc.is_in(column(name), value_set=pa.array(accepted))
            return pc.if_else(pc.is_valid(column(name)), found, pa.scalar(None, pa.bool_()))
        case TextMatch(name, "starts_with", text):
            return pc.starts_with(column(name), pattern=text)
        case TextMatch(name, "contains", text):
            return pc.match_substring(column(name), pattern=text)
        case IsNull(name):
            return pc.is_null(column(name))
    raise AssertionError(f"no such filter: {filter_!r}")


def to_lance(filter_: Filter) -> Expr:
    """For ``table.search(...).where`` and ``table.delete``; the filter must have passed ``check``.

    Not for ``table.update(where=...)``, nor beside a ``where`` in SQL: both turn the expression
    into SQL text, wrongly where a value holds ``\\'``. LanceDB orders a stored NaN above all
    numbers, where pyarrow lets it compare with nothing: keep NaN out of number columns.
    """
    return _lance(filter_, denied=False)


def _lance(filter_: Filter, *, denied: bool) -> Expr:
    """Denials go down to the single conditions, so that false and unknown select alike.

    LanceDB's engine simplifies ``x in (1) and x in (2)`` to false, and its denial to true, also
    where x is missing and both are unknown: DataFusion's pull request 24258.
    """
    match filter_:
        case And(terms) | Or(terms):
            both = isinstance(filter_, And) != denied
            parts = [_lance(term, denied=denied) for term in terms]
            return _balanced(operator.and_ if both else operator.or_, parts)
        case Not(term):
            return _lance(term, denied=not denied)
        case OneOf(name, values) if denied:
            return ~_lance_column(name).isin(values) & _lance_is_there(name)
        case IsNull(name) if denied:
            return _lance_is_there(name)
        case _:
            condition = _lance_condition(filter_)
            return ~condition if denied else condition


def _lance_condition(filter_: Filter) -> Expr:
    match filter_:
        case Compare(name, sign, value):
            return _lance_compare(name, sign, value)
        case OneOf(name, values):
            return _lance_column(name).isin(values)
        case TextMatch(name, "starts_with", text):
            return _lance_starts_with(name, text)
        case TextMatch(name, "contains", text):
            return _lance_column(name).contains(text)
        case IsNull(name):
            return _lance_is_null(name)
    raise AssertionError(f"no such filter: {filter_!r}")


def _lance_column(name: str) -> Expr:
    from lancedb.expr import col  # here, because importing lancedb takes a second

    return col(name)


def _lance_compare(name: str, sign: str, value: Value) -> Expr:
    column = _lance_column(name)
    compare: dict[str, Callable[[Any], Expr]] = {
        "==": column.eq,
        "!=": column.ne,
        "<": column.lt,
        "<=": column.lte,
        ">": column.gt,
        ">=": column.gte,
    }
    return compare[sign](value)


def _lance_starts_with(name: str, prefix: str) -> Expr:
    """LanceDB has no such call; texts are ordered by code point, so it is a range."""
    column = _lance_column(name)
    end = _after_all_with(prefix)
    return column >= prefix if end is None else (column >= prefix) & (column < end)


def _after_all_with(prefix: str) -> str | None:
    """The least text above all that start with ``prefix``; None where every greater text does.

    >>> _after_all_with("ab")
    'ac'
    """
    stem = prefix.rstrip(chr(_LAST))
    if not stem:
        return None
    successor = ord(stem[-1]) + 1
    if successor == _SURROGATES[0]:
        successor = _SURROGATES[1] + 1
    return stem[:-1] + chr(successor)


def _lance_is_null(name: str) -> Expr:
    """LanceDB has no such call, and no comparison sees a missing value; ``concat`` takes it for "".

    A present value's length is written with at least one digit, so only a missing one gives "".
    """
    from lancedb.expr import func

    length = func("octet_length", _lance_column(name).cast("string"))
    return func("concat", length.cast("string")) == ""


def _lance_is_there(name: str) -> Expr:
    """True for a value, unknown for a missing one: a value equals itself."""
    return _lance_column(name) == _lance_column(name)


def _balanced(join: Callable[[T, T], T], parts: Sequence[T]) -> T:
    """Joined in pairs: engines walk the tree recursively, and 1,000 levels may be too deep."""
    while len(parts) > 1:
        parts = [reduce(join, parts[place : place + 2]) for place in range(0, len(parts), 2)]
    return parts[0]
