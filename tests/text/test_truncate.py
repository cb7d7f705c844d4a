"""Cutting tokens keeps what was promised; a book's head is enough to cut or refuse it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import tiny

from biencoder.errors import TooLongError
from biencoder.text.tokenizer import TextTokenizer
from biencoder.text.truncate import CHARACTERS_PER_TOKEN, COUNTED_LIMITS, cut_tokens, head_of
from biencoder.types import Truncate

ENDS = st.sampled_from(["END", "START"])


@given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 10), ENDS)
def test_cut_tokens_are_at_most_the_limit_and_keep_head_and_tail(
    length: int, limit: int, kept: int, truncate: Truncate
) -> None:
    tokens = np.arange(length)
    out = cut_tokens(tokens, limit, truncate, kept).tolist()
    if length <= limit:
        assert out == list(range(length))
    elif truncate == "END":
        assert out == list(range(limit))
    else:
        head = min(kept, limit)
        assert out == [*range(head), *range(length - (limit - head), length)]
    assert len(out) == min(length, limit)


@given(st.text(alphabet="ab ", max_size=3000), st.integers(1, 8), ENDS)
def test_the_head_of_a_text_is_a_run_of_it_within_the_bound(
    text: str, limit: int, truncate: Truncate
) -> None:
    head = head_of(text, limit, truncate)
    bound = CHARACTERS_PER_TOKEN * limit
    assert len(head) <= bound
    assert text.endswith(head) if truncate == "START" else text.startswith(head)
    if len(text) <= bound:
        assert head == text


def test_a_text_that_may_not_be_cut_is_counted_on_to_eight_times_the_limit() -> None:
    text = "x" * (CHARACTERS_PER_TOKEN * COUNTED_LIMITS * 10)
    assert head_of(text, 10, "NONE") == text
    assert len(head_of(text + "y", 10, "NONE")) == len(text)


@given(st.text(alphabet="river lake\n", min_size=1, max_size=200), st.integers(12, 40))
def test_end_is_the_beginning_of_the_whole_and_start_its_end(text: str, limit: int) -> None:
    tokenizer = TextTokenizer(tiny.tokenizer())
    whole = tiny.tokenizer().encode("passage: " + text).ids
    prompt = tiny.tokenizer().encode("passage:").ids
    end, start = (
        tokenizer.encode(
            [text],
            prefix="passage: ",
            max_tokens=limit,
            truncate=truncate,
        )
        .ids[0]
        .tolist()
        for truncate in ("END", "START")
    )
    if len(whole) <= limit:
        assert end == start == whole
        return
    assert end == whole[:limit]
    assert start[: len(prompt)] == prompt
    assert start[len(prompt) :] == whole[-(limit - len(prompt)) :]


def test_the_refusal_names_row_tokens_and_limit_with_thousands_separated() -> None:
    tokenizer = TextTokenizer(tiny.tokenizer())
    with pytest.raises(TooLongError, match=r"text 7 has 3,001 tokens .* at most 1,000"):
        tokenizer.encode(["1" * 3000], prefix="", max_tokens=1000, truncate="NONE", first_row=7)
