"""The step plan: every row once, bundles whole, the budget kept, a function of the seed alone."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from biencoder.train.plan import StepPlan, plan_steps

BUNDLES = st.lists(st.lists(st.integers(1, 20), min_size=1, max_size=3), max_size=30)


def plan(
    bundles: list[list[int]], budget: int, seed: int
) -> tuple[StepPlan, list[range], list[int]]:
    lengths = [length for bundle in bundles for length in bundle]
    starts = np.cumsum([0, *map(len, bundles)]).tolist()
    rows = [range(start, stop) for start, stop in pairwise(starts)]
    steps = plan_steps(rows, np.asarray(lengths, dtype=np.int64), tokens_per_step=budget, seed=seed)
    return steps, rows, lengths


@given(BUNDLES, st.integers(1, 60), st.integers(0, 9))
def test_every_row_is_in_one_step_and_no_bundle_is_torn(
    bundles: list[list[int]], budget: int, seed: int
) -> None:
    steps, rows, lengths = plan(bundles, budget, seed)
    flat = [int(row) for step in steps.steps for row in step]
    assert sorted(flat) == list(range(len(lengths)))
    assert steps.texts == len(lengths)
    step_of = {int(row): number for number, step in enumerate(steps.steps) for row in step}
    assert all(len({step_of[row] for row in bundle}) == 1 for bundle in rows)


@given(BUNDLES, st.integers(1, 60), st.integers(0, 9))
def test_a_step_keeps_the_budget_unless_one_bundle_alone_exceeds_it(
    bundles: list[list[int]], budget: int, seed: int
) -> None:
    steps, rows, lengths = plan(bundles, budget, seed)
    largest = {row: bundle for bundle in rows for row in bundle}
    for step in steps.steps:
        tokens = sum(lengths[row] for row in step)
        assert tokens <= budget or set(map(int, step)) == set(largest[int(step[0])])


@given(BUNDLES, st.integers(1, 60))
def test_the_seed_repeats_the_plan(bundles: list[list[int]], budget: int) -> None:
    first, again = (plan(bundles, budget, 5)[0].steps for _ in range(2))
    assert [step.tolist() for step in first] == [step.tolist() for step in again]


def test_another_seed_gives_another_order() -> None:
    bundles = [[3]] * 40
    first, other = (plan(bundles, 12, seed)[0].steps for seed in (1, 2))
    assert [step.tolist() for step in first] != [step.tolist() for step in other]
