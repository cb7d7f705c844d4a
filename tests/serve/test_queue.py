"""The choice of the next batch: values worked out by hand."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from tests.serve.jobs import job, lengths

from biencoder.batching.pack import pack
from biencoder.serve.engine.job import Job
from biencoder.serve.engine.queue import WINDOW_TEXTS, TokenQueue
from biencoder.types import Role


def filled(*jobs: Job, budget: int = 100) -> TokenQueue:
    queue = TokenQueue(budget)
    for each in jobs:
        queue.add(each)
    return queue


@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=40),
    st.integers(1, 100),
    st.sampled_from(["query", "document"]),
)
def test_a_request_on_an_idle_engine_is_cut_as_offline(
    sizes: list[int], budget: int, role: Role
) -> None:
    alone = job(*sizes, role=role)
    queue = filled(alone, budget=budget)
    batches = []
    while queue:
        batches.append([entry.row for entry in queue.choose(0.0)])
    assert batches == [batch.rows_S.tolist() for batch in pack(alone.ids, budget=budget)]


@given(
    st.lists(
        st.tuples(
            st.lists(st.integers(1, 120), min_size=1, max_size=8),
            st.sampled_from(["query", "document"]),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_every_text_is_chosen_once_and_no_batch_passes_the_budget(
    requests: list[tuple[list[int], Role]],
) -> None:
    jobs = [job(*sizes, role=role) for sizes, role in requests]
    queue = filled(*jobs)
    assert queue.tokens == sum(each.tokens for each in jobs)
    seen = []
    now = 0.0
    while queue:
        now += 0.1
        chosen = queue.choose(now)
        assert sum(lengths(chosen)) <= 100 or len(chosen) == 1
        assert lengths(chosen) == sorted(lengths(chosen), reverse=True)
        seen += [(entry.job, entry.row) for entry in chosen]
    assert len(seen) == len(set(seen)) == sum(len(each.ids) for each in jobs)
    assert queue.tokens == 0


def test_the_oldest_request_decides_and_texts_of_like_length_fill_the_rest() -> None:
    queue = filled(job(40), job(90), job(5), job(30), job(20))
    assert lengths(queue.choose(0.0)) == [40, 30, 20, 5]
    assert lengths(queue.choose(0.0)) == [90]


def test_where_shorter_texts_have_run_out_longer_ones_fill_the_rest() -> None:
    queue = filled(job(10), job(70), job(25), job(60))
    assert lengths(queue.choose(0.0)) == [60, 25, 10]
    assert lengths(queue.choose(0.0)) == [70]


def test_a_text_over_the_budget_goes_alone() -> None:
    queue = filled(job(300), job(1))
    assert lengths(queue.choose(0.0)) == [300]
    assert lengths(queue.choose(0.0)) == [1]


def test_queries_lead_and_passages_fill_what_they_leave() -> None:
    passages, query = job(60, 32, 30), job(8, role="query")
    chosen = filled(passages, query).choose(0.0)
    assert [(entry.tokens, entry.job) for entry in chosen] == [
        (60, passages),
        (32, passages),
        (8, query),
    ]


def test_a_passage_that_fits_fills_where_the_oldest_does_not() -> None:
    queue = filled(job(95), job(40), job(50, role="query"))
    assert lengths(queue.choose(0.0)) == [50, 40]


def test_a_passage_waits_while_queries_fill_the_budget_but_not_beyond_its_patience() -> None:
    passage = job(60, arrived=0.0)
    queue = filled(passage, *(job(100, role="query", arrived=0.1) for _ in range(4)))
    assert lengths(queue.choose(0.1)) == [100]
    assert lengths(queue.choose(0.2)) == [100]
    assert lengths(queue.choose(0.26)) == [60]
    assert lengths(queue.choose(0.27)) == [100]


def test_a_query_is_overtaken_by_one_batch_of_old_passages_only() -> None:
    queue = filled(*(job(100) for _ in range(9)), *(job(100, role="query") for _ in range(3)))
    order = [queue.choose(9.0)[0].job.role for _ in range(6)]
    assert order == ["query", "document", "query", "document", "query", "document"]


def test_old_passages_that_lead_leave_room_for_short_queries() -> None:
    queue = filled(job(90), job(100, role="query"), job(9, role="query"))
    assert lengths(queue.choose(9.0)) == [100]
    assert lengths(queue.choose(9.0)) == [90, 9]


def test_a_dropped_request_is_never_chosen() -> None:
    gone, stays = job(40, 30), job(20)
    queue = filled(gone, stays)
    assert queue.drop(gone) == 2
    assert queue.drop(gone) == 0
    assert queue.tokens == 20
    assert [entry.job for entry in queue.choose(0.0)] == [stays]
    assert not queue


def test_what_is_left_of_a_begun_request_can_be_dropped() -> None:
    begun = job(80, 70, 60)
    queue = filled(begun)
    queue.choose(0.0)
    assert queue.drop(begun) == 2
    assert not queue


def test_requests_beyond_the_window_wait_in_order_and_can_be_dropped() -> None:
    first, gone, last = job(*[1] * WINDOW_TEXTS), job(50, 50), job(7)
    queue = filled(first, gone, last, budget=WINDOW_TEXTS)
    assert queue.drop(gone) == 2
    assert len(queue.choose(0.0)) == WINDOW_TEXTS
    assert lengths(queue.choose(0.0)) == [7]
    assert not queue


def test_neighbours_have_like_lengths_even_where_arrivals_mix() -> None:
    sizes = np.random.default_rng(0).permutation([10, 50] * 20).tolist()
    queue = filled(*(job(size) for size in sizes))
    mixed = 0
    while queue:
        mixed += len(set(lengths(queue.choose(0.0)))) > 1
    assert mixed <= 2
