""".docx, .pptx and HTML into Markdown by markitdown, from bytes at hand; nothing is ever fetched.

markitdown's converters are called one by one: its front door first guesses what the bytes might be
and then tries others, so that a .docx could be unpacked as a plain zip file.
"""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

from biencoder.errors import InputError
from biencoder.reading.archive import check_archive
from biencoder.reading.decode import decode
from biencoder.reading.file_text import FileText, PageText, sensible_title
from biencoder.reading.kinds import Kind
from biencoder.reading.limits import Limits
from biencoder.text.headings import Headings

_DECLARED = re.compile(
    rb"""<(?:meta|\?xml)\b[^>]{0,512}?(?:charset|encoding)\s*=\s*["']?([\w.:-]+)""", re.I
)
# Where a page may say its encoding; HTML itself looks at 1,024 bytes only.
_HEAD_BYTES = 4096
_SLIDE = re.compile(r"^<!-- Slide number: (\d+) -->\n?", re.MULTILINE)
# What markitdown leaves of a picture inside the file: its alternative text is all that says anything.
_INLINE_PICTURE = re.compile(r'!\[([^\]]*)\]\(data:[^\s)]*\.\.\.(?: "[^"\n]*")?\)')


def read_html(data: bytes, limits: Limits) -> FileText:
    """A web page: scripts and styles left out, title from its head."""
    declared = _DECLARED.search(data[:_HEAD_BYTES])
    text, note = decode(data, declared[1].decode("ascii") if declared else None)
    from markitdown.converters import HtmlConverter

    markdown, title, remarks = _converted(HtmlConverter(), text.encode("utf-8"), ".html")
    remarks = (*((note,) if note else ()), *remarks)
    return _file_text(title, (PageText(None, markdown),), remarks, limits)


def read_docx(data: bytes, limits: Limits) -> FileText:
    """A Word document; it has no pages until it is printed."""
    check_archive(data, ".docx", limits)
    from markitdown.converters import DocxConverter

    markdown, title, remarks = _converted(DocxConverter(), data, ".docx")
    return _file_text(title, (PageText(None, markdown),), remarks, limits)


def read_pptx(data: bytes, limits: Limits) -> FileText:
    """A presentation; its slides are pages."""
    check_archive(data, ".pptx", limits)
    from markitdown.converters import PptxConverter

    markdown, title, remarks = _converted(PptxConverter(), data, ".pptx")
    return _file_text(title, _slides(markdown), remarks, limits)


OFFICE_READERS: dict[Kind, Callable[[bytes, Limits], FileText]] = {
    "html": read_html,
    "docx": read_docx,
    "pptx": read_pptx,
}


def _converted(converter: Any, data: bytes, suffix: str) -> tuple[str, str, tuple[str, ...]]:
    """Markdown, title, remarks."""
    from markitdown import StreamInfo

    remarks: tuple[str, ...] = ()
    info = StreamInfo(extension=suffix, charset="utf-8")
    with warnings.catch_warnings():
        # Remarks about markup that is not quite as it should be; the text comes all the same.
        warnings.simplefilter("ignore")
        try:
            result = converter.convert(io.BytesIO(data), info, strict=True)
        except RecursionError:
            remarks = ("nested too deeply for Markdown; read as plain text",)
            result = converter.convert(io.BytesIO(data), info)
    markdown = _INLINE_PICTURE.sub(r"\1", result.markdown)
    return markdown, sensible_title(result.title or ""), remarks


def _slides(markdown: str) -> tuple[PageText, ...]:
    """Text between markitdown's slide comments; one out of turn is somebody's text, not a comment."""
    starts: list[re.Match[str]] = []
    for comment in _SLIDE.finditer(markdown):
        if int(comment[1]) == len(starts) + 1:
            starts.append(comment)
    ends = [*(comment.start() for comment in starts[1:]), len(markdown)]
    return tuple(
        PageText(number, markdown[comment.end() : end].strip())
        for number, (comment, end) in enumerate(zip(starts, ends, strict=True), start=1)
    )


def _file_text(
    title: str, pages: tuple[PageText, ...], remarks: tuple[str, ...], limits: Limits
) -> FileText:
    characters = sum(len(page.text) for page in pages)
    if characters > limits.max_characters:
        raise InputError(
            f"holds {characters:,} characters; at most {limits.max_characters:,} are read"
        )
    if not any(page.text.strip() for page in pages):
        raise InputError("holds no text")
    if not title:
        titles = (sensible_title(Headings(page.text).title) for page in pages)
        title = next(filter(None, titles), "")
    return FileText(title, pages, markdown=True, remarks=remarks)
