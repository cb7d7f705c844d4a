"""Filters built in Python: what cannot be meant is refused before it reaches an engine."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.index.made_filters import COLUMNS

from biencoder.errors import InputError
from biencoder.index.filter_check import check
from biencoder.index.filter_parser import parse
from biencoder.index.filters import Compare, Filter, OneOf, col


def test_an_unknown_column_is_refused_with_the_known_ones_nearest_first() -> None:
    with pytest.raises(InputError) as caught:
        check(parse("pages < 10"), COLUMNS)
    assert caught.value.message == "there is no column pages"
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("did you mean page? the columns are ")
    assert all(name in caught.value.hint for name in COLUMNS)
    with pytest.raises(InputError, match=r"there is no column Source\n.* source"):
        check(col("page").not_null() & ~col("Source").is_null(), COLUMNS)
    with pytest.raises(InputError, match="and 11 more"):
        check(col("a") == 1, {f"column{number}": "integer" for number in range(31)})
    with pytest.raises(InputError, match="no columns"):
        check(col("a") == 1, {})


@pytest.mark.parametrize(
    ("filter_", "message"),
    [
        (col("page") == "ten", "page holds whole numbers, .* the text 'ten'"),
        (col("page") < 9.5, "whole numbers, .* 9.5"),
        (col("page") < 1e30, "whole numbers, .* 1e[+]30"),
        (col("page") == True, "whole numbers, .* true"),  # noqa: E712
        (col("score") == "0.5", "score holds numbers"),
        (col("score") == 2**53 + 1, "score holds numbers, .* 9007199254740993"),
        (col("source") == 10, "source holds texts, .* 10"),
        (col("source").isin(["a", 1]), "source holds texts, .* 1"),
        (col("scanned") == 1, "scanned holds true and false, .* 1"),
        (col("scanned") < True, "no order"),
        (col("page").startswith("1"), "page holds whole numbers, and starts_with is for texts"),
        (~(col("source").not_null() | col("scanned").contains("t")), "contains is for texts"),
    ],
)
def test_a_value_of_another_type_is_refused(filter_: Filter, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check(filter_, COLUMNS)


@pytest.mark.parametrize("given_", ["page < 10", col("scanned"), None, True])
def test_what_is_no_filter_is_refused(given_: Any) -> None:
    with pytest.raises(InputError, match=r"is no filter\n.* parse"):
        check(given_, COLUMNS)


def test_whole_numbers_fit_number_columns_and_the_other_way_round() -> None:
    fitted = check((col("page") == 10.0) & col("score").isin([2, 0.5]), COLUMNS)
    assert repr(fitted) == repr((col("page") == 10) & col("score").isin([2.0, 0.5]))


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: col("page") == None, "is_null"),  # noqa: E711
        (lambda: col("page") == math.nan, "compares with nothing"),
        (lambda: col("page") < -math.inf, "compares with nothing"),
        (lambda: col("page") < 2**63, "64 bits"),
        (lambda: col("page") == b"a", "cannot compare with bytes"),
        (lambda: col("page") == col("row"), "cannot compare with Column"),
        (lambda: col("page") == np.datetime64("2026-01-01"), "cannot compare with date"),
        (lambda: col("page").isin([]), "empty"),
        (lambda: col("page").isin("abc"), "a list"),
        (lambda: col("source").startswith(1), "a text was expected"),  # type: ignore[arg-type]
        (lambda: col("source").contains("\udc00"), "surrogate"),
        (lambda: col("page = 1 or page"), "cannot be a column's name"),
        (lambda: col(""), "cannot be a column's name"),
        (lambda: (col("page") == 1) & True, "True is no filter"),  # type: ignore[operator]
        (lambda: 1 < col("page") < 10, "&, | and ~"),
        (lambda: (col("page") == 1) and (col("page") == 2), "&, | and ~"),
        (lambda: not col("page").is_null(), "&, | and ~"),
    ],
)
def test_what_python_would_get_wrong_silently_is_refused(
    build: Callable[[], object], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        build()


def test_numpys_scalars_become_pythons_and_constants_may_stand_left() -> None:
    assert repr(col("page").isin([np.int32(3), np.bool_(True), np.str_("a")])) == repr(
        OneOf("page", (3, True, "a"))
    )
    assert repr(np.float32(0.5) == col("score")) == repr(Compare("score", "==", 0.5))
    assert repr(10 > col("page")) == repr(Compare("page", "<", 10))  # noqa: SIM300
