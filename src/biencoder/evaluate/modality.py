"""What of a document is read: its words, its picture, or both."""

from __future__ import annotations

from typing import Any

from biencoder.embedder.encoder import Encoder
from biencoder.embedder.pages.page import MODALITIES, PAGE_MODEL, Modality, PageReading
from biencoder.errors import InputError


def check_modality(modality: str, embedder: Encoder) -> None:
    """Raise InputError for a word that is none, or one that the model does not read."""
    if modality not in MODALITIES:
        raise InputError(
            f"the modality {modality!r} is unknown", hint=f"known: {', '.join(MODALITIES)}"
        )
    if modality not in embedder.modalities:
        raise InputError(
            f"{embedder.profile.name} reads text only, not {modality}",
            hint=f"images are read by {PAGE_MODEL}; leave the modality out",
        )


def page_facts(pages: PageReading) -> dict[str, Any]:
    """What decides what a page model sees of a picture, for a result file."""
    return {"max_tiles": pages.max_tiles, "thumbnail": pages.thumbnail}


def page_limit(pages: PageReading, modality: Modality) -> int:
    """Most tokens of a document of this kind."""
    return int(getattr(pages.limits, modality))
