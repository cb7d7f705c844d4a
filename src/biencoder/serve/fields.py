"""One field of a JSON body at a time: the value in its type, or a refusal that names the field.

``null`` means absent everywhere. The wire forgives letter case, never types: ``"1024"`` is no number
and ``true`` is no integer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn, TypeVar

from biencoder.serve.errors import ApiError

Choice = TypeVar("Choice", bound=str)

# A name in a message is for reading; a longer one would only fill the log.
_SHOWN_CHARACTERS = 64


def invalid(param: str, message: str) -> NoReturn:
    """Refuse a field: 400, ``invalid_request``."""
    raise ApiError("invalid_request", f"{param}: {message}", param=param)


def known_fields(
    body: Mapping[str, Any], names: Sequence[str], *, strict: bool = False
) -> dict[str, Any]:
    """The fields that a route reads, by their own names; a name in other letter case counts too.

    strict: refuse every other name; else it is ignored.
    """
    by_lower = {name.lower(): name for name in names}
    found = {name: body[name] for name in names if body.get(name) is not None}
    for given, value in body.items():
        name = by_lower.get(given.lower())
        if name is None and strict:
            shown = printable(given)
            raise ApiError(
                "extra_forbidden", f"{shown}: Extra inputs are not permitted", param=shown
            )
        if name is None or value is None or given == name or name in body:
            continue
        if name in found:
            invalid(name, "is given more than once, in different letter case")
        found[name] = value
    return found


def printable(name: str) -> str:
    """A caller's name for something, short and on one line."""
    return "".join(c if c.isprintable() else "?" for c in name[:_SHOWN_CHARACTERS])


def text(fields: Mapping[str, Any], name: str) -> str | None:
    """A string, or None where the field is absent."""
    value = fields.get(name)
    if value is not None and not isinstance(value, str):
        invalid(name, f"must be a string, not {kind(value)}")
    return value


def choice(fields: Mapping[str, Any], name: str, choices: Sequence[Choice]) -> Choice | None:
    """One of a closed set, letter case ignored; an empty string is absent, as on the model cards."""
    value = text(fields, name)
    if not value:
        return None
    chosen = spelled(value, choices)
    if chosen is None:
        invalid(name, f"must be one of {', '.join(choices)}")
    return chosen


def spelled(value: str, choices: Sequence[Choice]) -> Choice | None:
    """The choice that this spells, letter case ignored."""
    return next((c for c in choices if c.lower() == value.lower()), None)


def whole_number(fields: Mapping[str, Any], name: str) -> int | None:
    """An integer; ``1024.0`` is one, ``true`` and ``"1024"`` are not."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        invalid(name, f"must be an integer, not {kind(value)}")
    return value


def truth(fields: Mapping[str, Any], name: str) -> bool:
    """A boolean; false where the field is absent. ``1`` and ``"true"`` are none."""
    value = fields.get(name)
    if value is not None and not isinstance(value, bool):
        invalid(name, f"must be a boolean, not {kind(value)}")
    return bool(value)


def kind(value: object) -> str:
    """What JSON calls a value of this type."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list():
            return "an array"
    return "an object"
