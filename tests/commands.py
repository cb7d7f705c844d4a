"""Run a verb as a person would: through `main`, with its streams and its exit code."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from collections.abc import Iterator

from biencoder.cli.app import main


def run(*arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``biencoder ARGUMENTS``."""
    out, err = io.StringIO(), io.StringIO()
    with _arguments(arguments), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else 0 if stop.code is None else 1
    return code, out.getvalue(), err.getvalue()


def succeeds(*arguments: object) -> str:
    """All output of a verb that must succeed."""
    code, out, err = run(*arguments)
    assert code == 0, err
    return out + err


def fails(pattern: str, *arguments: object) -> str:
    """The message of a verb that must fail with one clear message and no traceback."""
    code, _, err = run(*arguments)
    assert code != 0
    assert "Traceback" not in err
    assert re.search(pattern, err), err
    return err


@contextlib.contextmanager
def _arguments(arguments: tuple[object, ...]) -> Iterator[None]:
    before = sys.argv
    sys.argv = ["biencoder", *map(str, arguments)]
    try:
        yield
    finally:
        sys.argv = before
