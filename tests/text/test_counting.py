"""Lengths where no tokenizer is at hand: never too short by more than is said, and cut to fit."""

from __future__ import annotations

import pytest

from biencoder.text.counting import ByteRule
from biencoder.text.passages import PassageCutter


@pytest.mark.parametrize(
    ("text", "prefix", "tokens"),
    [
        ("", "", 2),
        ("abc", "", 3),
        ("abcd", "", 4),
        ("abc", "def", 4),
        ("\u5ddd", "", 3),
        ("\ud800", "", 3),
    ],
)
def test_three_bytes_are_a_token_and_two_more_are_special(
    text: str, prefix: str, tokens: int
) -> None:
    assert ByteRule().count(text, prefix) == tokens
    assert ByteRule().counts([text, text], prefix) == [tokens, tokens]


@pytest.mark.parametrize("word", ["river ", "\u5ddd", "0123456789", "\n\n# Heading\n\nword "])
def test_passages_keep_to_the_limit_and_lose_nothing(word: str) -> None:
    text = word * 400
    cutter = PassageCutter(ByteRule(), prefix="passage: ", max_tokens=170, tokens=60)
    passages = list(cutter.cut(text, title="A title", markdown="#" in word))
    assert len(passages) > 1
    assert max(ByteRule().count(p.embedded, "passage: ") for p in passages) <= 60 + 56
    assert max(ByteRule().count(p.text, "passage: ") for p in passages) <= 60
    kept = "".join(p.text for p in passages)
    assert "".join(kept.split()) == "".join(text.split())
    assert all(text[p.start :].startswith(p.text) for p in passages)
