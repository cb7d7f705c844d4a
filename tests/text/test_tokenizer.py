"""Token ids are those of the tokenizers library, without the settings that were saved along."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import tiny
from tokenizers import Tokenizer

from biencoder.text.byte_level import byte_level_tokenizer
from biencoder.text.tokenizer import TextTokenizer, Wanted

REAL_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=80)


def ids_of(tokenizer: TextTokenizer, text: str, prefix: str = "") -> list[int]:
    encoded = tokenizer.encode([text], prefix=prefix, max_tokens=10_000, truncate="NONE")
    ids: list[int] = encoded.ids[0].tolist()
    return ids


@given(REAL_TEXT, st.sampled_from(["", "query: ", "Instruct: x\nQuery: "]))
def test_ids_are_those_of_the_library_on_one_string(text: str, prefix: str) -> None:
    tokenizer = TextTokenizer(tiny.tokenizer())
    expected = tiny.tokenizer().encode(prefix + text).ids
    assert ids_of(tokenizer, text, prefix) == expected
    assert tokenizer.count(text, prefix) == len(expected)


def test_saved_truncation_and_padding_are_taken_off(tmp_path: Path) -> None:
    saved = tiny.tokenizer()
    saved.enable_truncation(max_length=3)
    saved.enable_padding(length=64, pad_id=tiny.EOS)
    saved.save(str(tmp_path / "tokenizer.json"))
    tokenizer = TextTokenizer.from_folder(tmp_path, vocab_size=300)
    text = tiny.TEXTS[3]
    assert ids_of(tokenizer, text) == tiny.tokenizer().encode(text).ids
    assert '"truncation":null' in tokenizer.to_json().replace(" ", "")


def test_a_lone_surrogate_is_read_as_a_replacement_and_does_not_fail() -> None:
    tokenizer = TextTokenizer(tiny.tokenizer())
    assert ids_of(tokenizer, "a\ud800b") == tiny.tokenizer().encode("a?b").ids


@pytest.mark.parametrize("text", ["\x00", "a\x00b", "😀", "e\u0301", "\u202e", "\ufeff"])
def test_odd_characters_are_read_as_they_are(text: str) -> None:
    tokenizer = TextTokenizer(tiny.tokenizer())
    ids = ids_of(tokenizer, text)
    assert tokenizer.raw.decode(ids) == text


def test_texts_with_different_wishes_are_read_in_one_call() -> None:
    tokenizer = TextTokenizer(tiny.tokenizer())
    long = "the river bends " * 9
    wanted = [
        Wanted("the", "query: ", "NONE"),
        Wanted(long, "passage: ", "END"),
        Wanted(long, "", "NONE"),
        Wanted("the" * 10_000, "", "NONE"),
    ]
    short, cut, whole, book = tokenizer.read(wanted, max_tokens=12)
    library = tiny.tokenizer()
    assert short.ids.tolist() == library.encode("query: the").ids
    assert cut.ids.tolist() == library.encode("passage: " + long).ids[:12]
    assert whole.ids.tolist() == library.encode(long).ids
    assert cut.counted == len(library.encode("passage: " + long).ids)
    assert [read.over for read in (short, cut, whole, book)] == [False, True, True, True]
    assert [read.counted_in_part for read in (short, cut, whole, book)] == [False] * 3 + [True]


def test_an_id_has_its_piece_and_an_unknown_id_none() -> None:
    tokenizer = TextTokenizer(tiny.tokenizer())
    assert tokenizer.token(tiny.BOS) == "<|begin_of_text|>"
    assert tokenizer.token(10_000) is None


@given(REAL_TEXT)
def test_the_stand_in_tokenizer_has_one_token_per_byte_and_bos_in_front(text: str) -> None:
    tokenizer = Tokenizer.from_str(byte_level_tokenizer(bos=256, eos=257))
    assert tokenizer.encode(text).ids == [256, *text.encode()]
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
