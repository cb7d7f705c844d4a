"""A filter as a person types it: ``source = 'a.pdf' and page < 10``.

    filter     = both { or both }
    both       = one { and one }
    one        = not one | ( filter ) | term
    term       = column  = == != <> < <= > >=  value
               | column is [not] null
               | column [not] in ( value { , value } )
               | column [not] like 'prefix%'  or  '%part%'
               | column [not] starts_with 'text' | column [not] contains 'text'
    value      = 'text' | "text" | 12 | -0.5 | true | false

Words are read in any letter case, columns are not. In a text the quote is doubled, or escaped with
a backslash, which is itself doubled. The result is a tree; nothing of the text reaches an engine as
code.
"""

from __future__ import annotations

from biencoder.errors import InputError
from biencoder.index.filter_check import MAX_NESTING, limited
from biencoder.index.filter_tokens import Token, error_at, tokens, unquoted, visible
from biencoder.index.filters import Column, Compare, Filter, Operator, Value, col, constant

MAX_LENGTH = 10_000

_RESERVED = {"and", "or", "not", "in", "is", "null", "like", "true", "false"}
_OPERATORS: dict[str, Operator] = {
    **{"=": "==", "==": "==", "!=": "!=", "<>": "!="},
    **{"<": "<", "<=": "<=", ">": ">", ">=": ">="},
}
# 64 bits hold 19 digits, and Python itself refuses to read thousands.
_MAX_DIGITS = 40


def parse(text: str) -> Filter:
    """The filter that ``text`` spells; columns and types are ``check``'s business.

    InputError names the place and what was expected there; also beyond 10,000 characters, 100
    levels of parentheses and ``not``, or 1,000 terms.

    >>> parse("page >= 3 and not source like 'draft%'")
    And(terms=(Compare(column='page', operator='>=', value=3), \
Not(term=TextMatch(column='source', how='starts_with', text='draft'))))
    """
    if len(text) > MAX_LENGTH:
        raise InputError(f"the filter has {len(text):,} characters, more than {MAX_LENGTH:,}")
    if not text.strip():
        raise InputError("the filter is empty", hint="for example: page < 10")
    return limited(_Parser(text).filter())


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(tokens(text))
        self._next = 0
        self._level = 0

    def filter(self) -> Filter:
        found = self._any()
        if self._peek().kind != "end":
            raise self._expected("and, or, or the end")
        return found

    def _any(self) -> Filter:
        found = self._all()
        while self._took("or"):
            found = found | self._all()
        return found

    def _all(self) -> Filter:
        found = self._one()
        while self._took("and"):
            found = found & self._one()
        return found

    def _one(self) -> Filter:
        self._level += 1
        if self._level > MAX_NESTING:
            raise InputError(f"the filter is nested more than {MAX_NESTING} levels deep")
        if self._took("not"):
            found = ~self._one()
        elif self._took("("):
            found = self._any()
            self._need(")", "and, or, or )")
        else:
            found = self._term()
        self._level -= 1
        return found

    def _term(self) -> Filter:
        column = self._column()
        if self._peek().kind == "operator":
            operator = _OPERATORS[self._take().text]
            return Compare(column.name, operator, self._value())
        if self._took("is"):
            denied = self._took("not")
            self._need("null", "null" if denied else "null or not null")
            return column.not_null() if denied else column.is_null()
        if self._took("not"):
            return ~self._test(column, "in, like, starts_with or contains")
        return self._test(column, "=, !=, <, <=, >, >=, in, is, like, starts_with or contains")

    def _column(self) -> Column:
        token = self._peek()
        if token.kind != "word" or token.key in _RESERVED:
            raise self._expected("a column's name")
        try:
            column = col(token.text)
        except InputError as error:
            raise error_at(self._text, token.start, error.message, error.hint) from error
        self._next += 1
        return column

    def _test(self, column: Column, expected: str) -> Filter:
        if self._took("in"):
            return column.isin(self._values())
        if self._took("starts_with"):
            return column.startswith(self._string())
        if self._took("contains"):
            return column.contains(self._string())
        if self._took("like"):
            return self._like(column)
        raise self._expected(expected)

    def _like(self, column: Column) -> Filter:
        start = self._peek().start
        pattern = self._string()
        inner = pattern.strip("%")
        if "%" not in inner and "_" not in inner:
            if pattern == f"%{inner}%":
                return column.contains(inner)
            if pattern == f"{inner}%":
                return column.startswith(inner)
        raise error_at(
            self._text,
            start,
            "like knows 'prefix%' and '%part%' only",
            hint="for one exact text use =; where % or _ mean themselves, starts_with or contains",
        )

    def _values(self) -> list[Value]:
        self._need("(", "( and a list of values")
        values = [self._value()]
        while self._took(","):
            values.append(self._value())
        self._need(")", ", or )")
        return values

    def _value(self) -> Value:
        token = self._peek()
        if token.kind == "number":
            return self._number()
        if token.kind == "text":
            return self._string()
        if token.key in ("true", "false"):
            self._next += 1
            return token.key == "true"
        hint = None
        if token.key == "null":
            hint = "for missing values write: is null"
        elif token.kind == "word":
            hint = f'a text stands in quotes: "{visible(token.text)}"'
        raise self._expected("a value (a text in quotes, a number, true or false)", hint)

    def _number(self) -> Value:
        token = self._take()
        whole = token.text.lstrip("+-").isdigit()
        try:
            if whole and len(token.text) > _MAX_DIGITS:
                raise InputError("a whole number of so many digits does not fit 64 bits")
            return constant(int(token.text) if whole else float(token.text))
        except InputError as error:
            raise error_at(self._text, token.start, error.message) from error

    def _string(self) -> str:
        token = self._peek()
        if token.kind != "text":
            raise self._expected("a text in quotes")
        self._next += 1
        said = unquoted(self._text, token)
        try:
            constant(said)
        except InputError as error:
            raise error_at(self._text, token.start, error.message, error.hint) from error
        return said

    def _peek(self) -> Token:
        return self._tokens[self._next]

    def _take(self) -> Token:
        self._next += 1
        return self._tokens[self._next - 1]

    def _took(self, key: str) -> bool:
        found = self._peek().key == key
        self._next += found
        return found

    def _need(self, key: str, expected: str) -> None:
        if not self._took(key):
            raise self._expected(expected)

    def _expected(self, what: str, hint: str | None = None) -> InputError:
        token = self._peek()
        found = "the filter ends" if token.kind == "end" else f"found {visible(token.text)}"
        return error_at(self._text, token.start, f"expected {what}, {found}", hint)
