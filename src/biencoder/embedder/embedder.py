"""The embedder: the one object that most users hold."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biencoder.batching.schedule import WINDOW_TEXTS
from biencoder.config.model import LlamaConfig
from biencoder.embedder.device import Placement, place
from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.hub import Source, locate
from biencoder.embedder.loading import load_parts
from biencoder.embedder.notices import TruncationWarning, UnreadableWarning
from biencoder.embedder.profile import Profile
from biencoder.embedder.stream import Window, encode_stream
from biencoder.errors import InputError
from biencoder.models.llama import LlamaEncoder
from biencoder.text.tokenizer import Encoded, TextTokenizer
from biencoder.types import TRUNCATE, FloatArray, Role, Truncate


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
    ) -> None:
        self.trunk = trunk
        self.tokenizer = tokenizer
        self.profile = profile
        self.placement = placement
        self.source = source
        self.token_budget = placement.token_budget

    @classmethod
    def load(
        cls,
        name_or_folder: str | Path,
        *,
        dtype: str = "auto",
        device: str | None = None,
        revision: str | None = None,
    ) -> Embedder:
        """Load a model by family name (``mini``, ``1b``), folder, or hub id.

        dtype: ``auto`` (bfloat16 where it is fast), ``bfloat16``, ``float32``, ``float16`` (GPU
        only). revision: branch, tag or commit on the hub. No code of a checkpoint is ever run.

        Raises UnknownModelError, ConfigError, CheckpointError or DeviceError, each with what to do.
        """
        placement = place(dtype, device)
        source = locate(name_or_folder, revision=revision)
        trunk, tokenizer, profile = load_parts(source, str(name_or_folder), placement)
        return cls(
            trunk=trunk, tokenizer=tokenizer, profile=profile, placement=placement, source=source
        )

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
        return self._encode_all(texts, "query", dimensions, truncate, instruction)

    def encode_documents(
        self,
        texts: Iterable[str],
        *,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
    ) -> FloatArray:
        """Unit vectors of documents, float32, shape (n, dimensions), in the order given.

        As `encode_queries`, without an instruction.
        """
        return self._encode_all(texts, "document", dimensions, truncate, None)

    def encode_stream(
        self,
        texts: Iterable[str],
        *,
        role: Role,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        instruction: str | None = None,
        window_texts: int = WINDOW_TEXTS,
    ) -> Iterator[Window]:
        """Vectors of any number of texts, window by window in order.

        window_texts: at most so many are computed before a window is given. Each window counts its
        tokens, cut texts and unreadable texts; nothing is warned about.
        """
        if isinstance(texts, str):
            raise InputError(
                "one string was given where a list of texts is expected",
                hint='put it in a list: ["..."]',
            )
        if truncate not in TRUNCATE:
            raise InputError(f"truncate={truncate!r} is not one of {', '.join(TRUNCATE)}")
        size = check_dimensions(dimensions, self.dimensions, self.profile.name)
        prefix = self.profile.prompts.prefix(role, instruction)

        def tokenize(window: list[str], first_row: int) -> Encoded:
            return self.tokenizer.encode(
                window,
                prefix=prefix,
                max_tokens=self.max_tokens,
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

    def similarity(self, queries: npt.ArrayLike, documents: npt.ArrayLike) -> FloatArray:
        """Cosine of every query with every document, float32, shape (queries, documents)."""
        left, right = (np.asarray(side, dtype=np.float32) for side in (queries, documents))
        if left.ndim != 2 or right.ndim != 2 or left.shape[1] != right.shape[1]:
            raise InputError(
                f"vectors of shape {left.shape} and {right.shape} cannot be compared",
                hint="both sides need two axes and the same number of dimensions",
            )
        return _unit(left) @ _unit(right).T

    def save(self, folder: str | Path) -> None:
        """Write a folder that biencoder, transformers (from 5.2) and sentence-transformers read.

        The licence travels with it. Raises OutputError where it cannot be written; an existing
        folder that is not empty is refused.
        """
        from biencoder.embedder.export import export

        export(self, Path(folder))

    def _encode_all(
        self,
        texts: Iterable[str],
        role: Role,
        dimensions: int | None,
        truncate: Truncate,
        instruction: str | None,
    ) -> FloatArray:
        stream = self.encode_stream(
            texts, role=role, dimensions=dimensions, truncate=truncate, instruction=instruction
        )
        parts: list[FloatArray] = []
        cut = unreadable = 0
        for window in stream:
            parts.append(window.vectors)
            cut += window.cut
            unreadable += len(window.unreadable)
        total = sum(map(len, parts))
        if cut:
            message = f"{cut} of {total} texts were cut to {self.max_tokens} tokens"
            warnings.warn(message, TruncationWarning, stacklevel=3)
        if unreadable:
            message = f"{unreadable} of {total} texts are hardly readable for {self.profile.name}"
            hint = "; use a multilingual model such as llama-nemotron-embed-1b-v2"
            warnings.warn(message + hint, UnreadableWarning, stacklevel=3)
        if not parts:
            size = check_dimensions(dimensions, self.dimensions, self.profile.name)
            return np.empty((0, size), dtype=np.float32)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _unit(vectors: FloatArray) -> FloatArray:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: FloatArray = vectors / np.maximum(lengths, np.float32(1e-12))
    return unit
