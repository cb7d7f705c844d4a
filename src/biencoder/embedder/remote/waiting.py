"""How long a server asks to be left alone: ``retry-after-ms``, else ``Retry-After``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime


def asked_wait(headers: Mapping[str, str]) -> float:
    """Seconds; 0 where nothing readable is said. A date is compared with the server's own clock.

    >>> asked_wait({"retry-after": "2"})
    2.0
    """
    try:
        return max(0.0, float(headers["retry-after-ms"]) / 1000)
    except (KeyError, ValueError):
        pass
    said = headers.get("retry-after", "")
    try:
        return max(0.0, float(said))
    except ValueError:
        return _until(said, headers.get("date", ""))


def _until(said: str, server_time: str) -> float:
    try:
        then = parsedate_to_datetime(said)
    except (TypeError, ValueError):
        return 0.0
    try:
        now = parsedate_to_datetime(server_time)
    except (TypeError, ValueError):
        now = datetime.now(UTC)
    try:
        return max(0.0, (then - now).total_seconds())
    except TypeError:  # a date without a time zone
        return 0.0
