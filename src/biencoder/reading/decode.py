"""Bytes into text: every byte accounted for, or a reason why there is no text.

Nothing is dropped or replaced: an encoding fits all bytes, or it is not the encoding.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

from biencoder.errors import InputError

# UTF-32 first: its little-endian mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Japanese of old mail: bytes that are all ASCII, and nonsense as ASCII.
_ESCAPED_JAPANESE = re.compile(rb"\x1b\$[@B]")
_CONTROL = bytes(set(range(32)) - set(b"\t\n\f\r\x1b\b")) + b"\x7f"
_MAX_CONTROL_SHARE = 0.05
# What files are written in, by the web's own list. Left out are the tables of old Macintosh and DOS
# machines, which charset-normalizer else takes for German and Russian text in Windows tables.
_ENCODINGS = (
    *(f"cp{number}" for number in (1252, 1250, 1251, 1253, 1254, 1255, 1256, 1257, 1258, 874)),
    *("iso8859_2", "iso8859_5", "iso8859_7", "iso8859_8", "koi8_r", "koi8_u"),
    *("cp932", "euc_jp", "gb18030", "big5", "cp949"),
)
# Enough to tell an encoding by; detection tries dozens of them on all that it is given.
_SAMPLE_BYTES = 64 * 1024


def decode(data: bytes, declared: str | None = None) -> tuple[str, str | None]:
    """The text, lines ending at \\n, and a note where the encoding was guessed.

    In this order: a byte-order mark, UTF-8, the encoding that the file itself declares, and what
    charset-normalizer makes of it. Raises InputError with the reason where it is no text.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _lines(_marked(data[len(mark) :], encoding)), None
    _refuse_binary(data)
    if _ESCAPED_JAPANESE.search(data):
        declared = declared or "iso2022_jp"
    else:
        text = _strictly(data, "utf-8")
        if text is not None:
            return _lines(text), None
    for encoding in _candidates(data, declared):
        text = _strictly(data, encoding)
        if text is not None:
            return _lines(text), f"decoded as {_name(encoding)}"
    raise InputError(
        "is text in no encoding that could be detected",
        hint="convert it to UTF-8, for example with iconv",
    )


def _marked(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise InputError(
            f"begins as {encoding} text, and is not: {error.reason} at byte {error.start}"
        ) from error


def _refuse_binary(data: bytes) -> None:
    if b"\0" in data:
        raise InputError("is not text: it holds NUL bytes")
    controls = len(data) - len(data.translate(None, _CONTROL))
    if controls > _MAX_CONTROL_SHARE * len(data):
        raise InputError(f"is not text: {controls} of {len(data)} bytes are control characters")


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _candidates(data: bytes, declared: str | None) -> Iterator[str]:
    if declared:
        yield declared
    from charset_normalizer import from_bytes

    found = from_bytes(_sample(data), cp_isolation=list(_ENCODINGS))
    # Between tables that fit equally well, the one that is by far the commonest.
    best = sorted(found, key=lambda it: (it.chaos, -it.coherence, it.encoding != "cp1252"))
    yield from (match.encoding for match in best)


def _sample(data: bytes) -> bytes:
    """Whole lines from the first byte on that is not ASCII, since ASCII says nothing."""
    first = re.search(rb"[\x80-\xff\x1b]", data)
    start = data.rfind(b"\n", 0, first.start() if first else 0) + 1
    if len(data) - start <= _SAMPLE_BYTES:
        return data[start:]
    end = data.rfind(b"\n", start, start + _SAMPLE_BYTES)
    return data[start : end if end > start else start + _SAMPLE_BYTES]


def _name(encoding: str) -> str:
    return encoding.replace("cp125", "windows-125").replace("_", "-")


def _lines(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")
