"""One line of a diagnosis: what was looked at, how it stands, the value, and the reason."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from biencoder.errors import BiencoderError

State: TypeAlias = Literal["ok", "warning", "failed"]
Datum: TypeAlias = str | int | float | bool | list[int] | list[float] | list[str] | None

_STATE_WIDTH = len("warning")
_NAME_WIDTH = 19


@dataclass(frozen=True, slots=True)
class Finding:
    """``value`` and ``reason`` are sentences for people; ``data`` holds the same as plain values."""

    name: str
    state: State
    value: str
    reason: str = ""
    data: Mapping[str, Datum] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The finding as a JSON object."""
        return {
            "check": self.name,
            "state": self.state,
            "value": self.value,
            "reason": self.reason,
            "data": dict(self.data),
        }

    def as_lines(self, width: int) -> str:
        """Aligned text, wrapped at ``width`` characters.

        >>> print(Finding("dialect", "ok", "D1", "remote-code style").as_lines(80))
        ok       dialect             D1 – remote-code style
        """
        head = f"{self.state:<{_STATE_WIDTH}}  {self.name:<{_NAME_WIDTH}} "
        # A value that is a sentence needs no dash before the next one.
        between = " " if self.value.endswith(".") else " – "
        text = self.value + between + self.reason if self.reason else self.value
        paragraphs = [
            textwrap.wrap(part, max(width - len(head), 30), break_long_words=False) or [""]
            for part in text.splitlines()
        ]
        lines = [line for paragraph in paragraphs for line in paragraph]
        return head + ("\n" + " " * len(head)).join(lines)


def attempt(name: str, probe: Callable[[], Finding]) -> Finding:
    """The probe's finding; an error of this library becomes a failed finding with its message."""
    try:
        return probe()
    except BiencoderError as error:
        return Finding(name, "failed", type(error).__name__, str(error))


def has_failed(findings: Iterable[Finding]) -> bool:
    """Whether one of them failed."""
    return any(finding.state == "failed" for finding in findings)
