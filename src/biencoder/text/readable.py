"""Texts that a small vocabulary cannot read: counted, so that nobody searches blind.

A vocabulary with an unknown piece (WordPiece, as in `mini`) either maps foreign words to that
piece or spells them letter by letter; both leave vectors without meaning. Byte-level vocabularies
have no unknown piece and are never flagged.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from biencoder.types import IntArray

# Measured on XQuAD (benchmarks/readable.py, results/readable.json): see there for the languages.
MAX_UNKNOWN_SHARE = 0.10
MAX_TOKENS_PER_CHARACTER = 0.55
MIN_CHARACTERS = 12


@dataclass(frozen=True, slots=True)
class Readability:
    """Whether a tokenised text is mostly unknown or spelled out."""

    unknown_id: int

    @classmethod
    def for_tokenizer(cls, tokenizer: Any) -> Readability | None:
        """The judge of a tokenizer, or None where its vocabulary covers everything."""
        piece = json.loads(tokenizer.to_str())["model"].get("unk_token")
        index = tokenizer.token_to_id(piece) if isinstance(piece, str) else None
        return None if index is None else cls(index)

    def is_unreadable(self, tokens: IntArray, characters: int, prefix: str) -> bool:
        """Judge a text by its tokens (prompt included) and its length in characters."""
        if characters == 0:
            return False
        if float(np.mean(tokens == self.unknown_id)) > MAX_UNKNOWN_SHARE:
            return True
        if characters < MIN_CHARACTERS:
            return False
        return len(tokens) / (characters + len(prefix)) > MAX_TOKENS_PER_CHARACTER
