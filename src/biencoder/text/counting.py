"""How long a text is for a model: by its tokenizer, or by a rule where only a server has that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

# English takes about 4.5 bytes a token, Chinese 3 to 4, code 2 to 3: a text is rarely longer than
# this says.
BYTES_PER_TOKEN = 3
# What a tokenizer may put before and behind a text.
_SPECIAL_TOKENS = 2


class TokenCounter(Protocol):
    """What cutting documents into passages needs to know of a model's tokens."""

    def count(self, text: str, prefix: str = "") -> int:
        """Tokens of prompt and text together, special tokens included."""

    def counts(self, texts: Sequence[str], prefix: str = "") -> list[int]:
        """As `count`, for many texts at once."""

    def splitter(self, capacity: int) -> Any:
        """semantic-text-splitter's splitter into pieces of at most ``capacity`` tokens."""


class ByteRule:
    """A token for every three bytes of UTF-8.

    In the worst case of a byte-level vocabulary a byte is a token: a text then has up to three times
    as many tokens as this says, and never more.
    """

    def count(self, text: str, prefix: str = "") -> int:
        """Tokens of prompt and text together, special tokens included."""
        return _tokens(prefix + text) + _SPECIAL_TOKENS

    def counts(self, texts: Sequence[str], prefix: str = "") -> list[int]:
        """As `count`, for many texts at once."""
        return [self.count(text, prefix) for text in texts]

    def splitter(self, capacity: int) -> Any:
        """semantic-text-splitter's splitter into pieces of at most ``capacity`` tokens."""
        from semantic_text_splitter import TextSplitter

        return TextSplitter.from_callback(_tokens, capacity)


def _tokens(text: str) -> int:
    return -(-len(text.encode("utf-8", "replace")) // BYTES_PER_TOKEN)
