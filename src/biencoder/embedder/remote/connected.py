"""A model behind a server, with the interface of one that computes here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biencoder.batching.schedule import WINDOW_TEXTS, WindowTexts, windows
from biencoder.embedder.collect import (
    Texts,
    check_call,
    checked_texts,
    given_texts,
    join,
    similarity,
)
from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.encoder import Origin, Window
from biencoder.embedder.notices import tell_licence
from biencoder.embedder.pages.listed import check_window, paired
from biencoder.embedder.pages.page import PAGE_MODEL, Modality, Page, PageWindow, modalities
from biencoder.embedder.profile import Profile
from biencoder.embedder.remote.endpoint import PATIENT, Endpoint, Patience
from biencoder.embedder.remote.in_flight import Job, one_window_ahead
from biencoder.embedder.remote.key import read_key
from biencoder.embedder.remote.measure import Measure, measure_by
from biencoder.embedder.remote.pages import PageRoad, encode_images, page_stream
from biencoder.embedder.remote.stated import Stated, read_stated
from biencoder.embedder.remote.stated_pages import StatedPages
from biencoder.embedder.remote.wire import Answer, Call, embed
from biencoder.errors import InputError
from biencoder.pages.pictures import Picture
from biencoder.text.chunk import PASSAGE_TOKENS
from biencoder.text.passages import PassageCutter
from biencoder.text.truncate import head_of
from biencoder.types import FloatArray, Role, Truncate

# One request: what every known server takes, and what a failed one may cost to send again.
REQUEST_TEXTS = 64
REQUEST_CHARACTERS = 128_000
# Requests on their way at once: the server is never idle for want of one.
PARALLEL = 4


def connect(
    base_url: str,
    model: str,
    *,
    api_key_file: str | Path | None = None,
    tokenizer: str | Path | None = None,
    named: bool = True,
    patience: Patience = PATIENT,
) -> RemoteEmbedder:
    """See `Embedder.connect`. named: as in `Reach`. patience: how often and how long a failing server
    is asked again.
    """
    endpoint = Endpoint(base_url, read_key(api_key_file, named=named), patience)
    stated = read_stated(endpoint, model)
    tell_licence(stated.profile)
    return RemoteEmbedder(endpoint, model, stated, tokenizer)


class RemoteEmbedder:
    """As `Embedder`, over ``/v1/embeddings``; the vectors are looked at before they are given.

    What only a server knows is not told here: hardly readable texts never, cut texts only by
    `biencoder serve`. An empty text is an error, because servers refuse one.
    """

    def __init__(
        self, endpoint: Endpoint, model: str, stated: Stated, tokenizer: str | Path | None
    ) -> None:
        self._endpoint, self._model = endpoint, model
        self._stated, self._tokenizer = stated, tokenizer

    @property
    def profile(self) -> Profile:
        """Name, prompts, sizes, limits, licence."""
        return self._stated.profile

    @property
    def origin(self) -> Origin:
        """Where it computes, and how to come to it again."""
        return Origin(
            name=self._model,
            server=self._endpoint.base_url,
            dtype=self._stated.dtype,
            device="server",
            lengths=self._measure.described,
            tokenizer=self._measure.tokenizer,
        )

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The vector sizes that the model offers, ascending to the full one."""
        return self.profile.dimensions

    @property
    def max_tokens(self) -> int:
        """The longest text it reads, in tokens, prompt and special tokens included."""
        return self.profile.max_tokens

    @property
    def pages(self) -> StatedPages | None:
        """How page images are read; None where only texts are, as far as the server tells."""
        return self._stated.pages

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What a document may be; the first alone for a text model."""
        return modalities(self.pages)

    def fingerprint(self) -> str:
        """What the server states, or a hash over the model's name and what else is stated of it."""
        return self._stated.fingerprint

    def cutter(self, tokens: int = PASSAGE_TOKENS) -> PassageCutter:
        """What cuts documents into passages that the model reads whole."""
        measure, prefix = self._measure, self.profile.prompts.prefix("document")
        return PassageCutter(
            measure.counter, prefix=prefix, max_tokens=measure.max_tokens, tokens=tokens
        )

    def limited(self, max_tokens: int) -> RemoteEmbedder:
        """Refused: a client cannot make a server cut earlier."""
        raise InputError(
            f"{self.profile.name} would have to cut texts at {max_tokens} tokens, and a server's "
            f"limit ({self.max_tokens}) is its own",
            hint=f"start the server with --max-seq-len {max_tokens}",
        )

    def encode_queries(
        self,
        texts: Iterable[str],
        *,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        instruction: str | None = None,
    ) -> FloatArray:
        """Unit vectors of questions, float32, shape (n, dimensions); as `Embedder.encode_queries`."""
        stream = self.encode_stream(
            texts, role="query", dimensions=dimensions, truncate=truncate, instruction=instruction
        )
        return join(stream, self, dimensions)

    def encode_documents(
        self,
        texts: Texts | None = None,
        *,
        images: Iterable[Picture | None] | None = None,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
    ) -> FloatArray:
        """Unit vectors of documents, float32, shape (n, dimensions); as `Embedder.encode_documents`.

        Every image is opened here before any is sent; a blank text beside one is none.
        """
        if images is not None:
            road = self._page_road(() if texts is None else texts, dimensions, truncate)
            return encode_images(road, paired(images, texts, truncate))
        stream = self.encode_stream(
            given_texts(texts), role="document", dimensions=dimensions, truncate=truncate
        )
        return join(stream, self, dimensions)

    def encode_stream(
        self,
        texts: Texts,
        *,
        role: Role,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        instruction: str | None = None,
        window_texts: WindowTexts = WINDOW_TEXTS,
    ) -> Iterator[Window]:
        """Vectors of any number of texts, window by window in order, several requests at once.

        Raises as `Embedder.encode_stream`, and RemoteError where the server fails.
        """
        call = self._call(texts, role, dimensions, truncate)
        # Raises where the model takes none.
        self.profile.prompts.prefix(role, instruction)
        if instruction is not None and not self._stated.takes_instruction:
            raise InputError(
                f"{self._endpoint.host} takes no instruction: it would drop it silently",
                hint="only `biencoder serve` takes one",
            )
        if role == "query":
            call = replace(call, instruction=instruction)
        return self._windows(texts, call, window_texts)

    def encode_pages(
        self,
        pages: Iterable[Page],
        *,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
        parts: bool = False,
        window_pages: int | None = None,
    ) -> Iterator[PageWindow]:
        """Vectors of any number of pages, window by window in order; as `Embedder.encode_pages`.

        What the server refuses is that page's failure. A blank text beside an image is none.
        """
        road = self._page_road((), dimensions, truncate)
        check_window(window_pages)
        if parts:
            raise InputError(
                f"{self._endpoint.host} does not tell what each tile adds to a page's vector",
                hint="leave parts out, or load the model on this machine",
            )
        return page_stream(road, pages, window_pages)

    def similarity(self, queries: npt.ArrayLike, documents: npt.ArrayLike) -> FloatArray:
        """Cosine of every query with every document, float32, shape (queries, documents)."""
        return similarity(queries, documents)

    @cached_property
    def _measure(self) -> Measure:
        # Questions need none: a tokenizer that must be fetched is fetched for documents.
        return measure_by(self._tokenizer, self.profile)

    def _call(self, texts: Texts, role: Role, dimensions: int | None, truncate: Truncate) -> Call:
        check_call(texts, truncate)
        size = check_dimensions(dimensions, self.dimensions, self.profile.name)
        return Call(
            model=self._model,
            role=role,
            size=size,
            # Said only where it is needed: some servers refuse the field for a model of one size.
            dimensions=None if size == self.dimensions[-1] else size,
            truncate=truncate,
            answers_as=self._stated.answers_as,
            # The same: a text model needs none.
            modality=None if self.pages is None else "text",
        )

    def _page_road(self, texts: Texts, dimensions: int | None, truncate: Truncate) -> PageRoad:
        if self.pages is None:
            raise InputError(
                f"{self.profile.name} at {self._endpoint.host} reads text only, as far as the server "
                "tells",
                hint=f"images need a page model ({PAGE_MODEL}) and a server that states it: "
                "`biencoder serve`",
            )
        call = self._call(texts, "document", dimensions, truncate)
        return PageRoad(endpoint=self._endpoint, call=call, reading=self.pages)

    def _windows(self, texts: Texts, call: Call, window_texts: WindowTexts) -> Iterator[Window]:
        def jobs(window: tuple[int, list[str]]) -> list[Job[Answer]]:
            first_row, run = window
            parts = windows(run, max_texts=REQUEST_TEXTS, max_characters=REQUEST_CHARACTERS)
            return [
                partial(embed, self._endpoint, call, part, row)
                for row, part in _placed(parts, first_row)
            ]

        runs = _placed(windows(self._sendable(texts, call), max_texts=window_texts))
        for (first_row, _), answers in one_window_ahead(runs, jobs, at_once=PARALLEL):
            yield _joined(first_row, answers)

    def _sendable(self, texts: Texts, call: Call) -> Iterator[str]:
        """The texts, of a book only as much as could matter."""
        limit = self.max_tokens
        if self.pages is not None and call.role == "query":
            limit = min(limit, self.pages.query_tokens)
        for row, text in enumerate(checked_texts(texts)):
            if not text.strip():
                raise InputError(
                    f"text {row} is empty, and servers give no vector for an empty text",
                    hint="leave it out",
                )
            # An error tells the whole length; what is to be cut need not be sent.
            yield text if call.truncate == "NONE" else head_of(text, limit, call.truncate)


def _placed(runs: Iterable[list[str]], first_row: int = 0) -> Iterator[tuple[int, list[str]]]:
    """Runs of texts with the row of their first."""
    for run in runs:
        yield first_row, run
        first_row += len(run)


def _joined(first_row: int, answers: Sequence[Answer]) -> Window:
    return Window(
        vectors=np.concatenate([answer.vectors for answer in answers]),
        first_row=first_row,
        tokens=sum(answer.tokens for answer in answers),
        cut=sum(answer.cut for answer in answers),
        unreadable=(),
    )
