"""Decoding: every byte of a text comes back, in whatever encoding; what is no text is refused."""

from __future__ import annotations

import pytest

from biencoder.errors import InputError
from biencoder.reading.decode import decode

GERMAN = "Die Größe der Häuser überrascht Mädchen.\n"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_unicode_is_read_without_a_guess(encoding: str) -> None:
    assert decode(("Größe \U0001f375 茶\n" * 3).encode(encoding)) == (
        "Größe \U0001f375 茶\n" * 3,
        None,
    )


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_tells_either_order(encoding: str) -> None:
    assert decode(("\ufeff" + GERMAN).encode(encoding)) == (GERMAN, None)


@pytest.mark.parametrize("times", [1, 200, 20_000])
@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        (GERMAN, "cp1252"),
        ("He said \u201chello\u201d \u2013 it\u2019s tea\n", "cp1252"),
        ("Привет, мир. Это простой текст о чае и кофе.\n", "cp1251"),
        ("Привет, мир. Это простой текст о чае и кофе.\n", "koi8-r"),
        ("これは日本語の文章です。お茶が好きです。\n", "cp932"),
        ("これは日本語の文章です。お茶が好きです。\n", "iso2022_jp"),
        ("中文文本，绿茶很好喝，今天天气不错。\n", "gb18030"),
        ("Güneşli bir günde çay içmek çok güzeldir, değil mi? Şimdi İstanbul'dayız.\n", "cp1254"),
        ("Zażółć gęślą jaźń, dzień dobry państwu.\n", "cp1250"),
    ],
)
def test_older_encodings_are_detected_and_noted(text: str, encoding: str, times: int) -> None:
    decoded, note = decode((text * times).encode(encoding))
    assert decoded == text * times
    assert note is not None
    assert note.startswith("decoded as ")


def test_a_late_foreign_letter_in_a_long_text_of_ascii_is_kept() -> None:
    text = "plain words\n" * 20_000 + GERMAN
    assert decode(text.encode("cp1252"))[0] == text


def test_an_encoding_that_a_file_declares_goes_before_a_guess() -> None:
    text = "Žluťoučký kůň\n"
    assert decode(text.encode("iso8859_2"), "iso-8859-2") == (text, "decoded as iso-8859-2")
    assert decode(text.encode("utf-8"), "iso-8859-2") == (text, None)
    assert decode(GERMAN.encode("cp1252"), "no-such-code")[0] == GERMAN


def test_lines_end_in_one_way() -> None:
    assert decode(b"a\r\nb\rc\n")[0] == "a\nb\nc\n"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"PK\x03\x04\x00\x00", "NUL"),
        ("UTF-16 without a mark".encode("utf-16-le"), "NUL"),
        (bytes(range(1, 32)) * 4, "control characters"),
        (b"\xff\xfea", "begins as utf-16-le text, and is not"),
        (b"\xef\xbb\xbf\xff", "begins as utf-8 text, and is not"),
    ],
)
def test_what_is_no_text_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        decode(data)
