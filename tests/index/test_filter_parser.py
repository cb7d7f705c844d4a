"""Filters from text: what it means, and where a mistake stands."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from tests.index.made_filters import COLUMNS, FILTERS

from biencoder.errors import InputError
from biencoder.index.filter_check import check
from biencoder.index.filter_parser import parse
from biencoder.index.filters import (
    And,
    Compare,
    Filter,
    IsNull,
    Not,
    OneOf,
    Or,
    TextMatch,
    Value,
    col,
)


def _literal(value: Value) -> str:
    if isinstance(value, bool):
        return str(value).upper()
    if isinstance(value, str):
        return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"
    return repr(value)


def _spelled(filter_: Filter) -> str:
    match filter_:
        case And(terms):
            return " AND ".join(f"({_spelled(term)})" for term in terms)
        case Or(terms):
            return " or ".join(f"({_spelled(term)})" for term in terms)
        case Not(term):
            return f"not ({_spelled(term)})"
        case IsNull(column):
            return f"{column} is NULL"
        case Compare(column, how, value):
            return f"{column}{how}{_literal(value)}"
        case OneOf(column, values):
            return f"{column} In ({', '.join(map(_literal, values))})"
        case TextMatch(column, how, text):
            return f"{column} {how} {_literal(text)}"
    raise AssertionError(filter_)


@settings(max_examples=200, deadline=None)
@given(filter_=FILTERS)
def test_a_filter_spelled_out_is_read_as_the_same_filter(filter_: Filter) -> None:
    assert repr(parse(_spelled(filter_))) == repr(filter_)


@pytest.mark.parametrize(
    ("text", "filter_"),
    [
        ('source = "a.pdf" and page < 10', (col("source") == "a.pdf") & (col("page") < 10)),
        (
            "page==1 OR page<>2 And page!=3",
            (col("page") == 1) | (col("page") != 2) & (col("page") != 3),
        ),
        ("not page = 1 or page >= +2", ~(col("page") == 1) | (col("page") >= 2)),
        ("not (page = 1 or page <= -.5e1)", ~((col("page") == 1) | (col("page") <= -5.0))),
        ("page NOT IN (1,2.5, 'x',true)", ~col("page").isin([1, 2.5, "x", True])),
        ("page is null or page Is Not Null", col("page").is_null() | col("page").not_null()),
        (
            "source like 'a%' and source not like '%b%'",
            col("source").startswith("a") & ~col("source").contains("b"),
        ),
        (
            "source starts_with '%' or source not contains '_'",
            col("source").startswith("%") | ~col("source").contains("_"),
        ),
        (
            r"""source = 'it''s' or source = "\"\\'" """,
            (col("source") == "it's") | (col("source") == "\"\\'"),
        ),
        (
            "contains = 1\n\tand starts_with\u00a0= 2",
            (col("contains") == 1) & (col("starts_with") == 2),
        ),
        ("_a1 > 9223372036854775807", col("_a1") > 2**63 - 1),
    ],
)
def test_and_binds_before_or_words_have_any_case_and_texts_any_quote(
    text: str, filter_: Filter
) -> None:
    assert repr(parse(text)) == repr(filter_)


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("page <", 7, "expected a value .*, the filter ends"),
        ("page < ten", 8, 'found ten\n(.|\n)*a text stands in quotes: "ten"'),
        ("page = null", 8, "is null"),
        ("page 10", 6, "expected =, .* found 10"),
        ("page < 10 20", 11, "expected and, or, or the end, found 20"),
        ("page < 10 and", 14, "a column's name"),
        ("1 = 1", 1, "expected a column's name, found 1"),
        ("'a' = 'a'", 1, "a column's name"),
        ("true", 1, "a column's name"),
        ("(page < 10", 11, r"expected and, or, or \), the filter ends"),
        ("page in ()", 10, "a value"),
        ("page in (1 2)", 12, r", or \)"),
        ("page is 1", 9, "null or not null"),
        ("page not = 1", 10, "in, like, starts_with or contains"),
        ("source = 'a", 10, "has no end"),
        ("source = “a”", 10, "straight quotes"),
        (r"source = 'C:\temp'", 13, "write two"),
        ("source like 'a_'", 13, "'prefix%' and '%part%' only"),
        ("source like '%a'", 13, "only"),
        ("source like 'a'", 13, "use ="),
        ("source contains 1", 17, "a text in quotes"),
        ("page < 1x", 8, "no number"),
        ("page < 1.2.3", 8, "no number"),
        ("page < 1e999", 8, "compares with nothing"),
        ("page < 9223372036854775808", 8, "64 bits"),
        ("page < " + "9" * 5000, 8, "64 bits"),
        ("source = a.pdf", 11, r"\. means nothing here(.|\n)*'a.pdf'"),
        ("page < 10; drop", 10, "; means nothing here"),
        ("page < 10 -- all", 11, "no number"),
        ("p" * 65 + " = 1", 1, "64 characters"),
        ("source = '\ud800'", 10, "surrogate"),
        ("page < \x1b[2J", 8, r"'\\x1b' means nothing"),
    ],
)
def test_a_mistake_is_shown_with_its_place_and_what_was_expected(
    text: str, place: int, message: str
) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse(text)
    first, shown, caret = caught.value.message.split("\n")
    assert first.startswith(f"the filter cannot be read at character {place}: ")
    assert shown.isprintable()
    under = shown[caret.index("^") :]
    assert text[place - 1 :].startswith(under[:1] if under[:1] != "·" else "")


def test_limits_of_length_nesting_and_terms_are_kept_on_both_sides() -> None:
    nested = "(" * 99 + "page=1" + ")" * 99
    assert repr(parse(nested)) == repr(col("page") == 1)
    for deeper in (f"({nested})", "not " * 100 + "page=1", "(" * 9_000):
        with pytest.raises(InputError, match="100 levels"):
            parse(deeper)
    wide = " or ".join(["a=1"] * 1_000)
    assert len(check(parse(wide), {"a": "integer"}).terms) == 1_000  # type: ignore[attr-defined]
    with pytest.raises(InputError, match="1,001 terms"):
        parse(wide + " or a=1")
    with pytest.raises(InputError, match="10,001 characters"):
        parse(" " * 9_998 + "a=1")
    with pytest.raises(InputError, match="empty"):
        parse(" \n")
    deep = col("page") == 1
    for _ in range(20_000):
        deep = ~deep
    with pytest.raises(InputError, match="100 levels"):
        check(deep, COLUMNS)
