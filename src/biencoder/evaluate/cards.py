"""The numbers that the five model cards print, to be set beside what is measured here.

They are quoted, never mixed with a measured number: whoever shows one names its card. Source of
the table: `tables/README.md`.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from biencoder.config.family import find_member, member_named

TABLES = Path(__file__).with_name("tables")

_ADDITION = re.compile(r" \(([^)]*)\)$")


@dataclass(frozen=True, kw_only=True, slots=True)
class CardResult:
    """One printed number, in the card's own spelling.

    benchmark: parts follow a slash, as in ``BRIGHT(v1.1) short/biology``. model: an addition in
    brackets is the number of dimensions or a remark. value: as printed; ``unit`` is ``%`` or
    ``x100`` (a fraction times 100: the same scale), ``votes``, or empty for a cosine. note: who
    measured it, where the card says so. source: the card, by the full name of its model.
    """

    card: str
    benchmark: str
    metric: str
    model: str
    value: float
    unit: str
    note: str
    source: str

    @property
    def dimensions(self) -> int | None:
        """The vector size that the model's name gives in brackets, if any."""
        found = _ADDITION.search(self.model)
        return int(found[1]) if found and found[1].isdecimal() else None


@cache
def card_results() -> tuple[CardResult, ...]:
    """All printed numbers, card by card."""
    with (TABLES / "card_results.csv").open(encoding="utf-8", newline="") as lines:
        return tuple(
            CardResult(
                card=row["card"],
                benchmark=row["benchmark"],
                metric=row["metric"],
                model=row["model"],
                value=float(row["value"]),
                unit=row["unit"],
                note=row["note"],
                source=f"model card of {member_named(row['card']).id}",
            )
            for row in csv.DictReader(lines)
        )


def printed(
    *,
    benchmark: str | None = None,
    metric: str | None = None,
    model: str | None = None,
    dimensions: int | None = None,
    card: str | None = None,
) -> tuple[CardResult, ...]:
    """The printed numbers that fit all that is given; none where no card prints one.

    benchmark: also finds its parts. model: with or without owner, under any name that the family
    knows (the 1b card still prints a former name); without brackets it finds every addition.
    Several cards repeat a number, so give ``card`` where one is wanted.

    >>> [result.value for result in printed(benchmark="MLQA", model="1b", dimensions=384)]
    [71.61]
    """
    return tuple(
        result
        for result in card_results()
        if benchmark in (None, result.benchmark, result.benchmark.split("/")[0])
        and metric in (None, result.metric)
        and (model is None or _same_model(model, result.model))
        and dimensions in (None, result.dimensions)
        and card in (None, result.card)
    )


def _same_model(asked: str, printed_name: str) -> bool:
    if _ADDITION.search(asked):
        return asked == printed_name
    return _plain(asked) == _plain(_ADDITION.sub("", printed_name))


def _plain(name: str) -> str:
    member = find_member(name)
    return (name.rsplit("/", 1)[-1] if member is None else member.name).lower()
