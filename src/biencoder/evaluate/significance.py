"""How sure is a mean, and is one system better than another on the same queries?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from biencoder.errors import InputError

Floats = npt.NDArray[np.float64]

RESAMPLES = 10_000
CONFIDENCE = 0.95

# Resampled means are computed in pieces, so that a million queries need no gigabytes.
_PIECE = 4_000_000


def bootstrap_interval(values: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """The 95 % percentile interval of the mean over `RESAMPLES` resamples of the values.

    >>> bootstrap_interval([0.5, 0.5, 0.5])
    (0.5, 0.5)
    """
    return bootstrap_intervals(np.asarray(values, dtype=np.float64)[:, np.newaxis], seed=seed)[0]


def bootstrap_intervals(values_QM: Floats, *, seed: int = 0) -> list[tuple[float, float]]:
    """As `bootstrap_interval` for each column, all columns over the same resampled rows.

    values_QM: float64, shape (queries, measures).
    """
    return [_middle(means) for means in _resampled_means(values_QM, seed).T]


@dataclass(frozen=True, slots=True)
class Paired:
    """Two systems on the same queries: mean of ``b - a``, its 95 % interval, a two-sided p-value."""

    difference: float
    low: float
    high: float
    p_value: float
    better: int
    worse: int
    equal: int


def paired_difference(a: Sequence[float], b: Sequence[float], *, seed: int = 0) -> Paired:
    """Bootstrap over queries for the interval, random sign flips for the p-value.

    ``a[i]`` and ``b[i]`` belong to the same query. The p-value counts the observed arrangement
    too, so it is never 0: at best 1 / 10,001.
    """
    if len(a) != len(b):
        raise InputError(f"{len(a)} values cannot be paired with {len(b)}")
    differences = np.asarray(b, dtype=np.float64) - np.asarray(a, dtype=np.float64)
    low, high = _middle(_resampled_means(differences[:, np.newaxis], seed)[:, 0])
    return Paired(
        difference=float(differences.mean()),
        low=low,
        high=high,
        p_value=_sign_flip(differences, seed),
        better=int((differences > 0).sum()),
        worse=int((differences < 0).sum()),
        equal=int((differences == 0).sum()),
    )


def _resampled_means(values_QM: Floats, seed: int) -> Floats:
    """Means of every column in each resample, shape (RESAMPLES, measures)."""
    size = len(values_QM)
    if size == 0:
        raise InputError("there is no judged query to take a mean of")
    source = np.random.default_rng(seed)
    step = max(1, _PIECE // size)
    means = []
    for start in range(0, RESAMPLES, step):
        count = min(step, RESAMPLES - start)
        drawn = source.integers(0, size, (count, size))
        # How often each row was drawn, for all columns at once: one product instead of a gather.
        places = (drawn + np.arange(count)[:, np.newaxis] * size).ravel()
        times = np.bincount(places, minlength=count * size).reshape(count, size)
        means.append(times @ values_QM / size)
    return np.concatenate(means)


def _middle(means: Floats) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (tail, 1 - tail))
    return float(low), float(high)


def _sign_flip(differences: Floats, seed: int) -> float:
    """Share of sign patterns whose mean is at least as far from zero as the observed one."""
    differences = differences[differences != 0]
    if len(differences) == 0:
        return 1.0
    source = np.random.default_rng(seed)
    observed = abs(differences.sum())
    # Sums of the same numbers in another order differ in the last digits; that is no difference.
    slack = 1e-9 * np.abs(differences).sum()
    step = max(1, _PIECE // len(differences))
    as_far = 0
    for start in range(0, RESAMPLES, step):
        count = min(step, RESAMPLES - start)
        signs = source.integers(0, 2, (count, len(differences)), dtype=np.int8) * 2 - 1
        as_far += int((np.abs(signs @ differences) >= observed - slack).sum())
    return (as_far + 1) / (RESAMPLES + 1)
