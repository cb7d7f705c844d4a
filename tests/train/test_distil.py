"""A run that was stopped, or killed, goes on as if nothing had happened, bit for bit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from biencoder.errors import CheckpointError
from biencoder.train.checkpoint import load_state, save_state
from biencoder.train.distil import DistilSettings, principal_axes
from tests.train import run_tiny

ROOT = Path(__file__).parents[2]


def log(folder: Path, name: str = "steps") -> list[dict[str, Any]]:
    """The lines of a log, without the time they took."""
    lines = (folder / f"{name}.jsonl").read_text().splitlines()
    return [{k: v for k, v in json.loads(line).items() if k != "seconds"} for line in lines]


def final(folder: Path) -> dict[str, torch.Tensor]:
    state: dict[str, torch.Tensor] = load_file(
        folder / "state" / f"step-{run_tiny.STEPS}" / "state.safetensors"
    )
    return state


@pytest.fixture(scope="module")
def straight(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run from start to end without a stop."""
    folder = tmp_path_factory.mktemp("straight")
    assert len(list(run_tiny.run(folder))) == run_tiny.STEPS
    return folder


def assert_same_run(folder: Path, straight: Path) -> None:
    assert log(folder) == log(straight)
    assert log(folder, "evaluations") == log(straight, "evaluations")
    expected = final(straight)
    for name, tensor in final(folder).items():
        assert torch.equal(tensor, expected[name]), name


@pytest.mark.parametrize("stopped_after", [1, 2, 3, 4, 8, 9])
def test_an_abandoned_run_resumes_to_bit_equal_losses_and_weights(
    tmp_path: Path, straight: Path, stopped_after: int
) -> None:
    assert len(list(islice(run_tiny.run(tmp_path), stopped_after))) == stopped_after
    again = [record.step for record in run_tiny.run(tmp_path)]
    # The record of step 2 comes after the save of three steps.
    assert again == list(range(stopped_after // 3 * 3, run_tiny.STEPS))
    assert_same_run(tmp_path, straight)


def test_a_run_that_is_stopped_again_and_again_ends_the_same(
    tmp_path: Path, straight: Path
) -> None:
    for _ in range(2):
        list(islice(run_tiny.run(tmp_path), 4))
    list(run_tiny.run(tmp_path))
    assert_same_run(tmp_path, straight)


def test_a_killed_process_resumes_to_bit_equal_losses_and_weights(
    tmp_path: Path, straight: Path
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.train.run_tiny", str(tmp_path)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process, process.stdout:
        for line in process.stdout:
            if int(line) >= 4:
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    # What a kill in the middle of a line and of a save would leave.
    with (tmp_path / "steps.jsonl").open("a") as file:
        file.write('{"step": 99, "lo')
    (tmp_path / "state" / ".step-99.draft").mkdir()
    list(run_tiny.run(tmp_path))
    assert_same_run(tmp_path, straight)


def test_a_finished_run_is_not_run_again(straight: Path) -> None:
    before = log(straight)
    assert list(run_tiny.run(straight)) == []
    assert log(straight) == before


@pytest.mark.parametrize(
    ("identity", "settings", "named"),
    [
        ("other data", run_tiny.SETTINGS, "data='tiny', now it is 'other data'"),
        ("tiny", replace(run_tiny.SETTINGS, learning_rate=2e-3), "settings="),
        ("tiny", replace(run_tiny.SETTINGS, sizes=(64,)), "settings="),
    ],
)
def test_other_data_or_settings_do_not_resume(
    tmp_path: Path, identity: str, settings: DistilSettings, named: str
) -> None:
    list(islice(run_tiny.run(tmp_path), 4))
    with pytest.raises(CheckpointError, match=named):
        next(run_tiny.run(tmp_path, identity=identity, settings=settings))


def test_the_loss_falls_and_every_record_counts_its_texts(straight: Path) -> None:
    records = log(straight)
    assert [record["step"] for record in records] == list(range(run_tiny.STEPS))
    assert {(record["texts"], record["tokens"]) for record in records} == {(4, 36)}
    for record in records:
        total = record["cosine"] + 10.0 * record["similarity"]
        assert record["loss"] == pytest.approx(total, rel=1e-6)
    assert [line["step"] for line in log(straight, "evaluations")] == [3, 7, 9]


def test_training_on_few_texts_learns_them(tmp_path: Path) -> None:
    from biencoder.train.distil import DistilData, distil
    from biencoder.train.plan import StepPlan

    one = run_tiny.data()
    rows = np.arange(8)
    repeated = DistilData(one.ids, one.targets_SD, StepPlan((rows,) * 40), "repeated")
    settings = replace(run_tiny.SETTINGS, save_every=1000, evaluate_every=1000)
    losses = [
        record.loss
        for record in distil(
            run_tiny.model(), repeated, settings, folder=tmp_path, evaluate=run_tiny.evaluate
        )
    ]
    assert losses[-1] < 0.5 * losses[0]


def test_a_state_is_read_back_and_only_the_newest_is_kept(tmp_path: Path) -> None:
    assert load_state(tmp_path, {"a": 1}) is None
    for step in (1, 2):
        save_state(tmp_path, step, {"x": torch.full((2,), float(step))}, {"a": 1})
    found = load_state(tmp_path, {"a": 1})
    assert found is not None
    assert (found[0], found[1]["x"].tolist()) == (2, [2.0, 2.0])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["LATEST", "step-2"]


@pytest.mark.parametrize("facts", [{"a": 2}, {}, {"a": 1, "b": 1}])
def test_a_state_of_another_run_is_an_error(tmp_path: Path, facts: dict[str, int]) -> None:
    save_state(tmp_path, 1, {"x": torch.zeros(1)}, {"a": 1})
    with pytest.raises(CheckpointError, match="was made with"):
        load_state(tmp_path, facts)


def test_a_save_that_was_killed_before_its_pointer_leaves_the_old_state(tmp_path: Path) -> None:
    save_state(tmp_path, 1, {"x": torch.ones(1)}, {})
    (tmp_path / "step-2").mkdir()
    (tmp_path / ".step-3.draft").mkdir()
    found = load_state(tmp_path, {})
    assert found is not None
    assert found[0] == 1
    save_state(tmp_path, 2, {"x": torch.zeros(1)}, {})
    found = load_state(tmp_path, {})
    assert found is not None
    assert (found[0], found[1]["x"].item()) == (2, 0.0)


def test_principal_axes_turn_without_changing_a_cosine_and_put_the_strongest_first() -> None:
    generator = np.random.default_rng(0)
    vectors = (generator.normal(size=(200, 5)) * [1, 9, 3, 0.1, 5]).astype(np.float32)
    axes = principal_axes(vectors)
    np.testing.assert_allclose(axes.T @ axes, np.eye(5), atol=1e-5)
    turned = vectors @ axes
    np.testing.assert_allclose(turned @ turned.T, vectors @ vectors.T, rtol=1e-3, atol=1e-2)
    strength = np.square(turned).sum(axis=0)
    singular = np.linalg.svd(vectors, compute_uv=False)
    np.testing.assert_allclose(strength, singular**2, rtol=1e-3)
