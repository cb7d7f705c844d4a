"""A stand-in tokenizer: one token per byte, with Llama's special tokens.

The published tokenizer belongs to the published checkpoint and cannot be made here. This one reads
every text, so that checkpoints with random weights can be run and timed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from itertools import count
from typing import Any

BEGIN, END = "<|begin_of_text|>", "<|end_of_text|>"


def byte_level_tokenizer(*, bos: int, eos: int, more: Mapping[str, int] | None = None) -> str:
    """``tokenizer.json`` with a piece a byte, which adds BOS and never EOS.

    ``more`` special tokens may be given with their ids. Bytes have the ids from 0 on without those of
    special tokens: with two pieces on one id, an ordinary letter would read as the beginning of a text.
    """
    special = {BEGIN: bos, END: eos, **(more or {})}
    taken = set(special.values())
    free = (index for index in count() if index not in taken)
    vocabulary = dict(zip(_byte_pieces(), free, strict=False)) | special
    tokenizer: dict[str, Any] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [_special(name, index) for name, index in special.items()],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        },
        "post_processor": {
            "type": "TemplateProcessing",
            "single": [
                {"SpecialToken": {"id": BEGIN, "type_id": 0}},
                {"Sequence": {"id": "A", "type_id": 0}},
            ],
            "pair": [
                {"Sequence": {"id": "A", "type_id": 0}},
                {"Sequence": {"id": "B", "type_id": 0}},
            ],
            "special_tokens": {BEGIN: {"id": BEGIN, "ids": [bos], "tokens": [BEGIN]}},
        },
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True},
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "vocab": vocabulary,
            "merges": [],
        },
    }
    return json.dumps(tokenizer, ensure_ascii=False)


def _special(content: str, index: int) -> dict[str, Any]:
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": index, "content": content, "special": True, **flags}


def _byte_pieces() -> list[str]:
    """The letters that byte-level vocabularies write for bytes 0 to 255 (GPT-2's table).

    Printable bytes stand for themselves, the others for letters from U+0100 on.
    """
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    pieces, shift = [], 0
    for byte in range(256):
        pieces.append(chr(byte if byte in printable else 256 + shift))
        shift += byte not in printable
    return pieces
