"""A tiny page model served, and an index of pages that it made: a PDF, and a scan without text."""

from __future__ import annotations

import base64
import io
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from PIL import Image
from tests import tiny_pages
from tests.reading import made

from biencoder.embedder.embedder import Embedder
from biencoder.index.build import Options, index_folder

MODEL = "pages"
QUESTION = "why is the pump loud?"
WORDS = ("The pump is loud when its filter is full.", "Walruses sleep on ice.")
# Taller than wide, and wider than tall: grids of several rows and columns.
TALL, WIDE = (330, 420), (420, 330)


@cache
def checkpoint() -> Path:
    """A tiny random page checkpoint, written once. Read, never write."""
    return tiny_pages.write_checkpoint(Path(mkdtemp(prefix="page-model-")) / "tiny-pages")


@cache
def model() -> Embedder:
    """The tiny page model in float32."""
    return Embedder.load(checkpoint(), dtype="float32", device="cpu")


def write_sources(folder: Path) -> Path:
    """A PDF of two pages with text, and two scans without."""
    folder.mkdir(parents=True)
    (folder / "manual.pdf").write_bytes(made.pdf(list(WORDS), title="Pump manual"))
    for name, size, seed in (("tall.png", TALL, 1), ("wide.png", WIDE, 2)):
        tiny_pages.picture(*size, seed=seed).save(folder / name)
    return folder


def write_index(place: Path) -> Path:
    """The index of those sources, by image and text, which lie beside it."""
    options = Options(model=str(checkpoint()), workers=1)
    index_folder(write_sources(place / "sources"), place / "index", options, embedder=model())
    return place / "index"


def image(size: tuple[int, int] = TALL, seed: int = 1, form: str = "PNG") -> bytes:
    """A file's bytes."""
    file = io.BytesIO()
    tiny_pages.picture(*size, seed=seed).save(file, form)
    return file.getvalue()


def url(data: bytes, media: str = "image/png") -> str:
    """A data URL."""
    return f"data:{media};base64,{base64.b64encode(data).decode()}"


def decoded(data: bytes) -> Image.Image:
    """As Pillow sees it."""
    return Image.open(io.BytesIO(data))
