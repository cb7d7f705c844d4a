"""How much one file may cost, so that none of them harms the job."""

from __future__ import annotations

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds of the clock.

    ``memory_bytes`` bounds a worker's whole address space, some 500 MiB of which are its libraries;
    the system holds to it on Linux only. The zip limits bound what .docx and .pptx files unpack to;
    the ratio counts from ``zip_free_bytes`` on, since small files of XML pack very well. A PDF page
    is drawn with at most ``page_pixels``, smaller if need be.
    """

    max_bytes: int = 512 * MEBIBYTE
    max_pages: int = 5_000
    max_characters: int = 50_000_000
    page_seconds: float = 20.0
    file_seconds: float = 300.0
    memory_bytes: int = 2048 * MEBIBYTE
    page_pixels: int = 4096 * 4096
    zip_members: int = 10_000
    zip_total_bytes: int = 1024 * MEBIBYTE
    zip_ratio: float = 100.0
    zip_free_bytes: int = 32 * MEBIBYTE
