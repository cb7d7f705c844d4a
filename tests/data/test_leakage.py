"""What leaks: equal normalised text, or 13 words in a row; what does not: anything less."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biencoder.data.leakage import LeakCheck, words

NUMBERS = [f"w{number}" for number in range(30)]
PROTECTED = " ".join(NUMBERS)


@pytest.mark.parametrize(
    "text",
    ["Where do lakes come from?", "where DO lakes, come from", "  where\ndo lakes come\tfrom!!"],
)
def test_equal_text_is_found_whatever_its_case_and_punctuation(text: str) -> None:
    assert LeakCheck(["Where do lakes come from?"]).reason(text) == "equal text"


@pytest.mark.parametrize("start", [0, 5, 17])
def test_thirteen_words_in_a_row_leak_and_twelve_do_not(start: int) -> None:
    check = LeakCheck([PROTECTED])
    thirteen = "before " + ", ".join(NUMBERS[start : start + 13]) + " behind"
    twelve = "before " + " ".join(NUMBERS[start : start + 12]) + " behind"
    assert check.reason(thirteen) == "13 words in common"
    assert check.reason(twelve) is None


def test_thirteen_words_in_another_order_do_not_leak() -> None:
    assert LeakCheck([PROTECTED]).reason(" ".join(reversed(NUMBERS))) is None


@pytest.mark.parametrize("text", ["", "?!", "..."])
def test_texts_without_words_neither_protect_nor_leak(text: str) -> None:
    assert LeakCheck([text]).reason(text) is None


@given(
    st.lists(st.sampled_from("abcd"), max_size=40), st.lists(st.sampled_from("abcd"), max_size=40)
)
def test_the_check_finds_just_what_a_search_by_hand_finds(
    left: list[str], right: list[str]
) -> None:
    runs = {tuple(left[start : start + 13]) for start in range(len(left) - 12)}
    shared = any(tuple(right[start : start + 13]) in runs for start in range(len(right) - 12))
    expected = "equal text" if left == right and left else "13 words in common" if shared else None
    assert LeakCheck([" ".join(left)]).reason(" ".join(right)) == expected


def test_rows_are_dropped_by_any_of_their_texts_and_counted_by_reason() -> None:
    rows = [("clean", "also clean"), ("clean", "LEAK!"), (PROTECTED + " more", "x"), ("leak", "y")]
    kept, dropped = LeakCheck(["leak", PROTECTED]).clean(rows, lambda row: row)
    assert kept == rows[:1]
    assert dropped == Counter({"equal text": 2, "13 words in common": 1})


def test_words_are_runs_of_letters_and_digits_in_any_script() -> None:
    assert words("Straße_42, ÉTÉ—川!") == ["straße", "42", "été", "川"]
