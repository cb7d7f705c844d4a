"""Token ids from ``tokenizer.json``, through the `tokenizers` library alone.

The prompt and the text are one string. Special tokens written in a text (``<|eot_id|>``) become
control tokens, as in the reference implementation.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from biencoder.errors import CheckpointError
from biencoder.text.hidden_tokens import hide_tokens
from biencoder.text.readable import Readability
from biencoder.text.truncate import cut_tokens, head_of, too_long
from biencoder.types import IntArray, Truncate


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of several texts, in order, and what happened to them on the way.

    cut: how many texts lost tokens. unreadable: indices of texts that the vocabulary hardly covers.
    """

    ids: list[IntArray]
    cut: int
    unreadable: list[int]


@dataclass(frozen=True, slots=True)
class Wanted:
    """A text to read, the prompt before it, and what may be cut."""

    text: str
    prefix: str
    truncate: Truncate


@dataclass(frozen=True, slots=True)
class Read:
    """Token ids of one text with its prompt.

    counted: tokens before any cut; ``counted_in_part`` where the text goes on behind them. over:
    more than the limit. unreadable: the vocabulary hardly covers it.
    """

    ids: IntArray
    counted: int
    over: bool
    counted_in_part: bool
    unreadable: bool


class TextTokenizer:
    """A checkpoint's tokenizer without the truncation and padding it was saved with."""

    def __init__(self, tokenizer: Tokenizer, *, readability: Readability | None = None) -> None:
        tokenizer.no_truncation()
        tokenizer.no_padding()
        self._tokenizer = tokenizer
        self._readability = readability

    @classmethod
    def from_folder(
        cls, folder: Path, *, vocab_size: int, without: Collection[str] = ()
    ) -> TextTokenizer:
        """Read ``tokenizer.json``; a vocabulary larger than the embedding table is an error.

        without: added tokens that a text must not become, however it is written.
        """
        path = folder / "tokenizer.json"
        if not path.exists():
            raise CheckpointError(
                f"{folder} holds no tokenizer.json", hint="fetch it with the rest of the checkpoint"
            )
        hidden: frozenset[int] = frozenset()
        try:
            if without:
                whole = path.read_text(encoding="utf-8")
                tokenizer, hidden = hide_tokens(whole, without, vocab_size=vocab_size)
            else:
                tokenizer = Tokenizer.from_file(str(path))
        except CheckpointError:
            raise
        except Exception as error:  # the library raises bare Exception for every fault
            raise CheckpointError(f"{path} cannot be read: {error}") from error
        largest = max(set(tokenizer.get_vocab().values()) - hidden, default=-1)
        if largest >= vocab_size:
            raise CheckpointError(
                f"the tokenizer has a token {largest}, but the embedding table ends at {vocab_size - 1}",
                hint="tokenizer.json and the weights do not belong together",
            )
        return cls(tokenizer, readability=Readability.for_tokenizer(tokenizer))

    @property
    def raw(self) -> Tokenizer:
        """The library's own object."""
        return self._tokenizer

    def splitter(self, capacity: int) -> Any:
        """semantic-text-splitter's splitter into pieces of at most ``capacity`` tokens."""
        from semantic_text_splitter import TextSplitter

        return TextSplitter.from_huggingface_tokenizer(self._tokenizer, capacity)

    def to_json(self) -> str:
        """The tokenizer as ``tokenizer.json``, without truncation or padding."""
        return str(self._tokenizer.to_str(pretty=False))

    def token(self, index: int) -> str | None:
        """The piece behind an id."""
        piece: str | None = self._tokenizer.id_to_token(index)
        return piece

    def count(self, text: str, prefix: str = "") -> int:
        """Tokens of prompt and text together, special tokens included."""
        return self.counts([text], prefix)[0]

    def pieces(self, text: str) -> IntArray:
        """Ids of a text alone: no prompt, no special token around it."""
        (encoding,) = self._encode_batch([text], special=False)
        return np.asarray(encoding.ids, dtype=np.int64)

    def counts(self, texts: Sequence[str], prefix: str = "") -> list[int]:
        """As `count`, for many texts at once."""
        return [len(encoding) for encoding in self._encode_batch([prefix + t for t in texts])]

    def encode(
        self,
        texts: Sequence[str],
        *,
        prefix: str,
        max_tokens: int,
        truncate: Truncate,
        first_row: int = 0,
    ) -> Encoded:
        """Token ids of each text with its prompt.

        A text over ``max_tokens`` is an error with ``NONE`` (TooLongError names it and both
        numbers); ``END`` drops its last tokens, ``START`` its first ones, and both keep BOS and
        prompt. ``first_row`` is added to the row numbers in messages.
        """
        wanted = [Wanted(text, prefix, truncate) for text in texts]
        ids: list[IntArray] = []
        cut = 0
        unreadable: list[int] = []
        for index, read in enumerate(self.read(wanted, max_tokens=max_tokens)):
            if read.over and truncate == "NONE":
                row = first_row + index
                raise too_long(row, read.counted, max_tokens, at_least=read.counted_in_part)
            if read.unreadable:
                unreadable.append(index)
            cut += read.over
            ids.append(read.ids)
        return Encoded(ids, cut, unreadable)

    def read(self, wanted: Sequence[Wanted], *, max_tokens: int) -> list[Read]:
        """Each text as its caller wants it, all of them in one call of the library.

        A text over ``max_tokens`` that may not be cut is marked ``over`` and left as it is.
        """
        heads = [head_of(each.text, max_tokens, each.truncate) for each in wanted]
        pairs = list(zip(wanted, heads, strict=True))
        encodings = self._encode_batch([each.prefix + head for each, head in pairs])
        return [
            self._judged(each, head, np.asarray(encoding.ids, dtype=np.int64), max_tokens)
            for (each, head), encoding in zip(pairs, encodings, strict=True)
        ]

    def _judged(self, wanted: Wanted, head: str, tokens: IntArray, max_tokens: int) -> Read:
        prefix, truncate = wanted.prefix, wanted.truncate
        shortened = len(head) < len(wanted.text)
        # Before the cut: afterwards the tokens no longer belong to these characters.
        judge = self._readability
        unreadable = judge is not None and judge.is_unreadable(tokens, len(head), prefix)
        counted = len(tokens)
        over = counted > max_tokens or shortened
        if over and truncate != "NONE":
            kept = self._kept_prefix(prefix, head) if truncate == "START" else 0
            tokens = cut_tokens(tokens, max_tokens, truncate, kept)
        return Read(tokens, counted, over, shortened, unreadable)

    def _encode_batch(self, texts: list[str], *, special: bool = True) -> list[Any]:
        # Strings with lone surrogates cannot cross into the tokenizer; the replacement is the
        # Unicode one, as a decoder would have put it.
        clean = [text.encode("utf-8", "replace").decode() for text in texts]
        encodings: list[Any] = self._tokenizer.encode_batch_fast(clean, add_special_tokens=special)
        return encodings

    def _kept_prefix(self, prefix: str, head: str) -> int:
        """How many leading tokens are BOS or prompt.

        The prompt's last space belongs to the text's first piece, so a piece counts as prompt
        where it ends within the prompt's words.
        """
        words = len(prefix.rstrip())
        with_offsets = self._tokenizer.encode(prefix + head)
        kept = 0
        for (_, end), special in zip(
            with_offsets.offsets, with_offsets.special_tokens_mask, strict=True
        ):
            if not special and (end > words or words == 0):
                break
            kept += 1
        return kept
