"""Long documents into passages that the model reads whole, with the place where each begins.

Splitting is semantic-text-splitter's: at headings, paragraphs, sentences, words, in that order,
measured with the model's own tokenizer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from biencoder.errors import InputError
from biencoder.text.tokenizer import TextTokenizer

# The length that small retrieval models are trained on; longer passages blur.
PASSAGE_TOKENS = 200
# A text of at most this many characters per token of the budget is surely short enough.
_SURE_CHARACTERS = 1


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document and its first character's place there."""

    text: str
    start: int


class Chunker:
    """Cuts documents at ``tokens`` tokens, prompt and special tokens counted."""

    def __init__(self, tokenizer: TextTokenizer, *, prefix: str, max_tokens: int) -> None:
        from semantic_text_splitter import MarkdownSplitter, TextSplitter

        overhead = tokenizer.count("", prefix)
        self.capacity = min(PASSAGE_TOKENS, max_tokens) - overhead
        if self.capacity < 8:
            raise InputError(f"the model reads only {max_tokens} tokens: too few for passages")
        self._plain: Any = TextSplitter.from_huggingface_tokenizer(tokenizer.raw, self.capacity)
        self._markdown: Any = MarkdownSplitter.from_huggingface_tokenizer(
            tokenizer.raw, self.capacity
        )

    def split(self, text: str, *, markdown: bool = False) -> Iterator[Passage]:
        """The passages of a document, in order; a blank document has none."""
        if not text.strip():
            return
        if len(text) <= self.capacity * _SURE_CHARACTERS:
            yield Passage(text, 0)
            return
        splitter = self._markdown if markdown else self._plain
        for start, passage in splitter.chunk_indices(text):
            yield Passage(passage, start)
