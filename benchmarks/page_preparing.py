"""What comes before the model, each step alone on one core: files decoded, PDF pages drawn, tiles cut."""

from __future__ import annotations

import io
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from PIL.Image import Image

from biencoder.embedder.pages.cutting import cut_tiles
from biencoder.pages.pictures import open_picture
from biencoder.reading.pdf_pages import pdf_pages
from harness import interleaved, median, seconds
from page_workloads import LETTER, drawn_page
from workloads import EXAMPLES

PDF = EXAMPLES / "documents" / "pdf" / "18f-technology-budgeting-handbook.pdf"
_PDF_PAGES = 10


def measure_preparing(rounds: int) -> dict[str, Any]:
    """Milliseconds a Letter page at 150 dots an inch. Pillow and the PDF worker take one core each."""
    page = drawn_page(*LETTER)
    files = {kind: file_bytes(page, kind) for kind in ("PNG", "JPEG", "WEBP")}
    taken = interleaved(
        {
            "tiles cut, 6 and a thumbnail": partial(
                cut_tiles, page, max_tiles=6, thumbnail=True, tile_size=512
            ),
            **{f"{kind} decoded": partial(open_picture, data) for kind, data in files.items()},
        },
        rounds=max(rounds, 7),
    )
    milliseconds: dict[str, Any] = {name: median(values) * 1e3 for name, values in taken.items()}
    first = median([seconds(partial(_drawn, PDF, 1)) for _ in range(rounds)])
    several = median([seconds(partial(_drawn, PDF, _PDF_PAGES)) for _ in range(rounds)])
    milliseconds["PDF page drawn, with its text"] = (several - first) / (_PDF_PAGES - 1) * 1e3
    milliseconds["PDF worker started and first page drawn"] = first * 1e3
    print(milliseconds, flush=True)
    return {
        "milliseconds": milliseconds,
        "bytes": {kind: len(data) for kind, data in files.items()},
    }


def png(image: object) -> bytes:
    """A drawn page as the bytes of a file."""
    assert isinstance(image, Image)
    return file_bytes(image, "PNG")


def file_bytes(image: Image, kind: str) -> bytes:
    """The image as a file of this kind."""
    file = io.BytesIO()
    image.save(file, kind)
    return file.getvalue()


def _drawn(path: Path, pages: int) -> None:
    drawn = list(islice(pdf_pages(path, notes=[]), pages))
    assert len(drawn) == pages, f"{path.name} has only {len(drawn)} pages"
