"""Texts that a vocabulary cannot read are counted; byte-level vocabularies read everything."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tests import tiny
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer

from biencoder.text.readable import MAX_TOKENS_PER_CHARACTER, MIN_CHARACTERS, Readability
from biencoder.text.tokenizer import TextTokenizer
from biencoder.types import Truncate

PIECES = ["[UNK]", "the", "river", "lake", "is", "long", *"abcdefghijklmnopqrstuvwxyz"]
SPELLED = {f"##{letter}" for letter in "abcdefghijklmnopqrstuvwxyz"}


@pytest.fixture
def word_pieces() -> TextTokenizer:
    vocabulary = {piece: index for index, piece in enumerate([*PIECES, *sorted(SPELLED)])}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = BertPreTokenizer()
    return TextTokenizer(tokenizer, readability=Readability.for_tokenizer(tokenizer))


def unreadable(tokenizer: TextTokenizer, texts: list[str]) -> list[int]:
    return tokenizer.encode(texts, prefix="", max_tokens=999, truncate="NONE").unreadable


def test_foreign_script_and_spelled_out_words_are_flagged_by_row(
    word_pieces: TextTokenizer,
) -> None:
    texts = [
        "the river is long the lake is long",
        "川 の 曲 が り",
        "flusslandschaft donaudampfschiff",
        "",
        "abc",
    ]
    assert unreadable(word_pieces, texts) == [1, 2]


def test_a_byte_level_vocabulary_flags_nothing() -> None:
    tokenizer = tiny.tokenizer()
    assert Readability.for_tokenizer(tokenizer) is None


@pytest.mark.parametrize(
    ("unknown", "of", "flagged"), [(0, 10, False), (1, 10, False), (2, 10, True), (11, 100, True)]
)
def test_more_than_a_tenth_unknown_is_unreadable(unknown: int, of: int, flagged: bool) -> None:
    tokens = np.asarray([5] * unknown + [9] * (of - unknown))
    assert Readability(unknown_id=5).is_unreadable(tokens, 1000, "") is flagged


@pytest.mark.parametrize("truncate", ["END", "START"])
def test_a_spelled_out_text_is_flagged_although_it_is_cut(
    word_pieces: TextTokenizer, truncate: Truncate
) -> None:
    long = "flusslandschaft " * 20
    encoded = word_pieces.encode([long], prefix="", max_tokens=32, truncate=truncate)
    assert (encoded.cut, encoded.unreadable) == (1, [0])


@pytest.mark.parametrize("prefix", ["", "passage: "])
@pytest.mark.parametrize("characters", [12, 40, 1000])
def test_more_tokens_per_character_than_the_measured_bound_are_unreadable(
    characters: int, prefix: str
) -> None:
    judge = Readability(unknown_id=0)
    bound = math.floor((characters + len(prefix)) * MAX_TOKENS_PER_CHARACTER)
    few, many = np.ones(bound, dtype=np.int64), np.ones(bound + 1, dtype=np.int64)
    assert not judge.is_unreadable(few, characters, prefix)
    assert judge.is_unreadable(many, characters, prefix)


@pytest.mark.parametrize("characters", [0, 1, MIN_CHARACTERS - 1])
def test_short_texts_are_not_judged_by_their_number_of_tokens(characters: int) -> None:
    tokens = np.ones(50, dtype=np.int64)
    assert not Readability(unknown_id=0).is_unreadable(tokens, characters, "")
