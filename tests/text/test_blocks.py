"""Blocks: the whole text, none too long, and the work on it in proportion to its length."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from biencoder.embedder.hub import BUNDLED
from biencoder.text import chunk
from biencoder.text.blocks import BLOCK_CHARACTERS, SENTENCE_CHARACTERS, blocks, pieces
from biencoder.text.chunk import Chunker, Passage
from biencoder.text.headings import Headings
from biencoder.text.passages import PassageCutter
from biencoder.text.tokenizer import TextTokenizer

Make = Callable[[int], str]
PREFIX = "passage: "
LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/"


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.from_folder(BUNDLED / "mini", vocab_size=30522)


def _words(characters: int) -> str:
    return " ".join(f"word{number % 997}" for number in range(characters // 8))[:characters]


def _base64(characters: int) -> str:
    return "".join(random.Random(0).choices(LETTERS, k=characters))


def _chinese(characters: int) -> str:
    return "".join(random.Random(0).choices("的一是不了人我在有他这", k=characters))


@pytest.mark.parametrize("make", [_words, _base64, _chinese])
@pytest.mark.parametrize("most", [1, 7, 1_000])
def test_pieces_are_the_whole_text_and_none_is_too_long(make: Make, most: int) -> None:
    text = make(5_003)
    found = list(pieces(text, most))
    assert "".join(piece for _, piece in found) == text
    assert all(text.startswith(piece, start) for start, piece in found)
    assert all(0 < len(piece) <= most for _, piece in found)


def test_no_piece_is_a_crumb() -> None:
    assert [len(piece) for _, piece in pieces("a" * 101, 100)] == [51, 50]


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("one two three\n\nfour five\n# Six seven", "four five\n"),
        ("one two three four.\n\nfive six. seven\nno", "four.\n\n"),
        ("one two three four five\nsix. seven", "five\n"),
        ("one two three four, five. six and seven", "five. "),
        ("湖是河流被切断的弯道湖是河流。被切断的弯道湖是河流被", "河流。"),
        ("one two three four five six and seven_on", "and "),
    ],
)
def test_a_piece_ends_at_the_best_place_of_its_second_half(text: str, end: str) -> None:
    first = next(pieces(text + "~" * len(text), len(text)))[1]
    assert first.endswith(end)


def test_a_text_that_fits_is_one_block_and_so_cut_as_before() -> None:
    text = _words(BLOCK_CHARACTERS)
    assert list(blocks(text)) == [(0, text)]
    assert list(blocks("湖是河流。" * 10_000)) == [(0, "湖是河流。" * 10_000)]


def test_a_long_sentence_without_blanks_comes_in_small_blocks_alone() -> None:
    text = "\n\n".join([_words(BLOCK_CHARACTERS - 10), _chinese(20_000)])
    sizes = [len(block) for _, block in blocks(text)]
    assert sum(sizes) == len(text)
    assert max(sizes) > SENTENCE_CHARACTERS
    (last,) = [block for _, block in blocks(_chinese(SENTENCE_CHARACTERS))]
    assert len(last) == SENTENCE_CHARACTERS
    assert max(len(block) for _, block in blocks(_chinese(20_000))) <= SENTENCE_CHARACTERS


@pytest.mark.parametrize(
    ("make", "most"),
    [(_words, BLOCK_CHARACTERS), (_base64, BLOCK_CHARACTERS), (_chinese, SENTENCE_CHARACTERS)],
)
def test_the_splitter_sees_every_character_once_and_never_more_than_a_block(
    tokenizer: TextTokenizer, monkeypatch: pytest.MonkeyPatch, make: Make, most: int
) -> None:
    seen: list[int] = []

    def halves(text: str, characters: int, markdown: bool) -> list[Passage]:
        seen.append(len(text))
        return [Passage(text[start : start + 50], start) for start in range(0, len(text), 50)]

    monkeypatch.setattr(chunk, "_split", halves)
    text = make(250_000)
    passages = list(Chunker(tokenizer, prefix=PREFIX, max_tokens=512, tokens=120).split(text))
    assert sum(seen) == len(text)
    assert max(seen) <= most
    assert "".join(p.text for p in passages) == text
    assert all(text.startswith(p.text, p.start) for p in passages)


def test_the_next_block_is_cut_only_once_it_is_asked_for(
    tokenizer: TextTokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut: list[int] = []

    def counted(text: str) -> Iterator[tuple[int, str]]:
        for start, block in blocks(text):
            cut.append(start)
            yield start, block

    monkeypatch.setattr(chunk, "blocks", counted)
    cutter = PassageCutter(tokenizer, prefix=PREFIX, max_tokens=512, tokens=200)
    passages = cutter.cut(_words(3 * BLOCK_CHARACTERS), markdown=False)
    next(passages)
    assert cut == [0]


def test_passages_of_later_blocks_stand_under_their_own_headings_at_their_own_place(
    tokenizer: TextTokenizer,
) -> None:
    text = "".join(f"# Part {number}\n\n{_words(30_000)}\n\n" for number in range(5))
    cutter = PassageCutter(tokenizer, prefix=PREFIX, max_tokens=512, tokens=200)
    pieces = list(cutter.cut(text, markdown=True))
    assert all(text.startswith(piece.text, piece.start) for piece in pieces)
    headings = Headings(text)
    assert all(piece.headings == headings.at(piece.start) for piece in pieces)
    assert {piece.headings for piece in pieces} == {(f"Part {number}",) for number in range(5)}
    assert "".join("".join(p.text.split()) for p in pieces) == "".join(text.split())
