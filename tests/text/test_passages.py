"""What a model reads of a document: passages with the title and headings above them, in bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from biencoder.corpus.beir import read_corpus
from biencoder.embedder.hub import BUNDLED
from biencoder.text.passages import CONTEXT_TOKENS, PassageCutter
from biencoder.text.tokenizer import TextTokenizer

CORPUS = Path(__file__).parent.parent.parent / "examples" / "fastapi-docs" / "en"
PREFIX = "passage: "
TEXT = "# Tea\n\nHot.\n\n## Green\n\n" + "Green tea is not left to ferment. " * 12


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.from_folder(BUNDLED / "mini", vocab_size=30522)


def _cutter(tokenizer: TextTokenizer, tokens: int, max_tokens: int = 512) -> PassageCutter:
    return PassageCutter(tokenizer, prefix=PREFIX, max_tokens=max_tokens, tokens=tokens)


def test_a_passage_is_embedded_under_its_title_and_headings_and_shown_without_them(
    tokenizer: TextTokenizer,
) -> None:
    pieces = list(_cutter(tokenizer, 40).cut(TEXT, title="Drinks", markdown=True))
    last = pieces[-1]
    assert last.headings == ("Tea", "Green")
    assert last.embedded == f"Drinks > Tea > Green\n{last.text}"
    assert TEXT[last.start :].startswith(last.text)


def test_a_heading_that_begins_the_passage_is_not_said_twice(tokenizer: TextTokenizer) -> None:
    (piece,) = _cutter(tokenizer, 200).cut("# Tea\n\nHot.", title="Tea", markdown=True)
    assert piece.embedded == "# Tea\n\nHot."


def test_given_headings_stand_above_those_of_the_text(tokenizer: TextTokenizer) -> None:
    (piece,) = _cutter(tokenizer, 200).cut("Hot.", title="", markdown=False, headings=("A", "B"))
    assert (piece.headings, piece.embedded) == (("A", "B"), "A > B\nHot.")


@pytest.mark.parametrize("max_tokens", [64, 512])
def test_no_real_page_gives_more_tokens_than_the_model_or_the_setting_allows(
    tokenizer: TextTokenizer, max_tokens: int
) -> None:
    cutter = _cutter(tokenizer, 60, max_tokens)
    for page in list(read_corpus(CORPUS))[:20]:
        pieces = list(cutter.cut(page.text, title=page.title * 4, markdown=True))
        counted = tokenizer.counts([piece.embedded for piece in pieces], PREFIX)
        assert [piece.tokens for piece in pieces] == counted
        assert max(counted) <= min(max_tokens, 60 + CONTEXT_TOKENS)


def test_context_that_does_not_fit_is_left_out_from_the_top(tokenizer: TextTokenizer) -> None:
    (piece,) = _cutter(tokenizer, 30).cut(
        "Hot.", title="?! " * 100, markdown=False, headings=("far " * 60, "Near")
    )
    assert piece.embedded == "Near\nHot."


def test_a_title_of_too_many_tokens_is_left_out_whole(tokenizer: TextTokenizer) -> None:
    (piece,) = _cutter(tokenizer, 30).cut("Hot.", title="?! " * 100, markdown=False)
    assert piece.embedded == "Hot."


def test_of_a_title_and_a_heading_as_long_as_a_book_the_first_words_are_read(
    tokenizer: TextTokenizer,
) -> None:
    book = "word " * 200_000
    (piece,) = _cutter(tokenizer, 400).cut("Hot.", title=book, markdown=False, headings=(book[5:],))
    assert piece.embedded == " > ".join(["word " * 59 + "word"] * 2) + "\nHot."


def test_a_long_heading_that_begins_the_passage_is_not_said_twice(
    tokenizer: TextTokenizer,
) -> None:
    heading = "far " * 99 + "away"
    (piece,) = _cutter(tokenizer, 400).cut(f"# {heading}\n\nHot.", title="Tea", markdown=True)
    assert piece.embedded == f"Tea\n# {heading}\n\nHot."
