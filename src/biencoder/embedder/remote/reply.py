"""A server's answer, and what it says where it refuses: every server words that in its own shape."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Said:
    """A refusal's message on one line, its code and the field that it names; empty where not said."""

    message: str
    code: str = ""
    field: str = ""


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer. host: who gave it."""

    host: str
    status: int
    headers: Mapping[str, str]
    content: bytes

    def json(self) -> Any:
        """Its body; None where that is no JSON."""
        try:
            return orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return None

    def said(self) -> Said:
        """What a refusal says: OpenAI's ``error`` object, else ``error``, ``detail`` or ``message``."""
        body = self.json()
        if not isinstance(body, dict):
            return Said("")
        error = body.get("error")
        inner = error if isinstance(error, dict) else body
        texts = [inner.get("message"), error, body.get("detail"), body.get("title")]
        message = next((text for text in texts if isinstance(text, str) and text), "")
        return Said(_one_line(message), _word(inner.get("code")), _word(inner.get("param")))


def _one_line(text: str) -> str:
    visible = "".join(letter if letter.isprintable() else " " for letter in text)
    line = " ".join(visible.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"


def _word(value: object) -> str:
    return value if isinstance(value, str) else ""
