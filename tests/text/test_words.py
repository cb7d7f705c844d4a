"""Words by script: letters, marks and digits make runs; unspaced scripts are cut into pieces."""

from __future__ import annotations

import sys
import unicodedata
from itertools import groupby

import pytest
from hypothesis import given
from hypothesis import strategies as st

from biencoder.errors import InputError
from biencoder.text.words import TOKENS, Tokens, split_words, splitter, word_places


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The FOX, the fox's den.", ["the", "fox", "the", "fox", "s", "den"]),
        ("snake_case 3.14 x²", ["snake", "case", "3", "14", "x²"]),
        ("Straße STRASSE", ["strasse", "strasse"]),
        ("Ёлка, ΣΊΣΥΦΟΣ", ["ёлка", "σίσυφοσ"]),
        # Vowel signs are marks; \w would cut at each of them.
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("عَرَبِيّ", ["عَرَبِيّ"]),
        ("", []),
        (" …!? ", []),
    ],
)
def test_spaced_scripts_keep_their_words(text: str, words: list[str]) -> None:
    assert split_words(text) == words
    assert split_words(text, "words") == words


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("黑豹队的防守", ["黑豹", "豹队", "队的", "的防", "防守"]),
        ("人", ["人"]),
        ("黑豹,防守。", ["黑豹", "防守"]),
        ("タワーの高さ", ["タワ", "ワー", "ーの", "の高", "高さ"]),
        ("佐々木", ["佐々", "々木"]),
        ("서울의 봄", ["서울", "울의", "봄"]),
        ("ภาษาไทย", ["ภาษ", "าษา", "ษาไ", "าไท", "ไทย"]),
        ("ลาว", ["ลาว"]),
        ("ພາສາ", ["ພາສ", "າສາ"]),
        ("ភាសា", ["ភាស", "ាសា"]),
        ("မြန်မာ", ["မြန", "ြန်", "န်မ", "်မာ"]),
    ],
)
def test_unspaced_scripts_are_cut_into_pieces(text: str, words: list[str]) -> None:
    assert split_words(text) == words


def test_a_mixed_text_is_cut_script_by_script() -> None:
    text = "ใช้ Python3 กับ2010年发布的iPhone, так"
    assert split_words(text) == [
        "ใช้", "python3", "กับ", "2010", "年发", "发布", "布的", "iphone", "так",
    ]  # fmt: skip


def test_other_settings_treat_every_script_alike() -> None:
    text = "Zoo 黑豹队 ab"
    assert split_words(text, "words") == ["zoo", "黑豹队", "ab"]
    assert split_words(text, "bigrams") == ["zo", "oo", "黑豹", "豹队", "ab"]
    assert split_words(text, "trigrams") == ["zoo", "黑豹队", "ab"]
    assert split_words("Zoos", "trigrams") == ["zoo", "oos"]


@pytest.mark.parametrize("tokens", TOKENS)
@pytest.mark.parametrize("text", ["Ünïcödé", "한국어 문장", "が行", "\u0929\u0940"])
def test_composed_and_decomposed_spellings_are_one(tokens: Tokens, text: str) -> None:
    decomposed = unicodedata.normalize("NFD", text)
    assert decomposed != text
    assert split_words(text, tokens) == split_words(decomposed, tokens)


def test_a_run_is_made_of_unicodes_letters_marks_and_numbers() -> None:
    characters = [
        character
        for character in map(chr, (*range(0x20000), *range(0x20000, sys.maxunicode + 1, 16)))
        # Those that another spelling replaces cannot be looked for; surrogates are no text.
        if unicodedata.normalize("NFC", character.casefold()) == character
        and unicodedata.category(character) != "Cs"
    ]
    words = {character for character in characters if unicodedata.category(character)[0] in "LMN"}
    assert len(words) > 50_000
    assert set(split_words(" ".join(characters), "words")) == words


def test_marks_stand_where_they_are_looked_for() -> None:
    marks = "".join(
        c for c in map(chr, range(sys.maxunicode + 1)) if unicodedata.category(c)[0] == "M"
    )
    assert len(split_words(f"a{marks}", "words")) == 1


@given(st.text())
def test_every_setting_keeps_all_letters_and_digits(text: str) -> None:
    runs = split_words(text, "words")
    for tokens in TOKENS:
        words = splitter(tokens)(text)
        assert {c for word in words for c in word} == {c for run in runs for c in run}
        assert all(any(word in run for run in runs) for word in words)


@given(st.text(alphabet="ab 黑豹队ภาษ1"))
def test_no_word_mixes_a_spaced_and_an_unspaced_script(text: str) -> None:
    def kind(character: str) -> str:
        return "paired" if character in "黑豹队" else "tripled" if character in "ภาษ" else "spaced"

    lengths = {"paired": 2, "tripled": 3}
    for word in split_words(text):
        kinds = [key for key, _ in groupby(word, kind)]
        assert len(kinds) == 1
        assert len(word) <= lengths.get(kinds[0], len(word))


@given(st.text(alphabet="aB_ ß黑豹ภาษ1हि-"))
def test_each_word_is_told_with_the_place_where_it_stands(text: str) -> None:
    places = list(word_places(text))
    assert [word for _, _, word in places] == split_words(text)
    assert all(text[start:stop].casefold() == word for start, stop, word in places)


def test_unknown_tokens_are_an_error_that_lists_the_known() -> None:
    with pytest.raises(InputError, match=r"'porter' are unknown[^\0]*auto, words, bigrams"):
        splitter("porter")  # type: ignore[arg-type]
