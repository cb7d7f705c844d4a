"""Embedding distillation: a student trunk learns a teacher's vectors, packed, resumable.

The teacher's space is first turned by an orthogonal matrix (principal axes of its vectors), which
changes no cosine and puts most of the variance into the leading numbers: the Matryoshka order.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biencoder.batching.pack import build_batch
from biencoder.models.llama import LlamaEncoder
from biencoder.models.packed import Packed
from biencoder.train.checkpoint import load_state, save_state
from biencoder.train.losses import cosine_loss, matryoshka_similarity_loss
from biencoder.train.master import MasterWeights, cosine_schedule
from biencoder.train.plan import StepPlan
from biencoder.types import FloatArray, IntArray

Evaluate = Callable[[LlamaEncoder], Mapping[str, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class DistilSettings:
    """What shapes a run; it goes into the log and must be equal on resume."""

    sizes: tuple[int, ...]
    learning_rate: float = 5e-4
    warmup_steps: int = 50
    weight_decay: float = 0.01
    clip: float = 1.0
    similarity_weight: float = 10.0
    evaluate_every: int = 200
    save_every: int = 100


@dataclass(frozen=True, slots=True)
class DistilData:
    """Tokenised texts (with their role's prompt) and the teacher's vectors, row by row.

    targets_SD: float16 or float32, shape (rows, D). identity: a hash that a resume must match.
    """

    ids: Sequence[IntArray]
    targets_SD: np.ndarray[Any, np.dtype[np.floating[Any]]]
    plan: StepPlan
    identity: str


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One line of the training log."""

    step: int
    loss: float
    cosine: float
    similarity: float
    gradient_norm: float
    texts: int
    tokens: int
    seconds: float


def principal_axes(vectors_SD: FloatArray) -> FloatArray:
    """An orthogonal matrix, shape (D, D), whose columns are the principal axes, strongest first.

    About the origin, not the mean: cosines are measured from the origin.
    """
    _, axes = np.linalg.eigh(vectors_SD.T.astype(np.float64) @ vectors_SD.astype(np.float64))
    return np.ascontiguousarray(axes[:, ::-1]).astype(np.float32)


def distil(
    model: LlamaEncoder,
    data: DistilData,
    settings: DistilSettings,
    *,
    folder: Path,
    evaluate: Evaluate,
) -> Iterator[StepRecord]:
    """Train in place, yielding a record per step; resumes by itself from what ``folder`` holds.

    ``evaluate`` is called on the float-bfloat16 student every so many steps and at the end; its
    figures go into ``evaluations.jsonl``, the records into ``steps.jsonl``.
    """
    weights = MasterWeights(
        model,
        learning_rate=settings.learning_rate,
        weight_decay=settings.weight_decay,
        clip=settings.clip,
    )
    facts = {"data": data.identity, "settings": json.loads(json.dumps(asdict(settings)))}
    found = load_state(folder / "state", facts)
    start = 0
    if found is not None:
        start, tensors = found
        weights.load_state(tensors)
    _trim_log(folder / "steps.jsonl", start)
    _trim_log(folder / "evaluations.jsonl", start)
    total = len(data.plan.steps)
    for step in range(start, total):
        share = cosine_schedule(step, total=total, warmup=settings.warmup_steps)
        record = _train_step(weights, data, settings, step, share)
        _log(folder / "steps.jsonl", asdict(record))
        done = step + 1
        if done % settings.evaluate_every == 0 or done == total:
            _log(folder / "evaluations.jsonl", {"step": step, **evaluate(model)})
        if done % settings.save_every == 0 or done == total:
            save_state(folder / "state", done, weights.state(), facts)
        yield record


def _train_step(
    weights: MasterWeights, data: DistilData, settings: DistilSettings, step: int, share: float
) -> StepRecord:
    began = time.perf_counter()
    rows = data.plan.steps[step]
    # Equal lengths side by side: attention takes each such group in one call.
    rows = rows[np.argsort([len(data.ids[row]) for row in rows], kind="stable")]
    batch = build_batch(data.ids, rows)
    pooled_SD = weights.model.embed(Packed.from_batch(batch, torch.device("cpu")))
    targets_SD = torch.from_numpy(data.targets_SD[rows].astype(np.float32))
    cosine, similarity = _losses(pooled_SD, targets_SD, settings)
    loss = cosine + settings.similarity_weight * similarity
    loss.backward()
    norm = weights.step(share)
    return StepRecord(
        step=step,
        loss=loss.item(),
        cosine=cosine.item(),
        similarity=similarity.item(),
        gradient_norm=norm,
        texts=len(rows),
        tokens=len(batch.tokens_T),
        seconds=time.perf_counter() - began,
    )


def _losses(
    pooled_SD: Tensor, targets_SD: Tensor, settings: DistilSettings
) -> tuple[Tensor, Tensor]:
    return (
        cosine_loss(pooled_SD, targets_SD),
        matryoshka_similarity_loss(pooled_SD, targets_SD, settings.sizes),
    )


def _log(path: Path, record: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(record) + "\n")


def _trim_log(path: Path, step: int) -> None:
    """Drop lines of steps that a kill made undone: they will be written again."""
    if not path.exists():
        return
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] < step]
    path.write_text("".join(kept), encoding="utf-8")
