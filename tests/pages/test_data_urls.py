"""Data URLs: three kinds of image in strict base64, and nothing else."""

from __future__ import annotations

import base64

import pytest

from biencoder.errors import ImageError
from biencoder.pages.pictures import data_url_bytes, open_picture


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("data:image/gif;base64,AAAA", "does not begin as that of an image does"),
        ("data:image/svg+xml;base64,AAAA", "does not begin"),
        ("data:image/png,AAAA", "does not begin"),
        ("data:text/plain;base64,AAAA", "does not begin"),
        ("data:;base64,AAAA", "does not begin"),
        ("data:image/png;base64,AAA", "not sound base64"),
        ("data:image/png;base64,AA\nAA", "not sound base64"),
        ("data:image/png;base64,AA AA", "not sound base64"),
        ("data:image/png;base64,AA-_", "not sound base64"),
        ("data:image/png;base64,AAA=AAAA", "not sound base64"),
        ("data:image/png;base64,ÄÄÄÄ", "not sound base64"),
        ("data:image/png;base64," + "AAAA" * 100, "larger than the 100 bytes"),
        ("data:image/png;base64," + base64.b64encode(bytes(101)).decode(), "larger than the 100"),
    ],
)
def test_a_data_url_is_read_strictly(url: str, reason: str) -> None:
    with pytest.raises(ImageError, match=reason):
        data_url_bytes(url, max_bytes=100)


def test_a_sound_data_url_gives_its_bytes_in_any_letter_case() -> None:
    data = bytes(range(100))
    coded = base64.b64encode(data).decode()
    for head in ("data:image/png;base64,", "DATA:Image/JPEG;Base64,", "data:image/webp;base64,"):
        assert data_url_bytes(head + coded, max_bytes=100) == data


def test_an_empty_data_url_is_an_empty_image() -> None:
    with pytest.raises(ImageError, match="the image is empty"):
        open_picture("data:image/png;base64,")
