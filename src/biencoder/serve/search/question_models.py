"""The models that turn a question into a vector for a served index: all at hand before it is ready.

The service's own engines come first. What made an index and is not among them is loaded at the start,
or connected to where it is behind a server, once for all indices that it made; a request never does
either.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from biencoder.embedder.encoder import Encoder
from biencoder.embedder.profile import Profile
from biencoder.index.facts import Facts, check_query_model
from biencoder.index.page_settings import open_index_model
from biencoder.serve.engine.engine import Engine
from biencoder.serve.errors import ApiError
from biencoder.serve.search.threads import SearchThreads
from biencoder.types import FloatArray

# One question computes with all cores; a server is asked for several at once.
_AT_ONCE_HERE, _AT_ONCE_AT_A_SERVER = 1, 4
# Questions that wait for one model of an index: more would only wait longer.
_WAITING = 64


class QuestionModels:
    """Models by fingerprint, which says whose vectors may be compared."""

    def __init__(self, engines: Sequence[Engine] = ()) -> None:
        self._engines = {engine.embedder.fingerprint(): engine for engine in engines}
        self._own: dict[str, _OwnModel] = {}

    @property
    def profiles(self) -> Iterator[Profile]:
        """Of every model that is at hand."""
        yield from (engine.embedder.profile for engine in self._engines.values())
        yield from (own.encoder.profile for own in self._own.values())

    def has(self, facts: Facts) -> bool:
        """Whether the model that made an index is at hand."""
        return facts.fingerprint in self._engines or facts.fingerprint in self._own

    def prepare(self, facts: Facts, folder: Path, name: str, say: Callable[[str], None]) -> None:
        """Have the model of an index at hand. name: of the index; ``say`` is told what is loaded.

        Raises what `Embedder.load` and `Embedder.connect` raise, and FingerprintError where another
        model stands under its name.
        """
        if self.has(facts):
            return
        place = f" at {facts.server}" if facts.server else ""
        verb = "Connecting to" if facts.server else "Loading"
        say(f"{verb} {facts.model}{place}, which made the index {name} ...")
        encoder = open_index_model(facts)
        check_query_model(facts, encoder, folder)
        # The first question of all is slower, and a server may refuse it: both belong to the start.
        encoder.encode_queries(["ready?"], dimensions=facts.dimensions)
        at_once = _AT_ONCE_AT_A_SERVER if facts.server else _AT_ONCE_HERE
        self._own[facts.fingerprint] = _OwnModel(encoder, SearchThreads(at_once, _WAITING))

    async def vector(
        self, facts: Facts, question: str, instruction: str | None, timeout: float
    ) -> FloatArray:
        """The question's vector, shape (dimensions,), by the model that made the index.

        Raises ApiError index_conflict where that one was not at hand at the start, overloaded, and as
        `Engine.embed` and `Encoder.encode_queries` raise.
        """
        engine = self._engines.get(facts.fingerprint)
        if engine is not None:
            embedded = await engine.embed(
                [question],
                role="query",
                dimensions=facts.dimensions,
                instruction=instruction,
                timeout=timeout,
            )
            vector: FloatArray = embedded.vectors[0]
            return vector
        own = self._own.get(facts.fingerprint)
        if own is None:
            raise ApiError(
                "index_conflict",
                "The index has been made anew with another model since the service was started; "
                "restart the service to search it by meaning (the mode lexical needs no model)",
            )
        return await own.threads.run(own.encode, question, instruction, facts.dimensions)


@dataclass(frozen=True, slots=True)
class _OwnModel:
    """A model beside the engines, with the threads it is asked in."""

    encoder: Encoder
    threads: SearchThreads

    def encode(self, question: str, instruction: str | None, dimensions: int) -> FloatArray:
        vectors = self.encoder.encode_queries(
            [question], dimensions=dimensions, instruction=instruction
        )
        vector: FloatArray = vectors[0]
        return vector
