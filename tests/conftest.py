"""What all tests share: no network, one thread, tiny checkpoints made once per session."""

from __future__ import annotations

import os

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, settings

from biencoder.embedder import notices
from biencoder.embedder.embedder import Embedder
from tests import tiny

# Products of tiny matrices gain nothing from a second thread, and wait for it on a busy machine.
torch.set_num_threads(1)

# A law is not broken because the machine was busy.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def _nothing_was_said_before(monkeypatch: pytest.MonkeyPatch) -> None:
    """A warning that one test drew out must be drawn out again by the next."""
    monkeypatch.setattr(notices, "_said", set())


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A tiny checkpoint folder (dialect D1) for each of the four text shapes. Read, never write."""
    root = tmp_path_factory.mktemp("checkpoints")
    return {shape: tiny.write_checkpoint(root / shape, shape) for shape in tiny.SHAPES}


@pytest.fixture(scope="session")
def model(checkpoints: dict[str, Path]) -> Embedder:
    """The tiny 1b in float32."""
    return Embedder.load(checkpoints["1b"], dtype="float32", device="cpu")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tiny 1b checkpoint of its own, to be damaged by a test."""
    return tiny.write_checkpoint(tmp_path / "checkpoint", "1b")
