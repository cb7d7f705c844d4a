"""How an index reads its documents: as words, as pages or both, and by which settings of its model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from biencoder.config.page_model import PageLimits
from biencoder.embedder.encoder import Encoder
from biencoder.embedder.pages.page import MODALITIES, PAGE_MODEL, Modality
from biencoder.embedder.pages.settings import PageSettings
from biencoder.embedder.reach import Reach, open_encoder
from biencoder.errors import InputError
from biencoder.reading.pdf_pages import DPI, check_dpi

if TYPE_CHECKING:
    from biencoder.index.facts import Facts


@dataclass(frozen=True, kw_only=True, slots=True)
class PageOptions:
    """What a run may be told about pages. None: as the index has it, or the default for a new one.

    modality: what of a page is embedded; of a page model image and text unless told. dpi: pixels an inch
    at which pages of PDFs are drawn. The others are settings of the model, as in `Embedder.load`.
    """

    modality: Modality | None = None
    max_tiles: int | None = None
    thumbnail: bool | None = None
    limits: PageLimits | None = None
    dpi: int | None = None

    def __post_init__(self) -> None:
        if self.modality not in (None, *MODALITIES):
            raise InputError(
                f"the modality {self.modality!r} is unknown", hint=f"known: {', '.join(MODALITIES)}"
            )
        if self.dpi is not None:
            check_dpi(self.dpi)
            if self.modality == "text":
                raise InputError(
                    "dpi is for page images, and the modality is text", hint="leave it out"
                )

    @property
    def told(self) -> bool:
        """Whether anything was said."""
        return self != PageOptions()

    def settings(self, facts: Facts | None = None) -> PageSettings:
        """Of the model; what is not told is as the index has it, where its facts are given."""
        known = PageSettings() if facts is None else model_settings(facts)
        return PageSettings(
            max_tiles=known.max_tiles if self.max_tiles is None else self.max_tiles,
            thumbnail=known.thumbnail if self.thumbnail is None else self.thumbnail,
            limits=self.limits or known.limits,
        )


def page_facts(
    embedder: Encoder, options: PageOptions, before: Facts | None = None
) -> dict[str, Any]:
    """The facts of an index about pages, by their names in `Facts`.

    before: of an index that stays as it is where nothing is told. Raises InputError for images and a
    model that reads text only.
    """
    modality = options.modality
    if modality is None and before is not None and before.modality in embedder.modalities:
        modality = before.modality
    if modality is None:
        modality = "text" if embedder.pages is None else "image_text"
    if modality not in embedder.modalities:
        raise InputError(
            f"{embedder.profile.name} reads text only, and the modality {modality} wants images",
            hint=f"images need a page model: {PAGE_MODEL}",
        )
    dpi = 0
    if modality != "text":
        dpi = options.dpi or (before.dpi if before is not None else 0) or DPI
    elif options.dpi is not None:
        raise InputError("dpi is for page images, and the modality is text", hint="leave it out")
    return {"modality": modality, "dpi": dpi, **_of_model(embedder)}


def model_settings(facts: Facts) -> PageSettings:
    """With which the model of an index is loaded again; none for a text model."""
    if not facts.max_tiles:
        return PageSettings()
    limits = PageLimits(
        image=facts.image_tokens, image_text=facts.image_text_tokens, text=facts.text_tokens
    )
    return PageSettings(max_tiles=facts.max_tiles, thumbnail=facts.thumbnail, limits=limits)


def open_index_model(facts: Facts, reach: Reach | None = None) -> Encoder:
    """The model that made an index, with its settings; ``reach``: where it is to be had instead.

    A server's model has the server's own settings; the fingerprint tells whether they are the same.
    """
    reach = reach or facts.reach()
    same = reach.model == facts.model and not reach.server
    return open_encoder(reach, settings=model_settings(facts) if same else PageSettings())


def told_tiles(facts: Facts) -> str:
    """How an index's model cuts a page, in words."""
    if not facts.max_tiles:
        return "none"
    return f"up to {facts.max_tiles}{' and a thumbnail' if facts.thumbnail else ', no thumbnail'}"


def told_limits(facts: Facts) -> str:
    """The longest documents that an index's model reads, in words."""
    if not facts.max_tiles:
        return "as the model has them"
    return (
        f"{facts.image_tokens:,} tokens an image, {facts.image_text_tokens:,} image and text, "
        f"{facts.text_tokens:,} text"
    )


def seen_otherwise(facts: Facts, embedder: Encoder) -> str:
    """Which settings of a page model differ from the index's, as the end of a sentence; else nothing."""
    if embedder.pages is None or not facts.max_tiles:
        return ""
    asked = replace(facts, **_of_model(embedder))
    pairs = (
        (told_tiles(facts), told_tiles(asked)),
        (told_limits(facts), told_limits(asked)),
    )
    differing = [f"{there}, not {here}" for there, here in pairs if there != here]
    return f"; the index's tiles and limits: {'; '.join(differing)}" if differing else ""


def _of_model(embedder: Encoder) -> dict[str, Any]:
    if embedder.pages is None:
        names = ("max_tiles", "image_tokens", "image_text_tokens", "text_tokens")
        return {"thumbnail": False, **dict.fromkeys(names, 0)}
    limits = embedder.pages.limits
    return {
        "max_tiles": embedder.pages.max_tiles,
        "thumbnail": embedder.pages.thumbnail,
        "image_tokens": limits.image,
        "image_text_tokens": limits.image_text,
        "text_tokens": limits.text,
    }
