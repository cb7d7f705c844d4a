"""Which columns the metadata of rows need, and of which type.

Decided over all rows that a plan does, so that neither their order nor that of files decides. A column
that the table has keeps its type as long as a document that stays holds a value in it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeAlias

from biencoder.index.filter_check import ColumnType
from biencoder.index.filters import Value

# Every column is a page of its own in each piece of the table; some hundred cost nothing, thousands
# (a user's number as a field's name) make every commit slow.
MAX_COLUMNS = 256
# The largest whole number up to which every one is a 64-bit float too.
EXACT = 2**53
# Of more fields than could ever become columns, the rest is not even counted.
_COUNTED = 10_000

Kind: TypeAlias = Literal["text", "boolean", "integer", "large", "number"]
_HELD: Mapping[ColumnType, frozenset[Kind]] = {
    "text": frozenset({"text"}),
    "boolean": frozenset({"boolean"}),
    "integer": frozenset({"integer", "large"}),
    "number": frozenset({"integer", "number"}),
}


class Fields:
    """The values that rows bring, counted by field and kind."""

    def __init__(self) -> None:
        self._counts: dict[str, Counter[Kind]] = {}

    def take(self, metadata: Mapping[str, Value]) -> None:
        """One row's."""
        for name, value in metadata.items():
            if name in self._counts or len(self._counts) < _COUNTED:
                self._counts.setdefault(name, Counter())[_kind_of(value)] += 1

    def choose(
        self,
        columns: Mapping[str, ColumnType],
        *,
        widens: Callable[[str], bool],
        held: Callable[[Sequence[str]], Mapping[str, bool]],
    ) -> dict[str, ColumnType]:
        """The columns of the table, with those that these values need.

        columns: what the table has. widens: whether one of whole numbers may become one of fractions.
        held: those of some columns that hold a value of a document that stays, and whether one of these
        is a whole number that as a fraction would be rounded. Beyond `MAX_COLUMNS` those are left out
        that the fewest rows have.
        """
        chosen = dict(columns)
        new = [name for name in self._counts if name not in columns]
        # By name where as many rows have them: the order of rows must not decide.
        new.sort(key=lambda name: (-self._counts[name].total(), name))
        for name in new[: max(0, MAX_COLUMNS - len(columns))]:
            chosen[name] = _best(self._counts[name])
        misfits = [
            name
            for name in self._counts.keys() & columns.keys()
            if not _HELD[columns[name]].issuperset(self._counts[name])
        ]
        needed = held(misfits) if misfits else {}
        for name in misfits:
            if name not in needed:
                chosen[name] = _best(self._counts[name])
            # 10 in one row and 10.5 in another: which comes first must not matter.
            elif columns[name] == "integer" and self._counts[name]["number"]:
                chosen[name] = "integer" if needed[name] or not widens(name) else "number"
        return chosen


def _kind_of(value: Value) -> Kind:
    match value:
        case bool():
            return "boolean"
        case str():
            return "text"
        case float():
            return "number"
        case int():
            return "large" if abs(value) > EXACT else "integer"


def _best(counts: Counter[Kind]) -> ColumnType:
    """The type that the most values fit."""
    numbers = counts["integer"] + counts["large"] + counts["number"]
    if numbers >= max(counts["text"], counts["boolean"]):
        # The two have whole numbers up to 2**53 in common.
        fractions = counts["number"] and counts["number"] >= counts["large"]
        return "number" if fractions else "integer"
    return "text" if counts["text"] >= counts["boolean"] else "boolean"
