"""What made a generation's vectors and passages, and the refusal of anything else.

Stored in the ledger, with a copy beside it for the day when the ledger is lost. A vector of another
model, or of another cutting, is never compared with these.
"""

from __future__ import annotations

import json
import shlex
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from biencoder import __version__
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.encoder import Encoder
from biencoder.embedder.pages.page import Modality
from biencoder.embedder.reach import Reach
from biencoder.errors import BiencoderError, FingerprintError, IndexDamagedError
from biencoder.index.durable import write_durably
from biencoder.index.layout import Generation
from biencoder.index.ledger import Ledger
from biencoder.index.page_settings import seen_otherwise, told_limits, told_tiles
from biencoder.index.rights import check_readable, is_there, refused

FACT = "generation"
# Bump when cutting or what is embedded changes: old passages are then not mixed with new ones. Since 1
# only texts of more than 100,000 characters and names of more than 300 come out otherwise, and whole.
CUTTING_VERSION = 1
CHUNK_TOKENS = 200
_OWN = "the model's own tokenizer"


@dataclass(frozen=True, slots=True)
class Facts:
    """model: the name that it was loaded by. fingerprint: weights, tokenizer, configuration, prompts,
    pooling and length limit in one hash (`embedder/fingerprint.py`). dimensions: numbers of a vector.
    chunk_tokens: the longest passage, prompt included. candidates: how searching narrows down before
    it compares full vectors. root: the folder that was indexed. server: where the model was asked, with
    no key; empty for this machine. lengths: how passages were measured, empty for the model's own
    tokenizer; tokenizer: where that of a server's model was taken from.

    modality: what of a page is embedded; ``text`` for passages. dpi: at which pages of PDFs are drawn,
    0 where none are. max_tiles, thumbnail and the limits in tokens: settings of a page model, 0 for
    any other; the fingerprint holds them too.
    """

    model: str
    fingerprint: str
    dimensions: int
    chunk_tokens: int = CHUNK_TOKENS
    cutting_version: int = CUTTING_VERSION
    precision: str = "float32"
    candidates: str = "exact"
    root: str = ""
    purpose: str = "index"
    biencoder: str = __version__
    created: str = ""
    server: str = ""
    lengths: str = ""
    tokenizer: str = ""
    modality: Modality = "text"
    dpi: int = 0
    max_tiles: int = 0
    thumbnail: bool = False
    image_tokens: int = 0
    image_text_tokens: int = 0
    text_tokens: int = 0

    @property
    def cutting(self) -> str:
        """What decides where passages begin and end: part of every passage's id."""
        measured = f"/{self.lengths}" if self.lengths else ""
        return f"{self._made_by}{measured}{self._seen}"

    @property
    def page_cutting(self) -> str:
        """As `cutting`, of a page read by its looks: no tokenizer measures where it ends."""
        return f"{self._made_by}{self._seen}"

    @property
    def _made_by(self) -> str:
        return f"{self.fingerprint}/{self.chunk_tokens}/{self.cutting_version}"

    @property
    def _seen(self) -> str:
        return f"/{self.modality}/{self.dpi}" if self.reads_pages else ""

    @property
    def reads_pages(self) -> bool:
        """Whether pages of PDFs and image files are read by their looks."""
        return self.modality != "text"

    def reach(
        self,
        model: str | None = None,
        server: str | None = None,
        tokenizer: str | None = None,
        api_key_file: Path | None = None,
    ) -> Reach:
        """How to come to the model again, or to the one that is named.

        A model that is named without a server is one on this machine; a server without a model has the
        same one.
        """
        here = model is not None and server is None
        return Reach(
            model=model or self.model,
            server="" if here else server or self.server,
            tokenizer=tokenizer or ("" if here else self.tokenizer),
            api_key_file=api_key_file,
            named=server is not None,
        )


def facts_of(embedder: Encoder, name: str, **settings: Any) -> Facts:
    """The facts of a new generation made with this model."""
    size = settings.pop("dimensions", None) or embedder.dimensions[-1]
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    origin = embedder.origin
    return Facts(
        name,
        embedder.fingerprint(),
        size,
        created=now,
        server=origin.server,
        lengths=origin.lengths,
        tokenizer=origin.tokenizer,
        **settings,
    )


def write_facts(generation: Generation, facts: Facts) -> None:
    """Keep them beside the ledger, on the disk when this returns; `keep_facts` keeps them in it."""
    write_durably(_copy(generation), asdict(facts))


def keep_facts(generation: Generation, ledger: Ledger, facts: Facts) -> None:
    """Two copies, beside the ledger and in it, should one be damaged; a damaged one is made anew."""
    if ledger.fact(FACT) != asdict(facts):
        with ledger.transaction():
            ledger.set_fact(FACT, asdict(facts))
    try:
        whole = _read_copy(generation) == facts
    except (OSError, ValueError, TypeError):
        whole = False
    if not whole:
        write_facts(generation, facts)


def read_facts(generation: Generation) -> Facts:
    """The facts of a generation.

    Raises IndexDamagedError where neither copy can be read, of these RightsError where this user may
    not.
    """
    try:
        return _read_copy(generation)
    except (OSError, ValueError, TypeError) as error:
        known = _from_ledger(generation)
        if known is None:
            raise _unknown(generation, error) from error
        return Facts(**known)


def _unknown(generation: Generation, error: Exception) -> IndexDamagedError:
    copy = _copy(generation)
    if isinstance(error, PermissionError):
        return refused(copy)
    check_readable(copy, generation.ledger)
    lost = not isinstance(error, OSError) or isinstance(error, FileNotFoundError)
    return IndexDamagedError(
        f"{copy} cannot be read: {error}",
        hint="what made it is lost: remove the index's folder, and index the sources anew"
        if lost
        else "check the disk",
    )


def has_facts(generation: Generation) -> bool:
    """Whether a first run came far enough to say what it makes; raises RightsError."""
    return is_there(_copy(generation)) or is_there(generation.ledger)


def check_same(facts: Facts, wanted: Facts, folder: Path) -> None:
    """Raise FingerprintError where what is asked for differs from what made the index."""
    differing = [
        f"{name}: {there!r} in the index, {asked!r} asked for"
        for name, there, asked in (
            ("model", facts.model, wanted.model),
            ("weights, tokenizer or prompts", facts.fingerprint, wanted.fingerprint),
            ("dimensions", facts.dimensions, wanted.dimensions),
            ("chunk tokens", facts.chunk_tokens, wanted.chunk_tokens),
            ("cutting", facts.cutting_version, wanted.cutting_version),
            ("passages measured by", facts.lengths or _OWN, wanted.lengths or _OWN),
            ("modality", facts.modality, wanted.modality),
            ("dpi", facts.dpi, wanted.dpi),
            ("tiles of a page", told_tiles(facts), told_tiles(wanted)),
            ("longest documents", told_limits(facts), told_limits(wanted)),
        )
        if there != asked and not (name == "model" and facts.fingerprint == wanted.fingerprint)
    ]
    if differing:
        raise FingerprintError(
            f"{folder} was made differently: {'; '.join(differing)}",
            hint=f"{reindexing_as(facts, wanted, folder)} makes it anew beside the old one",
        )


def check_query_model(facts: Facts, embedder: Encoder, folder: Path) -> None:
    """Raise FingerprintError where a model did not make the index's vectors."""
    there = embedder.fingerprint()
    if there != facts.fingerprint:
        raise FingerprintError(
            f"{folder} was made with {facts.model} ({facts.fingerprint}); "
            f"{embedder.profile.name} ({there}) gives vectors that cannot be compared with it"
            f"{seen_otherwise(facts, embedder)}",
            hint=f"ask with {_options(facts)}, or change the index: "
            f"{reindexing(folder, loading_name(embedder))}",
        )


def reindexing(folder: Path, model: str, *more: str) -> str:
    """The command that makes an index anew with a model, as a shell takes it."""
    return shlex.join(["biencoder", "reindex", str(folder), "--model", model, *more])


def loading_name(embedder: Encoder) -> str:
    """By which a model is loaded again: its folder, where it has no name that everybody knows."""
    if isinstance(embedder, Embedder) and embedder.origin.published is None:
        return str(embedder.source.folder.resolve())
    return embedder.origin.name


def reindexing_as(facts: Facts, wanted: Facts, folder: Path) -> str:
    """The command that makes of an index with the one facts one with the others."""
    more = ["--server", wanted.server] if wanted.server else []
    # What is not said stays as it is for the same model, and is the largest size of another.
    if wanted.dimensions != facts.dimensions or wanted.model != facts.model:
        more += ["--dimensions", f"{wanted.dimensions}"]
    if wanted.chunk_tokens != facts.chunk_tokens:
        more += ["--chunk-tokens", f"{wanted.chunk_tokens}"]
    if wanted.modality != facts.modality:
        more += ["--modality", wanted.modality]
    if wanted.dpi not in (0, facts.dpi):
        more += ["--dpi", f"{wanted.dpi}"]
    if wanted.max_tiles not in (0, facts.max_tiles):
        more += ["--max-tiles", f"{wanted.max_tiles}"]
    if wanted.max_tiles and wanted.thumbnail != facts.thumbnail:
        more += ["--thumbnail" if wanted.thumbnail else "--no-thumbnail"]
    return reindexing(folder, wanted.model, *more)


def _options(facts: Facts) -> str:
    server = ["--server", facts.server] if facts.server else []
    return shlex.join(["--model", facts.model, *server])


def _from_ledger(generation: Generation) -> dict[str, Any] | None:
    try:
        ledger = Ledger(generation.ledger, read_only=True)
    except BiencoderError:
        return None
    try:
        known: dict[str, Any] | None = ledger.fact(FACT)
    finally:
        ledger.close()
    return known


def _read_copy(generation: Generation) -> Facts:
    return Facts(**json.loads(_copy(generation).read_text(encoding="utf-8")))


def _copy(generation: Generation) -> Path:
    return generation.folder / "generation.json"
