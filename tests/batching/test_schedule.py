"""Windows keep order and bounds; preparing ahead changes nothing but the time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biencoder.batching.schedule import prefetch, windows

TEXTS = st.lists(st.text(max_size=12), max_size=40)


@given(TEXTS, st.integers(1, 9), st.integers(1, 30))
def test_windows_hold_every_text_once_in_order_within_both_bounds(
    texts: list[str], max_texts: int, max_characters: int
) -> None:
    parts = list(windows(texts, max_texts=max_texts, max_characters=max_characters))
    assert [text for part in parts for text in part] == texts
    for part in parts:
        assert 1 <= len(part) <= max_texts
        assert sum(map(len, part)) <= max_characters or len(part) == 1


@given(st.lists(st.integers(), max_size=30))
def test_prefetch_gives_what_map_gives(items: list[int]) -> None:
    assert list(prefetch(items, lambda item: item * 2)) == [item * 2 for item in items]


def test_prefetch_is_one_step_ahead_and_no_further() -> None:
    taken: list[int] = []

    def source() -> Iterator[int]:
        for item in range(10):
            taken.append(item)
            yield item

    results = prefetch(source(), lambda item: item)
    assert next(results) == 0
    assert next(results) == 1
    # Item 3 may be on its way; item 4 would be a third window in memory.
    assert max(taken) <= 3
    results.close()


def test_prefetch_works_in_one_thread_of_its_own() -> None:
    names = set(prefetch(range(5), lambda _: threading.current_thread().name))
    assert len(names) == 1
    assert threading.current_thread().name not in names


def test_falsy_items_do_not_end_the_stream() -> None:
    assert list(prefetch([0, None, "", []], lambda item: item)) == [0, None, "", []]


def test_a_fault_comes_out_where_its_result_would_have_come() -> None:
    results = prefetch([4, 2, 0, 1], lambda item: 8 // item)
    assert (next(results), next(results)) == (2, 4)
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_a_fault_of_the_source_comes_out_too() -> None:
    def source() -> Iterator[int]:
        yield 1
        raise OSError("the disk is gone")

    results = prefetch(source(), lambda item: item)
    assert next(results) == 1
    with pytest.raises(OSError, match="the disk is gone"):
        next(results)
