"""The key for a server: from a file or the environment, never from an argument, never shown."""

from __future__ import annotations

import os
from pathlib import Path

from biencoder.errors import InputError

KEY_VARIABLE = "BIENCODER_API_KEY"


def read_key(file: str | Path | None, *, named: bool = True) -> str:
    """The first line of the file that is not blank; without a file the environment's, or none.

    named: whoever asks named the server. One that a stranger's index names must not get the
    environment's key.

    Raises InputError where the file cannot be read or its line cannot be sent in a header.
    """
    if file is None:
        if not named:
            return ""
        return _sendable(os.environ.get(KEY_VARIABLE, "").strip(), KEY_VARIABLE)
    try:
        text = Path(file).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"the key file {file} cannot be read: {type(error).__name__}",
            hint="give a text file that holds the key in its first line",
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise InputError(f"the key file {file} is empty", hint="put the key into its first line")
    return _sendable(lines[0], str(file))


def _sendable(key: str, place: str) -> str:
    if not (key.isascii() and key.isprintable()) or " " in key:
        raise InputError(
            f"what {place} holds is no API key: it has spaces or other letters than ASCII's",
            hint="the key alone, in the first line",
        )
    return key
