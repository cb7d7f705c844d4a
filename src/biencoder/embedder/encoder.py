"""What search, evaluate and index need of a model, wherever it computes: here or behind a server.

`Embedder` computes on this machine, `RemoteEmbedder` asks a server. Nobody else needs to know which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from biencoder.batching.schedule import WINDOW_TEXTS, WindowTexts
from biencoder.embedder.pages.page import Modality, Page, PageReading, PageWindow
from biencoder.pages.pictures import Picture
from biencoder.text.chunk import PASSAGE_TOKENS
from biencoder.text.passages import PassageCutter
from biencoder.types import FloatArray, Role, Truncate

if TYPE_CHECKING:
    from biencoder.embedder.profile import Profile


@dataclass(frozen=True, slots=True)
class Window:
    """Vectors of neighbouring texts, in their order, float32, shape (n, dimensions).

    first_row: where the window starts in the stream. tokens: with prompts. cut: texts that lost
    tokens. unreadable: rows of texts that the vocabulary hardly covers.
    """

    vectors: FloatArray
    first_row: int
    tokens: int
    cut: int
    unreadable: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Origin:
    """Where a model's vectors come from, and how to come to it again.

    name: by which it is loaded, or asked for at its server. server: its base URL, empty where it
    computes here. dtype: as computed, "not stated" where a server does not say. published: the name
    under which its results may be told, None for a folder or a server, which may hold anything.
    parameters: how many, where that is known. lengths: how passages are measured, empty for the model's
    own tokenizer. tokenizer: the folder or name it was taken from, where somebody named one.
    """

    name: str
    server: str = ""
    dtype: str
    device: str
    published: str | None = None
    parameters: int | None = None
    lengths: str = ""
    tokenizer: str = ""


class Encoder(Protocol):
    """A bi-encoder: queries and documents to unit vectors whose dot product is the score."""

    @property
    def profile(self) -> Profile:
        """Name, prompts, sizes, limits, licence."""

    @property
    def origin(self) -> Origin:
        """Where it computes, and how to come to it again."""

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The vector sizes that the model offers, ascending to the full one."""

    @property
    def max_tokens(self) -> int:
        """The longest text it reads, in tokens, prompt and special tokens included."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What a document may be: ``text`` alone, or a page's image and both together too."""

    @property
    def pages(self) -> PageReading | None:
        """How page images are read; None where only texts are."""

    def fingerprint(self) -> str:
        """16 hex digits; two vectors may be compared only where these are equal."""

    def cutter(self, tokens: int = PASSAGE_TOKENS) -> PassageCutter:
        """What cuts documents into passages that the model reads whole."""

    def limited(self, max_tokens: int) -> Encoder:
        """The same model, cutting texts earlier. Its fingerprint is another one: its vectors are."""

    def encode_queries(
        self,
        texts: Iterable[str],
        *,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        instruction: str | None = None,
    ) -> FloatArray:
        """Unit vectors of questions, float32, shape (n, dimensions), in the order given."""

    def encode_documents(
        self,
        texts: Iterable[str] | Iterable[str | None] | None = None,
        *,
        images: Iterable[Picture | None] | None = None,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
    ) -> FloatArray:
        """Unit vectors of documents, float32, shape (n, dimensions), in the order given.

        images: alone, or one beside each text; InputError without ``pages``.
        """

    def encode_stream(
        self,
        texts: Iterable[str],
        *,
        role: Role,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        instruction: str | None = None,
        window_texts: WindowTexts = WINDOW_TEXTS,
    ) -> Iterator[Window]:
        """Vectors of any number of texts, window by window in order."""

    def encode_pages(
        self,
        pages: Iterable[Page],
        *,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        parts: bool = False,
        window_pages: int | None = None,
    ) -> Iterator[PageWindow]:
        """Vectors of any number of pages, window by window in order; InputError without ``pages``.

        parts: what each tile adds to the vector; a server does not tell it, so there an InputError.
        """
