"""A model behind a server, with the interface of one that computes here."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biencoder.batching.schedule import WINDOW_TEXTS, WindowTexts, windows
from biencoder.embedder.collect import check_call, checked_texts, join, similarity
from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.encoder import Origin, Window
from biencoder.embedder.fingerprint import digest, hash_file
from biencoder.embedder.hub import locate
from biencoder.embedder.notices import tell_licence
from biencoder.embedder.pages.page import PAGE_MODEL, Modality, Page, PageWindow, modalities
from biencoder.embedder.profile import Profile
from biencoder.embedder.remote.endpoint import PATIENT, Endpoint, Patience
from biencoder.embedder.remote.key import read_key
from biencoder.embedder.remote.stated import Stated, read_stated
from biencoder.embedder.remote.wire import Answer, Call, embed
from biencoder.errors import InputError
from biencoder.text.chunk import PASSAGE_TOKENS
from biencoder.text.counting import BYTES_PER_TOKEN, ByteRule, TokenCounter
from biencoder.text.passages import PassageCutter
from biencoder.text.tokenizer import TextTokenizer
from biencoder.text.truncate import head_of
from biencoder.types import FloatArray, Role, Truncate

# One request: what every known server takes, and what a failed one may cost to send again.
REQUEST_TEXTS = 64
REQUEST_CHARACTERS = 128_000
# Requests on their way at once: the server is never idle for want of one.
PARALLEL = 4


@dataclass(frozen=True, slots=True)
class Measure:
    """How passages are measured. max_tokens: the longest that the model surely reads, so measured.

    described: what an index remembers of it, so that passages cut otherwise never get among its own.
    """

    counter: TokenCounter
    max_tokens: int
    described: str
    tokenizer: str = ""


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
    def pages(self) -> None:
        """Nothing: a server is sent texts only, whatever its model reads."""

    @property
    def modalities(self) -> tuple[Modality, ...]:
        """What a document may be: a text."""
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
        texts: Iterable[str],
        *,
        dimensions: int | None = None,
        truncate: Truncate = "NONE",
    ) -> FloatArray:
        """Unit vectors of documents, float32, shape (n, dimensions); as `encode_queries`."""
        stream = self.encode_stream(
            texts, role="document", dimensions=dimensions, truncate=truncate
        )
        return join(stream, self, dimensions)

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
        """Vectors of any number of texts, window by window in order, several requests at once.

        Raises as `Embedder.encode_stream`, and RemoteError where the server fails.
        """
        check_call(texts, truncate)
        size = check_dimensions(dimensions, self.dimensions, self.profile.name)
        # Raises where the model takes none.
        self.profile.prompts.prefix(role, instruction)
        if instruction is not None and not self._stated.takes_instruction:
            raise InputError(
                f"{self._endpoint.host} takes no instruction: it would drop it silently",
                hint="only `biencoder serve` takes one",
            )
        call = Call(
            model=self._model,
            role=role,
            size=size,
            # Said only where it is needed: some servers refuse the field for a model of one size.
            dimensions=None if size == self.dimensions[-1] else size,
            truncate=truncate,
            instruction=instruction if role == "query" else None,
            answers_as=self._stated.answers_as,
        )
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
        """Refused: a server is sent texts only."""
        raise InputError(
            f"{self._endpoint.host} is sent texts only, no page images",
            hint=f"load {PAGE_MODEL} on this machine for pages",
        )

    def similarity(self, queries: npt.ArrayLike, documents: npt.ArrayLike) -> FloatArray:
        """Cosine of every query with every document, float32, shape (queries, documents)."""
        return similarity(queries, documents)

    @cached_property
    def _measure(self) -> Measure:
        # Questions need none: a tokenizer that must be fetched is fetched for documents.
        return _measure(self._tokenizer, self.profile)

    def _windows(
        self, texts: Iterable[str], call: Call, window_texts: WindowTexts
    ) -> Iterator[Window]:
        """One window ahead is on its way while the caller has the one before."""
        stop = threading.Event()
        pool = ThreadPoolExecutor(PARALLEL, thread_name_prefix="ask")
        waiting: deque[tuple[int, list[Future[Answer]]]] = deque()
        row = 0
        try:
            for window in windows(self._sendable(texts, call), max_texts=window_texts):
                waiting.append((row, self._ask(pool, window, call, row, stop)))
                row += len(window)
                if len(waiting) > 1:
                    yield _joined(*waiting.popleft())
            while waiting:
                yield _joined(*waiting.popleft())
        finally:
            stop.set()
            pool.shutdown(wait=False, cancel_futures=True)

    def _ask(
        self,
        pool: ThreadPoolExecutor,
        window: list[str],
        call: Call,
        first_row: int,
        stop: threading.Event,
    ) -> list[Future[Answer]]:
        asked, row = [], first_row
        for part in windows(window, max_texts=REQUEST_TEXTS, max_characters=REQUEST_CHARACTERS):
            asked.append(pool.submit(embed, self._endpoint, call, part, row, stop))
            row += len(part)
        return asked

    def _sendable(self, texts: Iterable[str], call: Call) -> Iterator[str]:
        """The texts, of a book only as much as could matter."""
        for row, text in enumerate(checked_texts(texts)):
            if not text.strip():
                raise InputError(
                    f"text {row} is empty, and servers give no vector for an empty text",
                    hint="leave it out",
                )
            # An error tells the whole length; what is to be cut need not be sent.
            whole = call.truncate == "NONE"
            yield text if whole else head_of(text, self.max_tokens, call.truncate)


def _joined(first_row: int, asked: list[Future[Answer]]) -> Window:
    answers = [future.result() for future in asked]
    return Window(
        vectors=np.concatenate([answer.vectors for answer in answers]),
        first_row=first_row,
        tokens=sum(answer.tokens for answer in answers),
        cut=sum(answer.cut for answer in answers),
        unreadable=(),
    )


def _measure(tokenizer: str | Path | None, profile: Profile) -> Measure:
    """The tokenizer that somebody names, else the rule of bytes, at which every passage surely fits."""
    if tokenizer is None:
        limit = profile.max_tokens // BYTES_PER_TOKEN
        return Measure(ByteRule(), limit, f"{BYTES_PER_TOKEN} bytes a token")
    folder = Path(tokenizer).expanduser()
    if not (folder / "tokenizer.json").exists():
        folder = locate(tokenizer, weights=False).folder
    known = profile.member.config if profile.member else None
    own = TextTokenizer.from_folder(folder, vocab_size=known.vocab_size if known else sys.maxsize)
    named = str(folder.resolve()) if Path(tokenizer).expanduser().is_dir() else str(tokenizer)
    described = f"tokenizer {digest({'tokenizer': hash_file(folder / 'tokenizer.json')})}"
    return Measure(own, profile.max_tokens, described, named)
