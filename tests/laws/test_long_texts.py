"""Texts over the limit: refused with both numbers, or cut so that BOS and prompt stay."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest
from tests import tiny

from biencoder.batching.schedule import windows
from biencoder.embedder import stream
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.notices import TruncationWarning
from biencoder.errors import InputError, TooLongError

LIMIT = 20
LONG = "the river takes the short way and the lake is left behind " * 3


@pytest.fixture(scope="module")
def short(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("short") / "1b")
    tiny.write_json(folder / "sentence_bert_config.json", {"max_seq_length": LIMIT})
    return Embedder.load(folder, dtype="float32", device="cpu")


def test_too_long_with_none_names_the_row_and_both_numbers(short: Embedder) -> None:
    tokens = len(tiny.tokenizer().encode(tiny.QUERY + LONG).ids)
    with pytest.raises(TooLongError, match=rf"text 1 has {tokens} tokens .* at most {LIMIT}"):
        short.encode_queries(["a", LONG])


def test_the_row_is_counted_over_the_whole_stream(
    short: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "windows", partial(windows, max_texts=3))
    with pytest.raises(TooLongError, match="text 10 has"):
        short.encode_queries(["a"] * 10 + [LONG])


def test_a_text_of_exactly_the_limit_passes(short: Embedder) -> None:
    tokenizer = tiny.tokenizer()
    text = next(
        LONG[:length]
        for length in range(len(LONG))
        if len(tokenizer.encode(tiny.QUERY + LONG[:length]).ids) == LIMIT
    )
    assert short.encode_queries([text]).shape == (1, 64)


def test_a_book_is_refused_without_reading_it_all(short: Embedder) -> None:
    with pytest.raises(TooLongError, match="at least"):
        short.encode_documents(["the river " * 200_000])


def test_end_keeps_the_beginning_and_start_keeps_the_end_and_both_the_prompt(
    short: Embedder,
) -> None:
    prefix = tiny.PASSAGE
    whole = tiny.tokenizer().encode(prefix + LONG).ids
    encode = short.tokenizer.encode
    end = encode([LONG], prefix=prefix, max_tokens=LIMIT, truncate="END")
    assert end.ids[0].tolist() == whole[:LIMIT]
    assert end.cut == 1
    start = encode([LONG], prefix=prefix, max_tokens=LIMIT, truncate="START").ids[0].tolist()
    prompt = tiny.tokenizer().encode(prefix.rstrip()).ids
    assert start[: len(prompt)] == prompt
    assert start[len(prompt) :] == whole[len(whole) - (LIMIT - len(prompt)) :]
    assert len(start) == LIMIT


@pytest.mark.parametrize("prefix", ["", "passage: ", "Instruct: find the lake\nQuery: "])
def test_start_keeps_bos_and_all_words_of_the_prompt(short: Embedder, prefix: str) -> None:
    text = "lake " * 400
    kept = short.tokenizer.encode([text], prefix=prefix, max_tokens=60, truncate="START").ids[0]
    tokenizer = tiny.tokenizer()
    assert len(kept) == 60
    decoded = tokenizer.decode(kept.tolist(), skip_special_tokens=False)
    assert decoded.startswith("<|begin_of_text|>" + prefix.rstrip())
    assert decoded.endswith("lake ")


def test_cut_texts_are_counted_in_one_warning(short: Embedder) -> None:
    with pytest.warns(TruncationWarning, match=f"2 of 3 texts were cut to {LIMIT} tokens"):
        vectors = short.encode_documents([LONG, "short", LONG], truncate="END")
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-6)
    alone = short.encode_documents(["short"])
    np.testing.assert_allclose(vectors[1], alone[0], atol=1e-6)


def test_a_text_of_many_characters_is_cut_like_any_other(short: Embedder) -> None:
    book = "lake " * 50_000
    for truncate in ("END", "START"):
        encoded = short.tokenizer.encode(
            [book],
            prefix="",
            max_tokens=LIMIT,
            truncate=truncate,
        )
        assert len(encoded.ids[0]) == LIMIT
        assert encoded.cut == 1


def test_an_unknown_way_of_cutting_is_refused(short: Embedder) -> None:
    with pytest.raises(InputError, match="not one of NONE, START, END"):
        short.encode_queries(["a"], truncate="MIDDLE")  # type: ignore[arg-type]


def test_one_string_instead_of_a_list_is_refused(short: Embedder) -> None:
    with pytest.raises(InputError, match="one string"):
        short.encode_queries("where?")


def test_what_is_no_string_is_refused_with_its_row(short: Embedder) -> None:
    with pytest.raises(InputError, match="text 1 is NoneType"):
        short.encode_queries(["a", None])  # type: ignore[list-item]


@pytest.mark.parametrize(
    ("sentence", "tokenizer", "expected"),
    [(100, None, 100), (100, 50, 50), (None, 50, 50), (None, 10**30, 4096), (9999, None, 4096)],
)
def test_the_smallest_stated_limit_holds(
    tmp_path: Path, sentence: int | None, tokenizer: int | None, expected: int
) -> None:
    folder = tiny.write_checkpoint(tmp_path / "1b")
    if sentence:
        tiny.write_json(folder / "sentence_bert_config.json", {"max_seq_length": sentence})
    if tokenizer:
        tiny.write_json(folder / "tokenizer_config.json", {"model_max_length": tokenizer})
    assert Embedder.load(folder, dtype="float32", device="cpu").max_tokens == expected
