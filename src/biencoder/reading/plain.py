"""Plain text and Markdown: decoded in the calling process, since Python's own codecs are safe."""

from __future__ import annotations

import codecs
from pathlib import Path

from biencoder.errors import InputError
from biencoder.reading.decode import decode
from biencoder.reading.file_text import FileText, PageText, ReadFailure, sensible_title
from biencoder.reading.kinds import Kind
from biencoder.reading.limits import Limits
from biencoder.text.headings import Headings

# No encoding takes more for a letter, and only this one more for a line end (two of its characters).
_CHARACTER_BYTES = 4
_WIDE = (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)


def read_plain(path: Path, kind: Kind, limits: Limits) -> FileText | ReadFailure:
    """A whole file as one text, or the reason why not."""
    most = limits.max_characters
    try:
        data = _read(path, most)
        if data is None:
            return ReadFailure(f"holds more than {most:,} characters; at most that many are read")
        text, note = decode(data)
    except OSError as error:
        return ReadFailure.from_system(error)
    except InputError as error:
        return ReadFailure.from_error(error)
    if len(text) > most:
        return ReadFailure(f"holds {len(text):,} characters; at most {most:,} are read")
    if not text.strip():
        return ReadFailure("holds no text")
    markdown = kind == "markdown"
    title = sensible_title(Headings(text).title) if markdown else ""
    return FileText(title, (PageText(None, text),), markdown, remarks=(note,) if note else ())


def _read(path: Path, characters: int) -> bytes | None:
    """The file's bytes, or None where they are more than so many characters can be."""
    with path.open("rb") as file:
        mark = file.read(4)
        most = _CHARACTER_BYTES * characters * (2 if mark in _WIDE else 1)
        rest = file.read(most + 1)
    return None if len(rest) > most else mark + rest
