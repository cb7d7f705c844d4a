"""Pages that benchmarks encode: drawn by a fixed seed, printed lines on white, any size."""

from __future__ import annotations

import random
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from biencoder.embedder.pages.page import Page
from workloads import sized_texts

# US Letter at 150 dots an inch: six tiles and the thumbnail.
LETTER = (1275, 1650)
# By the number of tiles, thumbnail included, at the card's setting.
SIZES = {1: (500, 500), 3: (1280, 680), 5: (1024, 1024), 7: LETTER}
_LINE = 30
_MARGIN = 60


def drawn_page(width: int, height: int, seed: int = 0) -> Image.Image:
    """A page of printed words, black on white."""
    source = random.Random(seed)
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=20)
    for top in range(_MARGIN, height - _MARGIN, _LINE):
        words = ("".join(source.choices("abcdefghij", k=source.randint(2, 9))) for _ in range(30))
        draw.text((_MARGIN, top), " ".join(words), fill="black", font=font)
    draw.rectangle((width - _MARGIN, 0, width, height), fill="white")
    return image


def equal_pages(count: int) -> list[Page]:
    """Letter pages alone: every one of them seven tiles and 1,798 tokens."""
    return [Page(drawn_page(*LETTER, seed=seed)) for seed in range(count)]


def mixed_pages() -> list[Page]:
    """What one call of an application holds: images of 1 to 7 tiles, with and without text, and texts."""
    words = [sized_texts(1, length, length)[0] for length in (100, 300, 600, 900)]
    images = {tiles: drawn_page(*size, seed=tiles) for tiles, size in SIZES.items()}
    return [
        Page(images[7]),
        Page(None, words[0]),
        Page(images[1], words[1]),
        Page(images[3]),
        Page(None, words[2]),
        Page(images[5], words[0]),
        Page(images[1]),
        Page(None, words[3]),
    ]


def write_png(folder: Path) -> Path:
    """A Letter page as a file, for commands."""
    path = folder / "page.png"
    drawn_page(*LETTER).save(path)
    return path
