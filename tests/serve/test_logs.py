"""Lines of the log: one an event, for people or machines, never with what an exception says."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from biencoder.serve.logs import Lines, configure


def a_record(**extra: Any) -> logging.LogRecord:
    record = logging.LogRecord("biencoder.serve", logging.INFO, "", 1, "request", None, None)
    vars(record).update(extra)
    record.created = 1_700_000_000.25
    return record


def a_fault(message: str = "fault") -> logging.LogRecord:
    try:
        try:
            raise ValueError("a secret text")
        except ValueError as error:
            raise KeyError("another\nsecret text") from error
    except KeyError:
        caught: Any = sys.exc_info()
    return logging.LogRecord("biencoder.serve", logging.ERROR, "", 1, message, None, caught)


def test_a_line_for_machines_is_one_json_object() -> None:
    line = Lines("json").format(a_record(status=200, route="/v1/models", milliseconds=1.5))
    assert "\n" not in line
    assert json.loads(line) == {
        "time": "2023-11-14T22:13:20.250Z",
        "level": "info",
        "message": "request",
        "status": 200,
        "route": "/v1/models",
        "milliseconds": 1.5,
    }


def test_a_line_for_people_is_one_line() -> None:
    line = Lines("text").format(a_record(status=200, route="/v1/models"))
    assert line == "22:13:20.250 info    request route=/v1/models status=200"


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_is_its_kind_and_its_places_not_its_message(form: Any) -> None:
    line = Lines(form).format(a_fault())
    assert "secret" not in line
    assert "\n" not in line
    assert "KeyError from ValueError" in line
    assert "serve/test_logs.py:" in line


def test_at_level_debug_the_message_is_told() -> None:
    assert "another" in Lines("text", messages=True).format(a_fault())


@pytest.fixture
def _loggers_as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in ("biencoder.serve", "uvicorn.error")]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


@pytest.mark.usefixtures("_loggers_as_before")
def test_records_of_the_service_and_warnings_of_its_server_go_to_stderr(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure("info", "text")
    logging.getLogger("biencoder.serve").info("seen")
    logging.getLogger("biencoder.serve").debug("hidden")
    logging.getLogger("uvicorn.error").info("hidden")
    logging.getLogger("uvicorn.error").warning("seen too")
    out, err = capsys.readouterr()
    assert out == ""
    assert [line.split(maxsplit=2)[2] for line in err.splitlines()] == ["seen", "seen too"]
