"""One task of mteb: what this model cannot read, what cannot be had, what stands already, the score."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biencoder.embedder.pages.page import Modality
from biencoder.evaluate.benchmark_result import (
    TaskScore,
    Unavailable,
    newest,
    own_name,
)
from biencoder.evaluate.conditions import conditions
from biencoder.evaluate.mteb_model import MtebModel
from biencoder.evaluate.settings import MEASURES

if TYPE_CHECKING:
    from mteb import ResultCache
    from mteb.abstasks.abstask import AbsTask
    from mteb.results import TaskResult

_COUNTED_BEFORE = "texts were counted in an earlier run"
_COUNTED_IN_PART = "counts are those of the last run, which resumed an earlier one"
_READ: dict[Modality | None, str] = {
    "text": "documents have image and text; only the text was read",
    "image": "of the documents the images were read",
    "image_text": "of the documents images and texts were read",
}
# mteb decodes a batch of images at once: a page is some ten megabytes.
_PAGES_A_BATCH = 4
_TEXTS_A_BATCH = 32


def run_task(
    task: AbsTask,
    model: MtebModel,
    folder: Path,
    *,
    metric: str | None = None,
    before: TaskScore | None = None,
) -> TaskScore | Unavailable:
    """Score a task, or read its score where mteb's files in ``folder`` hold all of it.

    metric: a key of mteb's scores instead of the task's main one. before: this task in an earlier
    summary, for counts and conditions, which mteb's files do not hold. Scores are read from mteb's files, which round to six decimals, so that
    a resumed run and a fresh one give the same number.
    """
    import mteb
    from mteb.abstasks.aggregated_task import AbsTaskAggregate

    refusal = _unreadable(task, model)
    if refusal:
        return Unavailable(name=task.metadata.name, reason=refusal)
    cache = mteb.ResultCache(folder)
    if isinstance(task, AbsTaskAggregate):
        return _run_aggregate(task, model, cache, metric)
    stored = _stored(task, model, cache)
    model.reset()
    if stored is None or stored.get_missing_evaluations(task):
        reason = _load(task)
        if reason:
            return Unavailable(name=task.metadata.name, reason=reason)
        try:
            _evaluate(task, model, cache, again=stored is None)
        finally:
            task.unload_data()
        note = _COUNTED_IN_PART if stored is not None else ""
        return _score(task, model, cache, metric, note=note)
    score = _score(task, model, cache, metric, note=_COUNTED_BEFORE)
    if isinstance(score, TaskScore) and before is not None and before.scores == score.scores:
        return replace(
            score,
            counts=before.counts,
            prompts=before.prompts,
            note=before.note,
            conditions=before.conditions or score.conditions,
        )
    return score


def _run_aggregate(
    task: AbsTask, model: MtebModel, cache: ResultCache, metric: str | None
) -> TaskScore | Unavailable:
    """A task that is the mean of others: each is run by itself, then mteb combines its files."""
    parts: Sequence[AbsTask] = task.metadata.tasks
    done: list[TaskScore] = []
    for part in parts:
        outcome = run_task(part, model, cache.cache_path, metric=metric)
        if isinstance(outcome, Unavailable):
            reason = f"its part {outcome.name} is unavailable: {outcome.reason}"
            return Unavailable(name=task.metadata.name, reason=reason)
        done.append(outcome)
    _evaluate(task, model, cache, again=False)
    score = _score(task, model, cache, metric, note="")
    if isinstance(score, Unavailable):
        return score
    counts: Counter[str] = Counter()
    prompts: dict[str, dict[str, None]] = {}
    for part_score in done:
        counts.update(part_score.counts)
        for side, texts in part_score.prompts.items():
            prompts.setdefault(side, {}).update(dict.fromkeys(texts))
    return replace(
        score,
        counts=dict(counts),
        prompts={side: tuple(texts) for side, texts in prompts.items()},
        note=next((part.note for part in done if part.note), ""),
        conditions=newest([part.conditions for part in done]),
    )


def _unreadable(task: AbsTask, model: MtebModel) -> str:
    """Why the model cannot do this task; empty where it can.

    A search needs words in its queries, and documents of which the model reads something: of those
    with image and text a model of texts reads the text.
    """
    from mteb.abstasks import AbsTaskRetrieval
    from mteb.types import PromptType

    if not isinstance(task, AbsTaskRetrieval):
        kinds = list(task.metadata.modalities)
        return "" if kinds == ["text"] else _reads_text("its inputs", kinds, model)
    kinds = list(task.metadata.get_modalities(PromptType.query))
    if "text" not in kinds:
        return _reads_text("its queries", kinds, model)
    if model.read_of(task.metadata) is not None:
        return ""
    kinds = list(task.metadata.get_modalities(PromptType.document))
    if model.pages is None:
        return _reads_text("its documents", kinds, model)
    return f"its documents are {' and '.join(kinds)}, and {model.modality} was asked for"


def _reads_text(side: str, kinds: Sequence[str], model: MtebModel) -> str:
    there = "text only" if model.pages is None else "text only here"
    return f"{side} are {' and '.join(kinds)}, and {model.name} reads {there}"


def _stored(task: AbsTask, model: MtebModel, cache: ResultCache) -> TaskResult | None:
    """What an earlier run left of this task; None for nothing usable."""
    try:
        stored = cache.load_task_result(task.metadata.name, model.mteb_model_meta)
    except ValueError:
        # mteb writes its files in place: a run killed while writing leaves half a file.
        return None
    return stored if stored is not None and stored.is_mergeable(task) else None


def _load(task: AbsTask) -> str:
    """Load the data; the reason where they cannot be had, else nothing."""
    import huggingface_hub.errors as hub
    from datasets.exceptions import DatasetsError

    # The hub's own name for what its HTTP library raises: httpx in one version, httpx2 in the next.
    http_error: type[Exception] = hub.HTTPError  # type: ignore[attr-defined]
    try:
        # The seconds in mteb's files begin after this: they are those of encoding and scoring.
        task.load_data()
    except (OSError, http_error, DatasetsError, hub.EntryNotFoundError) as error:
        return _first_line(error)
    except ValueError as error:
        # A data set of which only another part is in the local cache has no error class of its own.
        if not str(error).startswith("Couldn't find cache for"):
            raise
        return _first_line(error)
    return ""


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or ["no reason given"]
    return f"{type(error).__name__}: {lines[0]}"


def _evaluate(task: AbsTask, model: MtebModel, cache: ResultCache, *, again: bool) -> None:
    import mteb

    with warnings.catch_warnings(), _no_inner_bars():
        # A benchmark says which tasks it has; that newer ones exist helps nobody who asked for it.
        warnings.filterwarnings("ignore", message="The task '.*' is superseded by")
        mteb.evaluate(
            model,
            task,
            cache=cache,
            overwrite_strategy="always" if again else "only-missing",
            co2_tracker=False,
            public_only=False,
            show_progress_bar=False,
            encode_kwargs={
                "batch_size": _PAGES_A_BATCH if _images(task, model) else _TEXTS_A_BATCH,
                "show_progress_bar": False,
            },
        )


def _images(task: AbsTask, model: MtebModel) -> bool:
    return "image" in task.metadata.modalities and model.read_of(task.metadata) != "text"


def _what_was_read(task: AbsTask, model: MtebModel) -> str:
    """Told where the documents are pages."""
    if "image" not in task.metadata.modalities:
        return ""
    return _READ[model.read_of(task.metadata) or "text"]


@contextmanager
def _no_inner_bars() -> Iterator[None]:
    """Without the bars of every small step on the data, which would break ours."""
    from datasets import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    if are_progress_bars_disabled():
        yield
        return
    disable_progress_bars()
    try:
        yield
    finally:
        enable_progress_bars()


def _score(
    task: AbsTask, model: MtebModel, cache: ResultCache, metric: str | None, *, note: str
) -> TaskScore | Unavailable:
    """The score out of mteb's file: the plain mean over splits and subsets, none of them missing."""
    stored = cache.load_task_result(task.metadata.name, model.mteb_model_meta)
    assert stored is not None, "mteb keeps what it evaluates"
    wanted = metric or "main_score"
    scores, metrics = _of_subsets(task, stored, wanted), {}
    for split, subsets in scores.items():
        for subset, value in subsets.items():
            if math.isnan(value):
                reason = f"mteb gave no {metric or 'main score'} for {split}, {subset}"
                return Unavailable(name=task.metadata.name, reason=reason)
    main = metric or str(task.metadata.main_score)
    for name in (main, *(measure.replace("@", "_at_") for measure in MEASURES)):
        mean = _mean(scores if name == main else _of_subsets(task, stored, name))
        if not math.isnan(mean):
            metrics[own_name(name)] = mean
    fresh = note != _COUNTED_BEFORE
    notes = [note, _what_was_read(task, model)]
    return TaskScore(
        name=task.metadata.name,
        type=str(task.metadata.type),
        metric=main,
        score=_mean(scores),
        scores=scores,
        metrics=metrics,
        prompts={side: tuple(texts) for side, texts in model.prompts.items()},
        counts=dict(model.counts) if fresh else {},
        seconds=stored.evaluation_time,
        note="; ".join(filter(None, notes)),
        data=stored.dataset_revision or "",
        mteb=stored.mteb_version or "",
        conditions=conditions() if fresh else _told_by(stored),
    )


def _of_subsets(task: AbsTask, stored: TaskResult, name: str) -> dict[str, dict[str, float]]:
    """One score by split and subset, NaN where mteb gave none."""
    scores: dict[str, dict[str, float]] = {}
    for split in task.eval_splits:
        found = {entry["hf_subset"]: entry for entry in stored.scores.get(split, [])}
        for subset in task.hf_subsets:
            value = found.get(subset, {}).get(name)
            scores.setdefault(split, {})[subset] = math.nan if value is None else float(value)
    return scores


def _mean(scores: Mapping[str, Mapping[str, float]]) -> float:
    values = [value for subsets in scores.values() for value in subsets.values()]
    return sum(values) / len(values)


def _told_by(stored: TaskResult) -> dict[str, Any]:
    """What mteb's own file says of the run that measured: its version and, from newer ones, a date."""
    told: dict[str, Any] = {}
    if stored.mteb_version:
        told["versions"] = {"mteb": stored.mteb_version}
    if stored.date is not None:
        told["date"] = stored.date.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return told
