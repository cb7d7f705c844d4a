"""The embedder: the one object that most users hold."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy.typing as npt

from biencoder.batching.schedule import WINDOW_TEXTS, WindowTexts
from biencoder.config.family import MINI
from biencoder.config.model import LlamaConfig
from biencoder.config.page_model import PageLimits
from biencoder.embedder.collect import check_call, given_texts, join, similarity
from biencoder.embedder.device import Placement, place
from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.encoder import Origin, Window
from biencoder.embedder.fingerprint import fingerprint
from biencoder.embedder.hub import Source, locate
from biencoder.embedder.loading import load_parts
from biencoder.embedder.pages.asked import encode_images, page_stream
from biencoder.embedder.pages.page import Modality, Page, PageWindow, modalities
from biencoder.embedder.pages.settings import PageSettings
from biencoder.embedder.pages.side import PageSide
from biencoder.embedder.profile import Profile
from biencoder.embedder.stream import encode_stream
from biencoder.models.llama import LlamaEncoder
from biencoder.pages.pictures import Picture
from biencoder.text.chunk import PASSAGE_TOKENS
from biencoder.text.passages import PassageCutter
from biencoder.text.tokenizer import Encoded, TextTokenizer
from biencoder.types import FloatArray, Role, Truncate

if TYPE_CHECKING:
    from biencoder.embedder.remote.connected import RemoteEmbedder

# mteb's names have an owner.
_MINI_ID = "biencoder/mini"


class Embedder:
    """A bi-encoder: queries and documents to unit vectors whose dot product is the score.

    >>> from biencoder import Embedder
    >>> model = Embedder.load("mini")
    >>> vectors = model.encode_documents(["Oxbow lakes are cut-off river bends."], dimensions=128)
    >>> vectors.shape
    (1, 128)
    """

    def __init__(
        self,
        *,
        trunk: LlamaEncoder,
        tokenizer: TextTokenizer,
        profile: Profile,
        placement: Placement,
        source: Source,
        pages: PageSide | None = None,
    ) -> None:
        self.trunk = trunk
        self.tokenizer = tokenizer
        self.profile = profile
        self.placement = placement
        self.source = source
        self.pages = pages
        self.token_budget = placement.token_budget

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path,
        *,
        dtype: str = "auto",
        device: str | None = None,
        revision: str | None = None,
        max_tiles: int | None = None,
        thumbnail: bool | None = None,
        page_limits: PageLimits | None = None,
    ) -> Embedder:
        """Load a model by family name (``mini``, ``1b``, ``vl``), folder, or hub id.

        dtype: ``auto`` (bfloat16 where it is fast), ``bfloat16``, ``float32``, ``float16`` (GPU
        only). revision: branch, tag or commit on the hub. No code of a checkpoint is ever run.
        max_tiles, thumbnail, page_limits: how finely a page model cuts an image, and how many tokens a
        document may have; without them the checkpoint and its card decide.

        Raises UnknownModelError, ConfigError, CheckpointError, DeviceError or InputError, each with
        what to do.
        """
        placement = place(dtype, device)
        source = locate(name_or_folder, revision=revision)
        settings = PageSettings(max_tiles=max_tiles, thumbnail=thumbnail, limits=page_limits)
        parts = load_parts(source, str(name_or_folder), placement, settings)
        return cls(
            trunk=parts.trunk,
            tokenizer=parts.tokenizer,
            profile=parts.profile,
            placement=placement,
            source=source,
            pages=parts.pages,
        )

    @classmethod
    def connect(
        cls,
        base_url: str,
        model: str,
        api_key_file: str | Path | None = None,
        *,
        tokenizer: str | Path | None = None,
    ) -> RemoteEmbedder:
        """A model behind a server that speaks ``/v1/embeddings``: the same interface.

        api_key_file: holds the key in its first line; without it, ``BIENCODER_API_KEY`` where that is
        set. tokenizer: a folder or family name whose tokenizer measures passages; without it a rule
        of three bytes a token does.

        Raises InputError, RemoteError or UnknownModelError, each with what to do.
        """
        from biencoder.embedder.remote.connected import connect

        return connect(base_url, model, api_key_file=api_key_file, tokenizer=tokenizer)

    @property
    def config(self) -> LlamaConfig:
        """The trunk's sizes."""
        return self.trunk.config

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The vector sizes that the model offers, ascending to the full one."""
        return self.profile.dimensions

    @property
    def max_tokens(self) -> int:
        """The longest text it reads, in tokens, prompt and special tokens included."""
        return self.profile.max_tokens

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What a document may be; the first alone for a text model."""
        return modalities(self.pages)

    @property
    def origin(self) -> Origin:
        """Where it computes, and how to come to it again."""
        network = self.trunk if self.pages is None else self.pages.model
        return Origin(
            name=self.profile.name,
            dtype=str(self.placement.dtype).removeprefix("torch."),
            device=str(self.placement.device),
            published=_MINI_ID if self.source.member is MINI else self.source.repository,
            parameters=sum(weight.numel() for weight in network.parameters()),
        )

    def fingerprint(self) -> str:
        """One hash over everything that decides a vector; see `fingerprint.py`."""
        return fingerprint(self)

    def cutter(self, tokens: int = PASSAGE_TOKENS) -> PassageCutter:
        """What cuts documents into passages that the model reads whole."""
        prefix = self.profile.prompts.prefix("document")
        return PassageCutter(
            self.tokenizer, prefix=prefix, max_tokens=self.max_tokens, tokens=tokens
        )

    def limited(self, max_tokens: int) -> Embedder:
        """The same model, cutting texts earlier. Its fingerprint is another one: its vectors are."""
        limited = copy.copy(self)
        limited.profile = replace(self.profile, max_tokens=max_tokens)
        if self.pages is not None:
            limited.pages = self.pages.limited(max_tokens)
        return limited

    def encode_queries(
        self,
        texts: Iterable[str],
        *,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        instruction: str | None = None,
    ) -> FloatArray:
        """Unit vectors of questions, float32, shape (n, dimensions), in the order given.

        instruction: a task in words for llama-embed-nemotron-8b, or the name of one of the twelve
        BRIGHT instructions for llama-nv-embed-reasoning-3b. truncate: ``NONE`` refuses a text that
        is too long, ``END`` keeps its beginning, ``START`` its end.

        Raises TooLongError, DimensionError or InputError.
        """
        stream = self.encode_stream(
            texts, role="query", dimensions=dimensions, truncate=truncate, instruction=instruction
        )
        return join(stream, self, dimensions)

    def encode_documents(
        self,
        texts: Iterable[str] | Iterable[str | None] | None = None,
        *,
        images: Iterable[Picture | None] | None = None,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
    ) -> FloatArray:
        """Unit vectors of documents, float32, shape (n, dimensions), in the order given.

        images: for a page model, paths, files' bytes or PIL images, alone or one beside each text;
        None in either list is what a page has not. Every image is looked at before anything is
        computed, so an error names its page and costs nothing. Of a page, ``END`` cuts its text only.
        Raises as `encode_queries`, and ImageError.
        """
        if images is not None:
            return encode_images(self, images, texts, dimensions, truncate)
        stream = self.encode_stream(
            given_texts(texts), role="document", dimensions=dimensions, truncate=truncate
        )
        return join(stream, self, dimensions)

    def encode_pages(
        self,
        pages: Iterable[Page],
        *,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        parts: bool = False,
        window_pages: int | None = None,
    ) -> Iterator[PageWindow]:
        """Vectors of any number of pages, window by window in order; a bad page fails alone.

        parts: tell what each tile adds to the vector. window_pages: so many images, and those of the
        window after, are in memory at most. Raises InputError for a text model or what is no Page.
        """
        return page_stream(self, pages, dimensions, truncate, parts, window_pages)

    def encode_stream(
        self,
        texts: Iterable[str] | Iterable[str | None],
        *,
        role: Role,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        instruction: str | None = None,
        window_texts: WindowTexts = WINDOW_TEXTS,
    ) -> Iterator[Window]:
        """Vectors of any number of texts, window by window in order.

        window_texts: at most so many are computed before a window is given; a function is asked before
        each window. Each window counts its
        tokens, cut texts and unreadable texts; nothing is warned about.
        """
        check_call(texts, truncate)
        size = check_dimensions(dimensions, self.dimensions, self.profile.name)
        prefix = self.profile.prompts.prefix(role, instruction)

        def tokenize(window: list[str], first_row: int) -> Encoded:
            return self.tokenizer.encode(
                window,
                prefix=prefix,
                max_tokens=self.limit(role),
                truncate=truncate,
                first_row=first_row,
            )

        return encode_stream(
            texts,
            model=self.trunk,
            tokenize=tokenize,
            dimensions=size,
            token_budget=self.token_budget,
            window_texts=window_texts,
        )

    def limit(self, role: Role) -> int:
        """The most tokens of a text in this role; a page model reads shorter queries."""
        if self.pages is None or role == "document":
            return self.max_tokens
        return min(self.pages.config.query_tokens, self.max_tokens)

    def similarity(self, queries: npt.ArrayLike, documents: npt.ArrayLike) -> FloatArray:
        """Cosine of every query with every document, float32, shape (queries, documents)."""
        return similarity(queries, documents)

    def save(self, folder: str | Path) -> None:
        """Write a folder that biencoder, transformers (from 5.2) and sentence-transformers read.

        The licence travels with it. Raises OutputError where it cannot be written; an existing
        folder that is not empty is refused.
        """
        from biencoder.embedder.export import export
        from biencoder.embedder.pages.export import export_pages

        if self.pages is None:
            export(self, Path(folder))
        else:
            export_pages(self, self.pages, Path(folder))
