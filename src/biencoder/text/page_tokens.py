"""Token ids of a page image, alone or with its text: the picture's places between two marks.

The ids are put together in segments and never read from one string, so nothing that stands in a text
can become a picture's place: BOS and prompt, ``<img>``, the places, ``</img>``, a space and the text.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from biencoder.errors import CheckpointError, InputError, TooLongError
from biencoder.text.tokenizer import TextTokenizer
from biencoder.text.truncate import head_of
from biencoder.types import IntArray, Truncate

BEGIN, CONTEXT, END = "<img>", "<IMG_CONTEXT>", "</img>"
# `<image>` is how the reference writes a whole picture in a prompt; some tokenizer may know it.
IMAGE_TOKENS = (BEGIN, CONTEXT, END, "<image>")


@dataclass(frozen=True, slots=True)
class PageTokens:
    """Token ids of one document, and where in them the picture's places stand.

    counted: tokens before any cut, of a book those that were read; cut: some were lost. A document
    without a picture has ``image_tokens`` 0.
    """

    ids: IntArray
    image_start: int
    image_tokens: int
    counted: int
    cut: bool


@dataclass(frozen=True, slots=True)
class ImageMarks:
    """Ids of the tokens around a picture, and of its places."""

    begin: int
    context: int
    end: int


class PageTokenizer:
    """Puts the ids of documents with a picture together.

    text: reads plain text, image tokens written out included; queries and text documents are read by it
    too. prefix: the prompt of documents. tokens_per_tile: places that one tile takes.
    """

    def __init__(
        self, text: TextTokenizer, *, marks: ImageMarks, prefix: str, tokens_per_tile: int
    ) -> None:
        self.text = text
        self.prefix = prefix
        self.tokens_per_tile = tokens_per_tile
        self._marks = marks
        self._head = np.append(_opening(text, prefix), marks.begin)

    @classmethod
    def from_folder(
        cls, folder: Path, *, vocab_size: int, context_id: int, prefix: str, tokens_per_tile: int
    ) -> PageTokenizer:
        """Read ``tokenizer.json``; raises CheckpointError where its image tokens are not the model's.

        context_id: what config.json calls the id of a picture's places.
        """
        text = TextTokenizer.from_folder(folder, vocab_size=vocab_size, without=IMAGE_TOKENS)
        marks = _marks(folder / "tokenizer.json", vocab_size=vocab_size, context_id=context_id)
        return cls(text, marks=marks, prefix=prefix, tokens_per_tile=tokens_per_tile)

    def image(self, tiles: int, *, limit: int) -> PageTokens:
        """A picture of so many tiles, alone. Raises TooLongError over ``limit`` tokens."""
        return self.image_text(tiles, "", limit=limit, truncate="NONE")

    def image_text(self, tiles: int, text: str, *, limit: int, truncate: Truncate) -> PageTokens:
        """A picture and a text; with ``END`` the text's end is cut, never the picture.

        Raises TooLongError where the whole, or with ``END`` the picture alone, has more than ``limit``
        tokens, and InputError for ``START``: the beginning is the picture.
        """
        check_truncate(truncate)
        places = tiles * self.tokens_per_tile
        frame = len(self._head) + places + 1
        room = limit - frame
        head = head_of(text, max(room, 1), truncate)
        # A picture alone ends in this space as well.
        words = self.text.pieces(" " + head)
        least = 0 if text else len(words)
        if room < least:
            raise _image_too_long(tiles, frame + least, limit)
        counted = frame + len(words)
        cut = len(words) > room or len(head) < len(text)
        if cut and truncate == "NONE":
            raise _text_too_long(counted, limit, at_least=len(head) < len(text))
        ids = np.concatenate(
            (self._head, np.full(places, self._marks.context), [self._marks.end], words[:room])
        )
        return PageTokens(ids, len(self._head), places, counted, cut)


def check_truncate(truncate: Truncate) -> None:
    """Raise InputError for ``START`` and a document with an image."""
    if truncate == "START":
        raise InputError(
            'truncate="START" would cut the image, which stands before its text',
            hint='use "END" (keep the beginning of the text) or "NONE"',
        )


def _opening(text: TextTokenizer, prefix: str) -> IntArray:
    """BOS and prompt, in front of which and behind which the tokenizer puts nothing else."""
    (read,) = text.encode([prefix], prefix="", max_tokens=1 << 20, truncate="NONE").ids
    plain = text.pieces(prefix)
    if len(plain) and not np.array_equal(read[len(read) - len(plain) :], plain):
        raise CheckpointError(
            "the tokenizer puts a token behind each text, so a picture's document has no known form",
            hint="fetch tokenizer.json again: the page model's adds the beginning only",
        )
    return read


def _marks(path: Path, *, vocab_size: int, context_id: int) -> ImageMarks:
    added = json.loads(path.read_text(encoding="utf-8")).get("added_tokens", [])
    ids: dict[str, int] = {token["content"]: token["id"] for token in added}
    found: dict[str, int] = {}
    for name in (BEGIN, CONTEXT, END):
        index = ids.get(name)
        if index is None or index >= vocab_size:
            where = "is missing" if index is None else f"is {index}, beyond the embedding table,"
            raise CheckpointError(
                f"the added token {name!r} {where} in {path.name}",
                hint="tokenizer.json and the weights do not belong together",
            )
        found[name] = index
    if found[CONTEXT] != context_id:
        raise CheckpointError(
            f"{CONTEXT!r} is {found[CONTEXT]} in {path.name}; config.json says "
            f"img_context_token_id={context_id}",
            hint="tokenizer.json and config.json do not belong together",
        )
    return ImageMarks(found[BEGIN], found[CONTEXT], found[END])


def _image_too_long(tiles: int, tokens: int, limit: int) -> TooLongError:
    told = f"an image of {tiles} tiles is {tokens:,} tokens with its prompt; the limit is {limit:,}"
    return TooLongError(
        told,
        hint="take fewer tiles (max_tiles=) or no thumbnail, or raise the limit (page_limits=); an image "
        "is never cut",
        told=told,
    )


def _text_too_long(tokens: int, limit: int, *, at_least: bool) -> TooLongError:
    how_many = f"at least {tokens:,}" if at_least else f"{tokens:,}"
    told = f"image and text have {how_many} tokens with their prompt; the limit is {limit:,}"
    return TooLongError(
        told, hint='shorten the text, or allow cutting its end with truncate="END"', told=told
    )
