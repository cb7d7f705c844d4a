"""What reading a file gives: its text with places, or the reason why there is none."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from biencoder.errors import BiencoderError
from biencoder.text.shorten import NAME_CHARACTERS, short_name

if TYPE_CHECKING:
    from PIL.Image import Image

# What programs write when nobody gave a title: placeholders, program names, file names and paths.
_NO_TITLE = re.compile(
    r"untitled\b.*"
    r"|microsoft (?:word|powerpoint|excel) -.*"
    r"|(?:document|presentation|slide|dokument|präsentation) ?\d*"
    r"|[a-z]:[\\/].*|/.*|file:.*|.*\\.*"
    r"|.*\.(?:pdf|docx?|pptx?|xlsx?|indd|qx[dp]|tex|dvi|txt|rtf|pub|od[tps]|pages|wpd|html?)",
    re.IGNORECASE,
)
# Blanks and line ends included: some programs write a whole document there.
_TITLE_READ = 10 * NAME_CHARACTERS


@dataclass(frozen=True, slots=True)
class PageText:
    """The text of one page; ``number`` counts from 1, and is None where a kind has no pages."""

    number: int | None
    text: str


@dataclass(frozen=True, slots=True)
class PageImage:
    """A page as it looks, and its text layer; ``number`` counts from 1, ``text`` may be "".

    rgb: 3 bytes a pixel, row by row from the top, ``width * height`` pixels.
    """

    number: int
    width: int
    height: int
    rgb: bytes
    text: str

    def image(self) -> Image:
        """The page as a PIL image of mode RGB."""
        from PIL.Image import frombytes

        return frombytes("RGB", (self.width, self.height), self.rgb)


@dataclass(frozen=True, slots=True)
class FileText:
    """A file that was read; ``notes`` say what of it was lost, ``remarks`` how all of it was read.

    ``title`` is "" where the file has none; ``markdown`` says that the text is Markdown.
    """

    title: str
    pages: tuple[PageText, ...]
    markdown: bool
    notes: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReadFailure:
    """Why a file, or a row of one, was not read: the end of a sentence that begins with its name."""

    reason: str

    @classmethod
    def from_error(cls, error: BiencoderError) -> ReadFailure:
        """What an error says and what to do about it, in one line."""
        return cls(f"{error.message}: {error.hint}" if error.hint else error.message)

    @classmethod
    def from_system(cls, error: OSError) -> ReadFailure:
        """Why the system does not give a file."""
        return cls(f"cannot be opened: {error.strerror or error}")


def sensible_title(title: str) -> str:
    """A title as one short line, or "" where it is a placeholder, a path or a file's name.

    >>> sensible_title(" On\\nTea "), sensible_title("Microsoft Word - tea.doc")
    ('On Tea', '')
    """
    line = short_name(" ".join(title[:_TITLE_READ].split()))
    return "" if _NO_TITLE.fullmatch(line) else line
