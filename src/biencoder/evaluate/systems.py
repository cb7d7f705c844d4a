"""What can be judged: anything that turns texts into vectors and can say what it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

from biencoder.embedder.encoder import Encoder
from biencoder.types import FloatArray, Role


@dataclass(frozen=True, slots=True)
class Part:
    """Vectors of neighbouring texts, float32, unit length, and what was counted on the way.

    computed: how many of them were computed now, where others were known before; None for all.
    """

    vectors: FloatArray
    tokens: int = 0
    cut: int = 0
    unreadable: int = 0
    computed: int | None = None


@runtime_checkable
class System(Protocol):
    """A bi-encoder under judgement."""

    name: str

    @property
    def dimensions(self) -> Sequence[int]:
        """The sizes to which its vectors may be cut, ascending to the full one."""

    def facts(self) -> Mapping[str, Any]:
        """What decides the vectors, for the result file; ``fingerprint`` among it."""

    def encode(self, texts: Sequence[str], role: Role) -> Iterator[Part]:
        """Vectors in order, part by part."""


@dataclass
class EmbedderSystem:
    """One of our models. Texts longer than it reads are cut at the end, and counted."""

    embedder: Encoder
    instruction: str | None = None
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.name = self.embedder.profile.name

    @property
    def dimensions(self) -> Sequence[int]:
        """The model's Matryoshka sizes."""
        return self.embedder.dimensions

    @cached_property
    def _fingerprint(self) -> str:
        return self.embedder.fingerprint()

    def facts(self) -> Mapping[str, Any]:
        """Name, fingerprint, prompts as they go before a text, format, limit."""
        prompts = self.embedder.profile.prompts
        return {
            "name": self.name,
            "fingerprint": self._fingerprint,
            "prompts": {
                "query": prompts.prefix("query", self.instruction),
                "document": prompts.prefix("document"),
            },
            "dtype": self.embedder.origin.dtype,
            "device": self.embedder.origin.device,
            "max_tokens": self.embedder.max_tokens,
            "random_weights": self.embedder.profile.random_weights,
        }

    def encode(self, texts: Sequence[str], role: Role) -> Iterator[Part]:
        """Window by window, as `Embedder.encode_stream`."""
        instruction = self.instruction if role == "query" else None
        stream = self.embedder.encode_stream(
            texts, role=role, truncate="END", instruction=instruction
        )
        for window in stream:
            yield Part(window.vectors, window.tokens, window.cut, len(window.unreadable))
