"""Two systems on the same queries: which is better, by how much, and where they differ most.

Two intervals side by side do not answer that: what counts is the difference query by query.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from biencoder.errors import InputError
from biencoder.evaluate.results import JudgedQuery, Result
from biencoder.evaluate.significance import CONFIDENCE, RESAMPLES, Floats, Paired, paired_difference

METRIC = "ndcg@10"
# The chance of calling a difference where there is none, as in the intervals.
_RISK = 1 - CONFIDENCE
# Scores of the same ranking may differ in the last digits; that is no change.
_SAME = 1e-12


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One query under both systems: its value and the first documents, ids and scores."""

    id: str
    text: str
    a: float
    b: float
    found_a: tuple[tuple[str, float], ...]
    found_b: tuple[tuple[str, float], ...]

    @property
    def difference(self) -> float:
        """Above 0 where ``b`` is better."""
        return self.b - self.a


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparison:
    """``b`` against ``a`` on one set; differences are ``b - a``, in fractions.

    differences: one a query, in the order of ``a``. gained, lost: the queries that changed most in
    favour of ``b`` and of ``a``, greatest change first.
    """

    dataset: str
    metric: str
    a: str
    b: str
    mean_a: float
    mean_b: float
    paired: Paired
    differences: tuple[float, ...] = field(repr=False)
    gained: tuple[Change, ...]
    lost: tuple[Change, ...]

    @property
    def verdict(self) -> str:
        """The outcome in words."""
        return verdict(self.paired, self.a, self.b, f"these {len(self.differences):,} queries")

    def record(self) -> dict[str, Any]:
        """All but the single differences, as plain values for JSON."""
        return {
            "dataset": self.dataset,
            "metric": self.metric,
            "a": {"system": self.a, "mean": self.mean_a},
            "b": {"system": self.b, "mean": self.mean_b},
            **paired_record(self.paired),
            "queries": len(self.differences),
            "verdict": self.verdict,
            "gained": [asdict(change) for change in self.gained],
            "lost": [asdict(change) for change in self.lost],
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Comparisons:
    """``b`` against ``a`` on several sets.

    corrected: Holm's p-values, one a set. macro: the mean of the sets' differences, each set counting
    once; its ``better`` and ``worse`` count sets, not queries.
    """

    rows: tuple[Comparison, ...]
    corrected: tuple[float, ...]
    macro: Paired

    @property
    def verdict(self) -> str:
        """The macro mean's outcome in words."""
        first, sets = self.rows[0], f"these {len(self.rows):,} sets"
        same = {(row.a, row.b) for row in self.rows} == {(first.a, first.b)}
        return verdict(self.macro, *((first.a, first.b) if same else ("A", "B")), sets)

    def record(self) -> dict[str, Any]:
        """Plain values for JSON."""
        rows = zip(self.rows, self.corrected, strict=True)
        return {
            "metric": self.rows[0].metric,
            "datasets": [row.record() | {"p_value_holm": p} for row, p in rows],
            "macro": paired_record(self.macro),
            "verdict": self.verdict,
        }


def compare(
    a: Result, b: Result, *, metric: str = METRIC, seed: int = 0, top: int = 10
) -> Comparison:
    """The paired difference of two results on one set, and the ``top`` queries that changed most.

    Raises InputError where the two were not judged on the same queries, documents and judgements,
    or where the metric is not in both.
    """
    pairs = _paired_queries(a, b)
    values_a, values_b = _values(a, metric, b), _values(b, metric, a)
    changes = [
        Change(
            id=left.id,
            text=left.text,
            a=values_a[left.id],
            b=values_b[left.id],
            found_a=left.ranking,
            found_b=right.ranking,
        )
        for left, right in pairs
    ]
    differences = [change.difference for change in changes]
    return Comparison(
        dataset=a.dataset,
        metric=metric,
        a=a.system,
        b=b.system,
        mean_a=float(np.mean([change.a for change in changes])),
        mean_b=float(np.mean([change.b for change in changes])),
        paired=paired_difference([0.0] * len(changes), differences, seed=seed),
        differences=tuple(differences),
        gained=_most_changed(changes, +1, top),
        lost=_most_changed(changes, -1, top),
    )


def compare_sets(
    pairs: Iterable[tuple[Result, Result]], *, metric: str = METRIC, seed: int = 0, top: int = 10
) -> Comparisons:
    """As `compare` for several sets; a pair is let go when it is judged, so pass them one by one.

    Raises InputError where there is no pair.
    """
    rows = tuple(compare(a, b, metric=metric, seed=seed, top=top) for a, b in pairs)
    if not rows:
        raise InputError("there is no set on which both systems were judged")
    return Comparisons(
        rows=rows,
        corrected=tuple(holm([row.paired.p_value for row in rows])),
        macro=_macro([np.asarray(row.differences) for row in rows], seed),
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number by Holm's step-down method, in the given order.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(p_values)
    greatest = 0.0
    for place, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        greatest = max(greatest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = greatest
    return corrected


def verdict(paired: Paired, a: str, b: str, basis: str) -> str:
    """A paired difference as a sentence.

    >>> verdict(Paired(-0.012, -0.02, -0.004, 0.003, 8, 31, 186), "mini", "BM25", "these 225 queries")
    'mini is better by 0.012 [0.004, 0.020], p = 0.003'
    """
    if not paired.better + paired.worse:
        return f"{a} and {b} are the same on each of {basis}"
    if paired.p_value >= _RISK:
        interval = f"{signed(paired.difference)} [{signed(paired.low)}, {signed(paired.high)}]"
        return (
            f"no difference between {a} and {b} that {basis} can show: "
            f"{interval}, {p_text(paired.p_value)}"
        )
    sign = 1 if paired.difference > 0 else -1
    low, high = sorted((sign * paired.low, sign * paired.high))
    return (
        f"{b if sign > 0 else a} is better by {sign * paired.difference:.3f} "
        f"[{low:.3f}, {high:.3f}], {p_text(paired.p_value)}"
    ).replace("[-", "[−")


def signed(value: float, digits: int = 3) -> str:
    """With a sign on both sides of zero.

    >>> signed(-0.0123), signed(0.5, 1), signed(-0.0001)
    ('−0.012', '+0.5', '0.000')
    """
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else ("+" if value > 0 else "−") + text


def p_text(p_value: float) -> str:
    """As many digits as 10,000 rearrangements can tell.

    >>> p_text(0.0312), p_text(0.0001)
    ('p = 0.031', 'p < 0.001')
    """
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def paired_record(paired: Paired) -> dict[str, Any]:
    """A paired difference as plain values for JSON."""
    whole = asdict(paired)
    low, high = whole.pop("low"), whole.pop("high")
    return {"interval": [low, high], **whole}


def _paired_queries(a: Result, b: Result) -> list[tuple[JudgedQuery, JudgedQuery]]:
    if a.data.get("digest") != b.data.get("digest"):
        raise InputError(
            f"{a.system} on {a.dataset} and {b.system} on {b.dataset} were not judged on the same "
            f"queries, documents and judgements: {_data_differences(a, b)}",
            hint="a paired difference needs one set; judge both systems on the same folder",
        )
    by_id = {query.id: query for query in b.queries}
    if by_id.keys() != {query.id for query in a.queries}:
        raise InputError(
            f"the query files of {a.system} and {b.system} on {a.dataset} do not hold the same "
            f"queries ({len(a.queries):,} and {len(by_id):,})",
            hint="one of the files is damaged; judge that system again",
        )
    return [(query, by_id[query.id]) for query in a.queries]


def _data_differences(a: Result, b: Result) -> str:
    counts = [
        f"{a.data.get(what)} and {b.data.get(what)} {what}"
        for what in ("queries", "documents", "judgements")
        if a.data.get(what) != b.data.get(what)
    ]
    return ", ".join(counts) or "as many of each, but their texts, ids or grades differ"


def _values(result: Result, metric: str, other: Result) -> dict[str, float]:
    if not all(metric in query.metrics for query in result.queries):
        shared = [name for name in result.metrics if name in other.metrics]
        raise InputError(
            f"{result.system} on {result.dataset} has no {metric}",
            hint=f"both results have {', '.join(shared) or 'no metric in common'}",
        )
    return {query.id: query.metrics[metric] for query in result.queries}


def _most_changed(changes: Sequence[Change], sign: int, top: int) -> tuple[Change, ...]:
    changed = [change for change in changes if sign * change.difference > _SAME]
    return tuple(sorted(changed, key=lambda change: (-abs(change.difference), change.id))[:top])


def _macro(sets: Sequence[Floats], seed: int) -> Paired:
    """The mean of the sets' mean differences."""
    means = [float(values.mean()) for values in sets]
    # Each query with its share in the macro mean: flipping their signs is the same test.
    queries = sum(map(len, sets))
    shares = np.concatenate([values * queries / (len(values) * len(sets)) for values in sets])
    tested = paired_difference([0.0] * queries, shares.tolist(), seed=seed)
    low, high = _macro_interval(sets, seed)
    return Paired(
        difference=float(np.mean(means)),
        low=low,
        high=high,
        p_value=tested.p_value,
        better=sum(mean > _SAME for mean in means),
        worse=sum(mean < -_SAME for mean in means),
        equal=sum(abs(mean) <= _SAME for mean in means),
    )


def _macro_interval(sets: Sequence[Floats], seed: int) -> tuple[float, float]:
    """Queries are drawn anew within each set, so that every set keeps its weight."""
    source = np.random.default_rng(seed)
    means = np.zeros(RESAMPLES)
    for values in sets:
        size = len(values)
        means += [values[source.integers(0, size, size)].mean() for _ in range(RESAMPLES)]
    low, high = np.quantile(means / len(sets), (_RISK / 2, 1 - _RISK / 2))
    return float(low), float(high)
