"""Logs: one line an event, as text for people or JSON for machines.

No text of a request, no key and no exception's message is ever written, for a message may quote a
text: an exception is its kind and the places it passed through. At level ``debug`` messages too.
"""

from __future__ import annotations

import logging
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import orjson

from biencoder.serve.settings import LogFormat, LogLevel

NAME = "biencoder.serve"
# What a record may carry beside its message.
_KEYS = ("request_id", "method", "route", "status", "milliseconds", "bytes", "code")


def configure(level: LogLevel, form: LogFormat) -> Callable[[str], None]:
    """Send this service's records, and the warnings of its server, to stderr.

    Returns how to tell a person something: a plain line, or a record where machines read.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines(form, messages=level == "debug"))
    for name, at in ((NAME, level), ("uvicorn.error", "debug" if level == "debug" else "warning")):
        logger = logging.getLogger(name)
        logger.handlers = [handler]
        logger.setLevel(at.upper())
        logger.propagate = False
    return logging.getLogger(NAME).info if form == "json" else _say


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


class Lines(logging.Formatter):
    """A record as one line. messages: show those of exceptions too."""

    def __init__(self, form: LogFormat, *, messages: bool = False) -> None:
        super().__init__()
        self.as_json = form == "json"
        self.messages = messages

    def format(self, record: logging.LogRecord) -> str:
        """One line without a newline in it."""
        event: dict[str, Any] = {
            "time": _moment(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
        }
        event |= {key: getattr(record, key) for key in _KEYS if hasattr(record, key)}
        if record.exc_info and record.exc_info[1] is not None:
            event |= _fault(record.exc_info[1], messages=self.messages)
        if self.as_json:
            return orjson.dumps(event, default=str).decode()
        rest = " ".join(f"{key}={value}" for key, value in event.items() if key in _AFTER)
        line = f"{event['time'][11:23]} {event['level']:7} {event['message']} {rest}"
        return " ".join(line.splitlines()).rstrip()


_AFTER = {*_KEYS, "error", "said", "at"}


def _fault(error: BaseException, *, messages: bool) -> dict[str, Any]:
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{_module(frame.filename)}:{frame.lineno}" for frame in frames[-8:]]
    fault: dict[str, Any] = {"error": type(error).__name__, "at": places}
    if error.__cause__ is not None:
        fault["error"] += f" from {type(error.__cause__).__name__}"
    return fault | ({"said": str(error)} if messages else {})


def _module(path: str) -> str:
    """The last two parts of a file's path."""
    return "/".join(path.replace("\\", "/").split("/")[-2:])


def _moment(seconds: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03d}Z"
