"""Names made short: at a word's end where there is one, and never longer than was said."""

from __future__ import annotations

import pytest

from biencoder.text.shorten import NAME_CHARACTERS, cut_at_word, short_name


@pytest.mark.parametrize(
    ("text", "most", "kept"),
    [
        ("tea", 3, "tea"),
        ("hot tea", 6, "hot"),
        ("hot tea", 3, "hot"),
        ("hot x" + "y" * 99, 40, "hot x" + "y" * 35),
        ("湖是河流被切断的弯道", 4, "湖是河流"),
        ("हिन्दी", 3, "हि"),  # never before a mark
    ],
)
def test_a_cut_is_at_a_words_end_or_at_a_letters(text: str, most: int, kept: str) -> None:
    assert cut_at_word(text, most) == kept


def test_a_name_is_whole_or_says_that_it_goes_on() -> None:
    assert short_name("a" * NAME_CHARACTERS) == "a" * NAME_CHARACTERS
    cut = short_name("word " * NAME_CHARACTERS)
    assert len(cut) <= NAME_CHARACTERS
    assert cut.endswith("word…")
