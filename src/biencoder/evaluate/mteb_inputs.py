"""What mteb's batches hold, as our models read it: texts, page images, or pages with their texts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from biencoder.embedder.pages.page import Modality, Page, PageWindow
from biencoder.errors import InputError

if TYPE_CHECKING:
    from mteb.abstasks.task_metadata import TaskMetadata
    from mteb.types import BatchedInput
    from torch.utils.data import DataLoader

_HAVE: dict[Modality, set[str]] = {
    "image_text": {"text", "image"},
    "image": {"image"},
    "text": {"text"},
}


def read_of_documents(
    task: TaskMetadata, asked: Modality | None, *, images: bool
) -> Modality | None:
    """What is read of a search's documents: what was asked for, or all that task and model have.

    images: whether the model reads them. None where the documents do not have it.
    """
    from mteb.types import PromptType

    there = set(task.get_modalities(PromptType.document))
    if not images:
        there -= {"image"}
    choices = (asked,) if asked else _HAVE
    return next((choice for choice in choices if _HAVE[choice] <= there), None)


def texts_of(inputs: DataLoader[BatchedInput], task: str) -> Iterator[str]:
    """The texts of all batches. Raises InputError for inputs without."""
    for batch in inputs:
        _check("text", batch, task)
        yield from batch["text"]


def pages_of(inputs: DataLoader[BatchedInput], task: str, *, with_text: bool) -> Iterator[Page]:
    """The images of all batches, with their texts or alone; only a batch is decoded at a time."""
    for batch in inputs:
        _check("image", batch, task)
        images = batch["image"]
        if with_text:
            _check("text", batch, task)
        texts = batch["text"] if with_text else [""] * len(images)
        for image, text in zip(images, texts, strict=True):
            yield Page(image=image, text=text or None)


def sound_pages(windows: Iterator[PageWindow], task: str) -> Iterator[PageWindow]:
    """The same windows. Raises InputError for a page that failed: the task's score needs them all."""
    for window in windows:
        for failure in window.failed:
            raise InputError(f"{task}: page {failure.row + 1:,} cannot be read: {failure.reason}")
        yield window


def _check(kind: str, batch: BatchedInput, task: str) -> None:
    if kind not in batch:
        raise InputError(
            f"{task} has inputs without {kind} ({', '.join(sorted(batch))})",
            hint="this model reads text only" if kind == "text" else "leave --modality out",
        )
