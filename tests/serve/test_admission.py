"""The limit on what may wait: by hand."""

from __future__ import annotations

import pytest
from tests.serve.jobs import job

from biencoder.serve.engine.admission import Admission
from biencoder.serve.errors import ApiError


def test_a_request_is_let_in_whole_or_refused_whole() -> None:
    admission = Admission(budget=10, max_queued_tokens=100)
    admission.reserve(job(), 60)
    admission.reserve(job(), 40)
    refused = job()
    with pytest.raises(ApiError, match="Model is overloaded") as raised:
        admission.reserve(refused, 1)
    assert raised.value.status == 429
    assert (admission.queued, refused.reserved) == (100, 0)


def test_where_nothing_waits_a_request_of_any_size_is_let_in() -> None:
    admission = Admission(budget=10, max_queued_tokens=100)
    large = job()
    admission.reserve(large, 50)
    admission.reserve(large, 5000)
    assert admission.queued == 5000
    with pytest.raises(ApiError):
        admission.reserve(job(), 1)


def test_the_true_number_of_tokens_takes_the_place_of_the_first_guess() -> None:
    admission = Admission(budget=10, max_queued_tokens=100)
    other, ours = job(), job()
    admission.reserve(other, 60)
    admission.reserve(ours, 10)
    admission.reserve(ours, 30)
    assert admission.queued == 90
    with pytest.raises(ApiError):
        admission.reserve(ours, 41)
    assert admission.queued == 60


def test_computed_and_abandoned_requests_give_their_room_back_once() -> None:
    admission = Admission(budget=10, max_queued_tokens=100)
    ours = job()
    admission.reserve(ours, 60)
    admission.release(ours, 20)
    assert admission.queued == 40
    admission.abandon(ours)
    admission.release(ours, 40)
    admission.reserve(ours, 60)
    assert admission.queued == 0


def test_the_limit_is_four_seconds_of_work_and_at_least_four_budgets() -> None:
    admission = Admission(budget=100)
    assert admission.limit == 400
    admission.measure(100, 0.1)
    assert admission.limit == 4_000
    for _ in range(200):
        admission.measure(100, 10.0)
    assert admission.limit == 400


def test_batches_that_are_not_full_do_not_lower_the_rate() -> None:
    admission = Admission(budget=100)
    admission.measure(10, 0.1)
    assert admission.rate == pytest.approx(100.0)
    admission.measure(100, 0.1)
    admission.measure(10, 0.1)
    assert admission.rate == pytest.approx(1000.0)


@pytest.mark.parametrize(
    ("queued", "seconds", "milliseconds"),
    [(30, "1", "1000"), (250, "3", "2500"), (10**9, "120", "120000")],
)
def test_the_pause_follows_from_the_rate_within_bounds(
    queued: int, seconds: str, milliseconds: str
) -> None:
    admission = Admission(budget=10, max_queued_tokens=1)
    admission.measure(100, 1.0)
    admission.reserve(job(), queued)
    with pytest.raises(ApiError) as raised:
        admission.reserve(job(), 1)
    assert raised.value.headers == {"Retry-After": seconds, "retry-after-ms": milliseconds}


def test_without_a_measurement_the_pause_is_one_second() -> None:
    admission = Admission(budget=10, max_queued_tokens=1)
    admission.reserve(job(), 500)
    with pytest.raises(ApiError) as raised:
        admission.reserve(job(), 1)
    assert raised.value.headers["Retry-After"] == "1"
