"""A tiny distillation, for the tests and, as a script, for a process that can be killed.

python -m tests.train.run_tiny FOLDER
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from biencoder.models.llama import LlamaEncoder
from biencoder.train.distil import DistilData, DistilSettings, StepRecord, distil
from biencoder.train.plan import plan_steps
from tests import tiny

SETTINGS = DistilSettings(
    sizes=(16, 64), learning_rate=1e-3, warmup_steps=2, evaluate_every=4, save_every=3
)
STEPS = 10


def data(identity: str = "tiny") -> DistilData:
    """40 texts of 9 tokens in 10 steps, and a target for each."""
    targets = np.random.default_rng(1).normal(size=(40, 64)).astype(np.float16)
    plan = plan_steps([[row] for row in range(40)], np.full(40, 9), tokens_per_step=4 * 9, seed=3)
    assert len(plan.steps) == STEPS
    return DistilData(tiny.random_ids([9] * 40), targets, plan, identity)


def model() -> LlamaEncoder:
    student = LlamaEncoder(tiny.SHAPES["300m"])
    student.load_state_dict(tiny.weights(tiny.SHAPES["300m"]))
    return student


def evaluate(student: LlamaEncoder) -> dict[str, float]:
    """A figure that depends on every weight."""
    return {"sum": sum(float(p.detach().double().sum()) for p in student.parameters())}


def run(
    folder: Path, *, settings: DistilSettings = SETTINGS, identity: str = "tiny"
) -> Iterator[StepRecord]:
    torch.set_num_threads(1)
    return distil(model(), data(identity), settings, folder=folder, evaluate=evaluate)


if __name__ == "__main__":
    for record in run(Path(sys.argv[1])):
        print(record.step, flush=True)
