"""One of our models as mteb's encoder.

mteb hands over a loader of texts, page images or both and says what they are; it gets float32 vectors
of length 1. All of it streams through in windows, so beside the vectors themselves the memory does not
grow with the corpus. Texts that are too long are cut at the end, and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from biencoder.config.family import NEMOTRON_8B
from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.encoder import Encoder, Window
from biencoder.embedder.pages.page import Modality, PageWindow
from biencoder.errors import InputError
from biencoder.evaluate.extra import require_mteb
from biencoder.evaluate.modality import check_modality, page_facts
from biencoder.evaluate.mteb_inputs import pages_of, read_of_documents, sound_pages, texts_of
from biencoder.evaluate.mteb_prompts import PROMPTINGS, Prompting, TaskPrompt, task_prompt
from biencoder.types import FloatArray

if TYPE_CHECKING:
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.models.model_meta import ModelMeta
    from mteb.types import Array, BatchedInput, PromptType
    from torch import Tensor
    from torch.utils.data import DataLoader

Advance: TypeAlias = Callable[[int], None]
Progress: TypeAlias = Callable[[str, int], AbstractContextManager[Advance]]
"""``progress(label, total)`` gives a context manager that yields ``advance(n)``."""

# The card's own code, and mteb's wrapper, cut the 8b's texts here; its limit is 32,768.
_8B_MAX_TOKENS = 4096
# The format in which the family is published and that fast machines choose by themselves.
_PLAIN_DTYPE = "bfloat16"
# What mteb passes to every encoder; our batches are cut by tokens, our bars are our own.
_WITHOUT_EFFECT = {"batch_size", "show_progress_bar"}


class MtebModel:
    """An `Embedder` that satisfies mteb's ``EncoderProtocol``.

    prompting: see `mteb_prompts`. max_tokens: cut earlier than the model must (the 8b at 4,096
    unless told, as its card does). dimensions: a Matryoshka size. revision: what tells this model
    from another of its name; the fingerprint unless given. modality: what of a document is read,
    where the model reads images; None for all that a task's documents have.

    ``counts`` and ``prompts`` tell what was encoded since `reset`. Raises InputError for a prompt
    rule or limit, DimensionError for a size, that this model does not have.
    """

    def __init__(
        self,
        embedder: Encoder,
        *,
        prompting: Prompting = "family",
        max_tokens: int | None = None,
        dimensions: int | None = None,
        revision: str | None = None,
        modality: Modality | None = None,
        progress: Progress | None = None,
    ) -> None:
        require_mteb()
        if modality is not None:
            check_modality(modality, embedder)
        if prompting not in PROMPTINGS:
            raise InputError(
                f"the prompt rule {prompting!r} is unknown", hint=f"known: {', '.join(PROMPTINGS)}"
            )
        self.embedder = _limited(embedder, max_tokens)
        self.pages = embedder.pages
        self.prompting = prompting
        self.modality = modality
        self.dimensions = check_dimensions(dimensions, embedder.dimensions, embedder.profile.name)
        self.name = _mteb_name(embedder)
        self.revision = revision or self.embedder.fingerprint()
        self._progress = progress or _silent
        self.reset()

    def reset(self) -> None:
        """Begin to count anew: for each task."""
        self.counts: Counter[str] = Counter(texts=0, tokens=0, cut=0, unreadable=0)
        self.prompts: dict[str, dict[str, None]] = {}

    @cached_property
    def mteb_model_meta(self) -> ModelMeta:
        """What mteb wants to know; name, revision and variant decide where results are kept."""
        from mteb.models.model_meta import ModelMeta, ScoringFunction

        return ModelMeta(
            loader=None,
            name=self.name,
            revision=self.revision,
            release_date=None,
            languages=None,
            n_parameters=self.embedder.origin.parameters,
            memory_usage_mb=None,
            max_tokens=self.embedder.max_tokens,
            embed_dim=self.dimensions,
            license=None,
            open_weights=None,
            public_training_code=None,
            public_training_data=None,
            framework=["PyTorch"],
            similarity_fn_name=ScoringFunction.COSINE,
            use_instructions=True,
            training_datasets=None,
            modalities=["text", "image"] if self.pages else ["text"],
            experiment_kwargs=self.variant or None,
        )

    @property
    def variant(self) -> dict[str, str | int]:
        """What sets this run apart from the model's plain one; mteb keeps its results apart by it."""
        variant: dict[str, str | int] = {}
        if self.dimensions != self.embedder.dimensions[-1]:
            variant["dimensions"] = self.dimensions
        if self._dtype != _PLAIN_DTYPE:
            variant["dtype"] = self._dtype
        if self.prompting != "family":
            variant["prompting"] = self.prompting
        if self.pages:
            variant |= {"modality": self.modality} if self.modality else {}
            variant |= {name: str(value) for name, value in page_facts(self.pages).items()}
        return variant

    def facts(self) -> dict[str, Any]:
        """What decides the vectors, for the result file."""
        profile = self.embedder.profile
        return {
            "name": self.name,
            "revision": self.revision,
            "prompting": self.prompting,
            "prompts": {side: profile.prompts.prefix(side) for side in ("query", "document")},
            "dimensions": self.dimensions,
            "dtype": self._dtype,
            "device": self.embedder.origin.device,
            "max_tokens": self.embedder.max_tokens,
            "random_weights": profile.random_weights,
            **self._page_facts(),
        }

    def encode(
        self,
        inputs: DataLoader[BatchedInput],
        *,
        task_metadata: TaskMetadata,
        hf_split: str,
        hf_subset: str,
        prompt_type: PromptType | None = None,
        **options: Any,
    ) -> FloatArray:
        """Vectors of one side of a task, float32, length 1, shape (texts, dimensions).

        Raises InputError for an option that would change the vectors and that this model lacks.
        """
        unknown = sorted(options.keys() - _WITHOUT_EFFECT)
        if unknown:
            raise InputError(f"mteb asks for {unknown[0]!r}, which this model does not know")
        prompt = task_prompt(
            self.embedder.profile.prompts,
            task_metadata,
            prompt_type,
            subset=hf_subset,
            prompting=self.prompting,
        )
        side = "text" if prompt_type is None else str(prompt_type.value)
        prefix = self.embedder.profile.prompts.prefix(prompt.role, prompt.instruction)
        self.prompts.setdefault(side, {})[prefix] = None
        total = len(inputs.dataset)  # type: ignore[arg-type]  # mteb's data sets all have a length
        stream = self._stream(inputs, prompt, task_metadata, prompt_type)
        vectors = np.empty((total, self.dimensions), dtype=np.float32)
        filled = 0
        with self._progress(f"{task_metadata.name}, {hf_subset}, {side}", total) as advance:
            for window in stream:
                vectors[filled : filled + len(window.vectors)] = window.vectors
                filled += len(window.vectors)
                self._count(window)
                advance(len(window.vectors))
        assert filled == total, f"mteb announced {total} texts and gave {filled}"
        return vectors

    def read_of(self, task: TaskMetadata) -> Modality | None:
        """What is read of a task's documents; None where they do not have it."""
        return read_of_documents(task, self.modality, images=self.pages is not None)

    def _stream(
        self,
        inputs: DataLoader[BatchedInput],
        prompt: TaskPrompt,
        task: TaskMetadata,
        prompt_type: PromptType | None,
    ) -> Iterator[Window | PageWindow]:
        document = prompt_type is not None and prompt_type.value == "document"
        read = self.read_of(task) if document else "text"
        if read in ("image", "image_text"):
            pages = pages_of(inputs, task.name, with_text=read == "image_text")
            windows = self.embedder.encode_pages(pages, dimensions=self.dimensions, truncate="END")
            return sound_pages(windows, task.name)
        return self.embedder.encode_stream(
            texts_of(inputs, task.name),
            role=prompt.role,
            dimensions=self.dimensions,
            truncate="END",
            instruction=prompt.instruction,
        )

    def similarity(self, embeddings1: Array, embeddings2: Array) -> Tensor:
        """Cosines of all pairs, a float32 tensor, shape (first, second)."""
        from mteb.similarity_functions import cos_sim

        scores: Tensor = cos_sim(embeddings1, embeddings2)
        return scores

    def similarity_pairwise(self, embeddings1: Array, embeddings2: Array) -> Tensor:
        """Cosines of the pairs that stand side by side, a float32 tensor, shape (pairs,)."""
        from mteb.similarity_functions import pairwise_cos_sim

        scores: Tensor = pairwise_cos_sim(embeddings1, embeddings2)
        return scores

    def _count(self, window: Window | PageWindow) -> None:
        self.counts["texts"] += len(window.vectors)
        self.counts["tokens"] += window.tokens
        self.counts["cut"] += window.cut
        if isinstance(window, Window):
            self.counts["unreadable"] += len(window.unreadable)

    def _page_facts(self) -> dict[str, Any]:
        if self.pages is None:
            return {}
        return {"modality": self.modality or "all that a document has", **page_facts(self.pages)}

    @property
    def _dtype(self) -> str:
        return self.embedder.origin.dtype


def _limited(embedder: Encoder, max_tokens: int | None) -> Encoder:
    """The same model, cutting earlier where it was told to or its card does."""
    limit = embedder.max_tokens
    if max_tokens is None and embedder.profile.member is NEMOTRON_8B:
        max_tokens = min(limit, _8B_MAX_TOKENS)
    if max_tokens is None or max_tokens == limit:
        return embedder
    if not 0 < max_tokens < limit:
        raise InputError(
            f"texts cannot be cut to {max_tokens} tokens: {embedder.profile.name} reads 1 to {limit}"
        )
    return embedder.limited(max_tokens)


def _mteb_name(embedder: Encoder) -> str:
    """``owner/name``. Only what came from the hub by its name may bear a published one."""
    origin = embedder.origin
    owner = "server" if origin.server else "local"
    return origin.published or f"{owner}/{Path(embedder.profile.name).name}"


@contextmanager
def _silent(label: str, total: int) -> Iterator[Advance]:
    yield lambda count: None
