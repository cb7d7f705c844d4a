"""Passages: none too long for the model, nothing of the text lost, each at its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from biencoder.corpus.beir import read_corpus
from biencoder.embedder.hub import BUNDLED
from biencoder.errors import InputError
from biencoder.text.chunk import Chunker
from biencoder.text.tokenizer import TextTokenizer

CORPUS = Path(__file__).parent.parent.parent / "examples" / "fastapi-docs" / "en"
PREFIX = "passage: "


@pytest.fixture(scope="module")
def tokenizer() -> TextTokenizer:
    return TextTokenizer.from_folder(BUNDLED / "mini", vocab_size=30522)


@pytest.fixture(scope="module")
def chunker(tokenizer: TextTokenizer) -> Chunker:
    return Chunker(tokenizer, prefix=PREFIX, max_tokens=512, tokens=60)


@pytest.mark.parametrize("markdown", [True, False])
def test_real_pages_lose_no_word_and_no_passage_is_too_long(
    chunker: Chunker, tokenizer: TextTokenizer, markdown: bool
) -> None:
    for page in list(read_corpus(CORPUS))[:25]:
        passages = list(chunker.split(page.text, markdown=markdown))
        assert max(tokenizer.counts([p.text for p in passages], PREFIX), default=0) <= 60
        assert all(page.text[p.start :].startswith(p.text) for p in passages)
        kept = "".join("".join(p.text.split()) for p in passages)
        assert kept == "".join(page.text.split())


def test_a_dense_passage_in_a_loose_document_is_split_again(
    chunker: Chunker, tokenizer: TextTokenizer
) -> None:
    text = "internationalization " * 200 + "\n\n" + "?!;: " * 200
    passages = list(chunker.split(text))
    assert max(tokenizer.counts([p.text for p in passages], PREFIX)) <= 60
    assert "".join("".join(p.text.split()) for p in passages) == "".join(text.split())


def test_a_short_document_is_one_passage_and_a_blank_one_none(chunker: Chunker) -> None:
    assert [(p.text, p.start) for p in chunker.split("  tea\n")] == [("  tea\n", 0)]
    assert list(chunker.split(" \n ")) == []


def test_a_limit_too_small_for_prompt_and_text_is_refused(tokenizer: TextTokenizer) -> None:
    with pytest.raises(InputError, match="too few"):
        Chunker(tokenizer, prefix=PREFIX, max_tokens=6)
