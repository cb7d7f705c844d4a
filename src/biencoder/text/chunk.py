"""Long documents into passages that the model reads whole, with the place where each begins.

Splitting is semantic-text-splitter's: at headings, paragraphs, sentences, words, in that order;
lengths are the model's own tokens. A long text goes through it block by block.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from biencoder.errors import InputError
from biencoder.text.blocks import blocks
from biencoder.text.counting import TokenCounter

# The length that small retrieval models are trained on; longer passages blur.
PASSAGE_TOKENS = 200
# A block's mean says how many characters a token takes; its denser passages need this margin.
_MARGIN = 0.85


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of a document and its first character's place there."""

    text: str
    start: int


class Chunker:
    """Cuts documents at ``tokens`` tokens, prompt and special tokens counted.

    The splitter itself counts characters, at the block's own rate of characters per token: with
    a tokenizer inside it is dozens of times slower. Each passage is then counted in tokens, and one
    that is too long is split again, by tokens.
    """

    def __init__(
        self,
        tokenizer: TokenCounter,
        *,
        prefix: str,
        max_tokens: int,
        tokens: int = PASSAGE_TOKENS,
    ) -> None:
        self._tokenizer, self._prefix = tokenizer, prefix
        self.limit = min(tokens, max_tokens)
        self.capacity = self.limit - tokenizer.count("", prefix)
        if self.capacity < 8:
            raise InputError(f"{self.limit} tokens with the prompt are too few for passages")

    def split(self, text: str, *, markdown: bool = False) -> Iterator[Passage]:
        """The passages of a document, in order; a blank document has none."""
        for passages in self.runs(text, markdown=markdown):
            yield from passages

    def runs(self, text: str, *, markdown: bool = False) -> Iterator[list[Passage]]:
        """As `split`, the passages of one block at a time; none reaches from one into the next."""
        for start, block in blocks(text):
            if block.strip():
                yield [Passage(p.text, start + p.start) for p in self._block(block, markdown)]

    def _block(self, text: str, markdown: bool) -> Iterator[Passage]:
        tokens = self._tokenizer.count(text, self._prefix)
        if tokens <= self.limit:
            yield Passage(text, 0)
            return
        characters = max(1, int(_MARGIN * self.capacity * len(text) / tokens))
        passages = _split(text, characters, markdown)
        counts = self._tokenizer.counts([passage.text for passage in passages], self._prefix)
        for passage, count in zip(passages, counts, strict=True):
            if count <= self.limit:
                yield passage
            else:
                yield from self._by_tokens(passage)

    def _by_tokens(self, passage: Passage) -> Iterator[Passage]:
        for start, text in self._exact.chunk_indices(passage.text):
            yield Passage(text, passage.start + start)

    @cached_property
    def _exact(self) -> Any:
        return self._tokenizer.splitter(self.capacity)


def _split(text: str, characters: int, markdown: bool) -> list[Passage]:
    from semantic_text_splitter import MarkdownSplitter, TextSplitter

    splitter: Any = (MarkdownSplitter if markdown else TextSplitter)(characters)
    return [Passage(passage, start) for start, passage in splitter.chunk_indices(text)]
