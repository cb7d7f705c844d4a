"""The body of a search: what is asked, of which index, within what."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from biencoder.errors import InputError
from biencoder.index.filter_check import MAX_TERMS, ColumnType, check
from biencoder.index.filter_parser import parse
from biencoder.index.filters import And, Column, Filter, col
from biencoder.index.fusion import FUSIONS, Fusion
from biencoder.index.hits import MODES, Mode
from biencoder.serve.errors import ApiError
from biencoder.serve.fields import choice, invalid, kind, known_fields, text, truth, whole_number

FIELDS = ("query", "index", "mode", "top_k", "filter", "fusion", "instruction", "shares")
TOP_K = 10
MAX_TOP_K = 100
# A question is read by people; a longer text is a document.
MAX_CHARACTERS = 10_000
# What `in` may compare with, in all conditions together.
MAX_VALUES = 10_000

_TESTS: Mapping[str, Callable[[Column, Any], Filter]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "in": Column.isin,
    "starts_with": Column.startswith,
    "contains": Column.contains,
    "is_null": lambda column, _: column.is_null(),
    "not_null": lambda column, _: column.not_null(),
}
OPERATORS = tuple(_TESTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A search as it was asked. filter: text or a list of conditions, not yet held against columns.

    shares: tell of pages what each part adds to the score.
    """

    question: str
    index: str | None
    mode: Mode
    top_k: int
    filter: object
    fusion: Fusion
    instruction: str | None
    shares: bool


def read_asked(body: Mapping[str, Any], *, strict: bool) -> Asked:
    """The fields of ``POST /v1/search``.

    Raises ApiError invalid_request, empty_input or, with ``strict``, extra_forbidden.
    """
    fields = known_fields(body, FIELDS, strict=strict)
    top_k = whole_number(fields, "top_k")
    if top_k is not None and not 1 <= top_k <= MAX_TOP_K:
        invalid("top_k", f"must be between 1 and {MAX_TOP_K}, not {top_k}")
    return Asked(
        question=question_of(fields),
        index=text(fields, "index"),
        mode=choice(fields, "mode", MODES) or "hybrid",
        top_k=TOP_K if top_k is None else top_k,
        filter=fields.get("filter"),
        fusion=choice(fields, "fusion", FUSIONS) or "weighted",
        instruction=text(fields, "instruction"),
        shares=truth(fields, "shares"),
    )


def question_of(fields: Mapping[str, Any]) -> str:
    """The field ``query``: some text of bearable length."""
    question = text(fields, "query")
    if question is None:
        invalid("query", "is required: the question, a string")
    if not question.strip():
        raise ApiError("empty_input", "query cannot be empty", param="query")
    if len(question) > MAX_CHARACTERS:
        invalid("query", f"has more than {MAX_CHARACTERS} characters")
    return question


def read_filter(wanted: object, columns: Mapping[str, ColumnType]) -> Filter | None:
    """A filter's text, or a list of conditions that must all hold; None where nothing is asked.

    Raises ApiError invalid_filter with the place and what was expected there.
    """
    if wanted is None or wanted in ("", []):
        return None
    try:
        return check(_built(wanted), columns)
    except InputError as error:
        said = f"{error.message}; {error.hint}" if error.hint else error.message
        raise ApiError("invalid_filter", said, param="filter") from error


def _built(wanted: object) -> Filter:
    if isinstance(wanted, str):
        return parse(wanted)
    if isinstance(wanted, list):
        _check_size(wanted)
        # One node at once: joining them one by one would copy all before for each.
        return And(tuple(map(_condition, wanted)))
    raise InputError(f"a filter is a text or an array of conditions, not {kind(wanted)}")


def _check_size(conditions: list[object]) -> None:
    """Before anything is built of them."""
    if len(conditions) > MAX_TERMS:
        raise InputError(
            f"the filter has {len(conditions):,} conditions, more than {MAX_TERMS:,}",
            hint="many values of one column belong into one condition with the operator in",
        )
    lists = (one.get("value") for one in conditions if isinstance(one, dict))
    values = sum(len(value) for value in lists if isinstance(value, list))
    if values > MAX_VALUES:
        raise InputError(f"the filter has {values:,} values, more than {MAX_VALUES:,}")


def _condition(wanted: object) -> Filter:
    if not isinstance(wanted, dict):
        raise InputError(
            f"a condition is an object, not {kind(wanted)}",
            hint='as in {"column": "page", "operator": "<", "value": 10}',
        )
    test = _TESTS.get(str(wanted.get("operator", "=")))
    if test is None:
        raise InputError("the operator is unknown", hint=f"known: {', '.join(OPERATORS)}")
    value = wanted.get("value")
    if test is Column.isin and not isinstance(value, list):
        raise InputError(f"in takes an array of values, not {kind(value)}")
    return test(col(wanted.get("column", "")), value)
