"""Documents into what a model reads: passages, each with its title and the headings above it.

A passage alone often does not say what it is about. What stands in front of it is part of what is
encoded, counts as tokens, and is not part of what is shown.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from biencoder.text.chunk import PASSAGE_TOKENS, Chunker, Passage
from biencoder.text.counting import TokenCounter
from biencoder.text.headings import Headings
from biencoder.text.shorten import CONTEXT_CHARACTERS, cut_at_word

# What may stand in front of a passage, beyond the passage's own length.
CONTEXT_TOKENS = 56
# Between a heading and the one below it.
BELOW = " > "


@dataclass(frozen=True, slots=True)
class PlacedPassage:
    """A passage in its document. start: its first character there. headings: from the top.

    embedded: what the model reads. tokens: of that, prompt and special tokens included.
    """

    text: str
    start: int
    headings: tuple[str, ...]
    embedded: str
    tokens: int


class PassageCutter:
    """Cuts documents into passages of at most ``tokens`` tokens, prompt included, without context.

    With its context a passage has at most ``tokens`` + 56 tokens, and never more than the model's
    ``max_tokens``: headings, then the title, are left out where they would not fit. Of each of them only
    the first ``CONTEXT_CHARACTERS`` are read.
    """

    def __init__(
        self,
        tokenizer: TokenCounter,
        *,
        prefix: str,
        max_tokens: int,
        tokens: int = PASSAGE_TOKENS,
    ) -> None:
        self._chunker = Chunker(tokenizer, prefix=prefix, max_tokens=max_tokens, tokens=tokens)
        self._tokenizer, self._prefix = tokenizer, prefix
        self.limit = min(max_tokens, self._chunker.limit + CONTEXT_TOKENS)

    def cut(
        self, text: str, *, title: str = "", markdown: bool, headings: tuple[str, ...] = ()
    ) -> Iterator[PlacedPassage]:
        """The passages of one document or page, in order; a blank one has none.

        headings: those above the text; Markdown's own follow them.
        """
        found = Headings(text) if markdown else None
        for passages in self._chunker.runs(text, markdown=markdown):
            yield from self._placed(passages, title, headings, found)

    def _placed(
        self,
        passages: Sequence[Passage],
        title: str,
        headings: tuple[str, ...],
        found: Headings | None,
    ) -> Iterator[PlacedPassage]:
        paths = [headings + (found.at(passage.start) if found else ()) for passage in passages]
        titled = [_joined(title, path, p.text) for path, p in zip(paths, passages, strict=True)]
        counts = self._tokenizer.counts(titled, self._prefix)
        for passage, path, embedded, count in zip(passages, paths, titled, counts, strict=True):
            if count > self.limit:
                embedded, count = self._shorter(title, path, passage)
            yield PlacedPassage(passage.text, passage.start, path, embedded, count)

    def _shorter(self, title: str, path: Sequence[str], passage: Passage) -> tuple[str, int]:
        """The passage with as much context as fits."""
        choices = [
            _joined(title, path[-1:], passage.text),
            _joined("", path[-1:], passage.text),
            _joined(title, (), passage.text),
            passage.text,
        ]
        counts = self._tokenizer.counts(choices, self._prefix)
        fitting = (pair for pair in zip(choices, counts, strict=True) if pair[1] <= self.limit)
        return next(fitting)


def _joined(title: str, path: Sequence[str], text: str) -> str:
    """Title, headings and text, each on a line; what the next already says is not said twice."""
    names = [title, *path] if title and title not in path else list(path)
    # A section's first passage begins with its own heading.
    if names and text.partition("\n")[0].strip("# ") == names[-1]:
        names = names[:-1]
    context = BELOW.join(cut_at_word(name, CONTEXT_CHARACTERS) for name in names if name)
    return f"{context}\n{text}" if context else text
