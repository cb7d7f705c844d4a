"""Tokens that no text can spell: those that stand for a picture's rows must come from a picture.

A token cannot simply be taken out of ``tokenizer.json``: the library numbers added tokens anew as it
reads them, and the ones behind it would move. It keeps its number and gets a name that nobody knows.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Collection

from tokenizers import Tokenizer

from biencoder.errors import CheckpointError


def hide_tokens(
    tokenizer_json: str, names: Collection[str], *, vocab_size: int
) -> tuple[Tokenizer, frozenset[int]]:
    """The tokenizer, reading the text of these added tokens as plain text, and the hidden ids.

    Added tokens beyond the embedding table are hidden with them: they have no vector. Names that the
    tokenizer does not have are no error. Raises CheckpointError where a name could still be spelled.
    """
    raw = json.loads(tokenizer_json)
    hidden = [
        token
        for token in raw.get("added_tokens", [])
        if token["content"] in names or token["id"] >= vocab_size
    ]
    vocabulary = raw.get("model", {}).get("vocab")
    for token in hidden:
        name, token["content"] = token["content"], secrets.token_hex(32)
        # Some files list their added tokens in the vocabulary too, where they would keep the name.
        if isinstance(vocabulary, dict) and name in vocabulary:
            vocabulary[token["content"]] = vocabulary.pop(name)
    tokenizer = Tokenizer.from_str(json.dumps(raw, ensure_ascii=False))
    ids = frozenset(int(token["id"]) for token in hidden)
    _demand_same_numbers(tokenizer, raw)
    for name in names:
        if ids.intersection(tokenizer.encode(name, add_special_tokens=False).ids):
            raise CheckpointError(f"the tokenizer reads {name!r} in a text as a token of its own")
    return tokenizer, ids


def _demand_same_numbers(tokenizer: Tokenizer, raw: dict[str, object]) -> None:
    tokens = raw.get("added_tokens")
    assert isinstance(tokens, list)
    for token in tokens:
        if tokenizer.token_to_id(token["content"]) != token["id"]:
            raise CheckpointError(
                f"the added token {token['id']} of tokenizer.json is part of the vocabulary as well",
                hint="the tokens of a picture must be added tokens behind the vocabulary",
            )
