"""How the passages for a server's model are measured: by a tokenizer that somebody names, or by bytes."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from biencoder.embedder.fingerprint import digest, hash_file
from biencoder.embedder.hub import locate
from biencoder.embedder.profile import Profile
from biencoder.text.counting import BYTES_PER_TOKEN, ByteRule, TokenCounter
from biencoder.text.tokenizer import TextTokenizer


@dataclass(frozen=True, slots=True)
class Measure:
    """How passages are measured. max_tokens: the longest that the model surely reads, so measured.

    described: what an index remembers of it, so that passages cut otherwise never get among its own.
    """

    counter: TokenCounter
    max_tokens: int
    described: str
    tokenizer: str = ""


def measure_by(tokenizer: str | Path | None, profile: Profile) -> Measure:
    """The tokenizer that somebody names, else the rule of bytes, at which every passage surely fits."""
    if tokenizer is None:
        limit = profile.max_tokens // BYTES_PER_TOKEN
        return Measure(ByteRule(), limit, f"{BYTES_PER_TOKEN} bytes a token")
    folder = Path(tokenizer).expanduser()
    if not (folder / "tokenizer.json").exists():
        folder = locate(tokenizer, weights=False).folder
    known = profile.member.config if profile.member else None
    own = TextTokenizer.from_folder(folder, vocab_size=known.vocab_size if known else sys.maxsize)
    named = str(folder.resolve()) if Path(tokenizer).expanduser().is_dir() else str(tokenizer)
    described = f"tokenizer {digest({'tokenizer': hash_file(folder / 'tokenizer.json')})}"
    return Measure(own, profile.max_tokens, described, named)
