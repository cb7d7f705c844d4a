"""The options of verbs that index pages by their looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias, cast

import typer

if TYPE_CHECKING:
    from biencoder.embedder.pages.page import Modality as ModalityName
    from biencoder.index.page_settings import PageOptions

Modality: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--modality",
        help="Of a new index: what of PDFs and images is read: text, image or image_text (the image, and "
        "its text where it has one). Without this: image_text for a page model, else text.",
    ),
]
MaxTiles: TypeAlias = Annotated[
    int | None, typer.Option("--max-tiles", help="Of a page model: the most tiles of an image.")
]
Thumbnail: TypeAlias = Annotated[
    bool | None,
    typer.Option(
        "--thumbnail/--no-thumbnail", help="Of a page model: the whole page as one more tile."
    ),
]
Dpi: TypeAlias = Annotated[
    int | None, typer.Option("--dpi", help="At which pages of PDFs are drawn; 150 without this.")
]


def page_options(
    modality: str | None, max_tiles: int | None, thumbnail: bool | None, dpi: int | None
) -> PageOptions:
    """What was said about pages; raises InputError for a modality that is none."""
    from biencoder.index.page_settings import PageOptions

    # Checked where it is taken.
    chosen = cast("ModalityName | None", modality)
    return PageOptions(modality=chosen, max_tiles=max_tiles, thumbnail=thumbnail, dpi=dpi)
