"""Which texts meet in which step: a pure function of the data and a seed, so a resume repeats it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from biencoder.types import IntArray


@dataclass(frozen=True, slots=True)
class StepPlan:
    """The rows of every step. A bundle (a query and its positive) is never torn apart."""

    steps: tuple[IntArray, ...]

    @property
    def texts(self) -> int:
        """Texts over all steps."""
        return sum(map(len, self.steps))


def plan_steps(
    bundles: Sequence[Sequence[int]],
    lengths: IntArray,
    *,
    tokens_per_step: int,
    seed: int,
    epochs: int = 1,
) -> StepPlan:
    """Shuffle the bundles, anew each epoch, and cut them into steps of at most ``tokens_per_step``.

    The last, smaller step is kept: nothing is dropped.
    """
    source = np.random.default_rng(seed)
    order = np.concatenate([source.permutation(len(bundles)) for _ in range(epochs)])
    steps: list[IntArray] = []
    rows: list[int] = []
    tokens = 0
    for index in order:
        bundle = bundles[index]
        size = int(lengths[list(bundle)].sum())
        if rows and tokens + size > tokens_per_step:
            steps.append(np.asarray(rows, dtype=np.int64))
            rows, tokens = [], 0
        rows.extend(bundle)
        tokens += size
    if rows:
        steps.append(np.asarray(rows, dtype=np.int64))
    return StepPlan(tuple(steps))
