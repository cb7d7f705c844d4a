"""Plain text and Markdown: decoded in the calling process, since Python's own codecs are safe."""

from __future__ import annotations

from pathlib import Path

from biencoder.errors import InputError
from biencoder.reading.decode import decode
from biencoder.reading.file_text import FileText, PageText, ReadFailure, sensible_title
from biencoder.reading.kinds import Kind
from biencoder.reading.limits import Limits
from biencoder.text.headings import Headings


def read_plain(path: Path, kind: Kind, limits: Limits) -> FileText | ReadFailure:
    """A whole file as one text, or the reason why not."""
    try:
        text, note = decode(path.read_bytes())
    except OSError as error:
        return ReadFailure.from_system(error)
    except InputError as error:
        return ReadFailure.from_error(error)
    if len(text) > limits.max_characters:
        return ReadFailure(
            f"holds {len(text):,} characters; at most {limits.max_characters:,} are read"
        )
    if not text.strip():
        return ReadFailure("holds no text")
    markdown = kind == "markdown"
    title = sensible_title(Headings(text).title) if markdown else ""
    return FileText(title, (PageText(None, text),), markdown, remarks=(note,) if note else ())
