"""A passage as a page shows it: the best piece of it, and which of its words the question holds.

What is shown is given in pieces, matching or not, never as markup: no text of a document is HTML.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from biencoder.reading.kinds import Kind, kind_of
from biencoder.text.snippet import matches, snippet

SNIPPET_CHARACTERS = 300

_MARKDOWN: frozenset[Kind | None] = frozenset({"markdown", "html", "docx", "pptx"})
# Marks of Markdown that say nothing in a snippet; what they surround stays.
_QUIET = (
    (re.compile(r"\{[*%][^{}\n]*[*%]\}"), ""),
    (re.compile(r"^\s*(?:/{3,}|`{3,}|~{3,}|-{3,}|\*{3,}).*$", re.MULTILINE), ""),
    (re.compile(r"^\s{0,3}#{1,6}\s+|^\s*>\s?", re.MULTILINE), ""),
    (re.compile(r"\{\s*#[\w-]+\s*\}"), ""),
    (re.compile(r"!?\[([^\]\n]*)\]\([^)\s]*(?:\s+\"[^\"\n]*\")?\)(?:\{[^}\n]*\})?"), r"\1"),
    (re.compile(r"(\*\*|__)(?=\S)([^\n]+?)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w*`])([*`])(?=[^\s*`])([^\n*`]*\w[^\n*`]*)(?<=\S)\1(?![\w*`])"), r"\2"),
)
# A passage's own heading stands above its snippet already.
_HEADING = re.compile(r"\A\s*#{1,6}\s[^\n]*\n(?=.*\w)", re.DOTALL)


def is_markdown(source: str) -> bool:
    """Whether a document's text was read as Markdown.

    >>> is_markdown("guide/start.md"), is_markdown("notes.txt")
    (True, False)
    """
    return kind_of(PurePosixPath(source)) in _MARKDOWN  # type: ignore[arg-type]


def plain(text: str) -> str:
    """Markdown without the marks that only shape it.

    >>> plain("## Lakes\\nAn **oxbow** lake, see [rivers](rivers.md).")
    'Lakes\\nAn oxbow lake, see rivers.'
    """
    for pattern, kept in _QUIET:
        text = pattern.sub(kept, text)
    return text


def shown(text: str, question: str, *, markdown: bool) -> list[dict[str, object]]:
    """The piece of a passage with the most words of the question, in parts.

    >>> shown("Bees dance.", "what do bees do?", markdown=False)
    [{'text': 'Bees', 'match': True}, {'text': ' dance.', 'match': False}]
    """
    readable = plain(_HEADING.sub("", text, count=1)) if markdown else text
    return parts(snippet(readable, question, characters=SNIPPET_CHARACTERS), question)


def parts(text: str, question: str) -> list[dict[str, object]]:
    """A text cut where matching begins and ends. A word also matches by its English endings."""
    found: list[dict[str, object]] = []
    done = 0
    for start, stop in matches(text, question):
        if start > done:
            found.append({"text": text[done:start], "match": False})
        found.append({"text": text[start:stop], "match": True})
        done = stop
    if done < len(text):
        found.append({"text": text[done:], "match": False})
    return found
