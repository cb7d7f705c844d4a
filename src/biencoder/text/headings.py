"""Where a place in a Markdown document stands: the headings above it, from the top.

Headings are those of CommonMark (`#` lines, and lines underlined with `=` or `-`), not what looks
like one inside a code block or a document's front matter.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

_ATX = re.compile(r" {0,3}(#{1,6})(?=[ \t]|$)")
_UNDERLINE = re.compile(r" {0,3}(=+|-+)[ \t]*$")
_FENCE = re.compile(r" {0,3}(`{3,}(?=[^`]*$)|~{3,})")
_INDENTED = re.compile(r" {0,3}\t| {4}")
# Lines that are no paragraph, so that a line of dashes below them underlines nothing.
_NO_PARAGRAPH = re.compile(r" {0,3}(?:[-+*][ \t]|\d{1,9}[.)][ \t]|[>|<]|(?:[-_*][ \t]*){3,}$)")
# YAML between two lines of dashes at the very top; its last line would pass for an underlined title.
_FRONT_MATTER = re.compile(
    r"---[ \t]*\n[\w-]+[ \t]*:.*?^(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.S | re.M
)
_ANCHOR = re.compile(r"[ \t]*\{:?[ \t]*[#.][^{}]*\}$")
_INLINE = re.compile(
    r"\\(?P<escaped>[!-/:-@\[-`{-~])"
    r"|(?P<ticks>`+)(?P<code>.+?)(?<!`)(?P=ticks)(?!`)"
    r"|!?\[(?P<label>[^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])"
    r"|(?P<mark>\*{1,3}|~~)(?=\S)(?P<strong>.+?)(?<=\S)(?P=mark)"
    r"|(?<!\w)(?P<line>_{1,3})(?=\S)(?P<slanted>.+?)(?<=\S)(?P=line)(?!\w)"
)
# No heading is longer; the patterns above take quadratic time on hostile ones.
_MAX_CHARACTERS = 500


class Headings:
    """The headings of one Markdown document, found in one pass; lines end at \\n."""

    def __init__(self, text: str) -> None:
        self.title = ""
        self._starts: list[int] = []
        self._paths: list[tuple[str, ...]] = []
        above: list[tuple[int, str]] = []
        for start, level, raw in _headings(text):
            name = _plain(raw)
            while above and above[-1][0] >= level:
                above.pop()
            above.append((level, name))
            if level == 1 and not self.title:
                self.title = name
            self._starts.append(start)
            self._paths.append(tuple(name for _, name in above if name))

    def at(self, offset: int) -> tuple[str, ...]:
        """The headings around a character, outermost first; a heading's own line is under it.

        >>> Headings("# Tea\\n## Green\\nhot").at(15)
        ('Tea', 'Green')
        """
        place = bisect_right(self._starts, offset) - 1
        return self._paths[place] if place >= 0 else ()


def _headings(text: str) -> Iterator[tuple[int, int, str]]:
    """Start, level and raw text of each heading, in order."""
    fence = ""
    paragraph: list[str] = []
    paragraph_start = 0
    front_matter = _FRONT_MATTER.match(text)
    start = front_matter.end() if front_matter else 0
    for line in text[start:].split("\n"):
        here, start = start, start + len(line) + 1
        if fence:
            mark = line.strip()
            if mark.startswith(fence) and not mark.strip(fence[0]) and not _INDENTED.match(line):
                fence = ""
            continue
        if paragraph and (underline := _UNDERLINE.match(line)):
            yield paragraph_start, 1 if underline[1][0] == "=" else 2, " ".join(paragraph)
            paragraph = []
        elif opening := _FENCE.match(line):
            fence, paragraph = opening[1], []
        elif heading := _ATX.match(line):
            paragraph = []
            yield here, len(heading[1]), _without_closing_marks(line[heading.end() :])
        elif not line.strip() or _NO_PARAGRAPH.match(line):
            paragraph = []
        elif paragraph or not _INDENTED.match(line):
            paragraph_start = paragraph_start if paragraph else here
            paragraph.append(line.strip())


def _without_closing_marks(heading: str) -> str:
    content = heading.strip()
    bare = content.rstrip("#")
    return bare.rstrip() if not bare or bare[-1] in " \t" else content


def _plain(heading: str) -> str:
    """The words of a heading: links and emphasis give their text, anchors go."""
    heading = _ANCHOR.sub("", heading[:_MAX_CHARACTERS])
    return " ".join(_INLINE.sub(_inner_text, heading).split())


def _inner_text(found: re.Match[str]) -> str:
    if found["code"] is not None:
        return found["code"]
    if found["escaped"] is not None:
        return found["escaped"]
    inner = found["label"] or found["strong"] or found["slanted"] or ""
    return _INLINE.sub(_inner_text, inner)
