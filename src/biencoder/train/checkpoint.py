"""Training state on disk: written aside, synced, renamed; a kill leaves the last whole one."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor

from biencoder.errors import CheckpointError

_LATEST = "LATEST"


def save_state(
    folder: Path, step: int, tensors: Mapping[str, Tensor], facts: Mapping[str, Any]
) -> None:
    """Write ``step-N/`` (tensors and facts) and point ``LATEST`` at it; older ones are removed."""
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".step-{step}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    save_file(
        {name: tensor.contiguous() for name, tensor in tensors.items()}, draft / "state.safetensors"
    )
    (draft / "facts.json").write_text(json.dumps({**facts, "step": step}), encoding="utf-8")
    for path in draft.iterdir():
        _sync(path)
    target = folder / f"step-{step}"
    shutil.rmtree(target, ignore_errors=True)
    draft.replace(target)
    pointer = folder / (_LATEST + ".tmp")
    pointer.write_text(target.name, encoding="utf-8")
    _sync(pointer)
    pointer.replace(folder / _LATEST)
    _sync(folder)
    for other in folder.glob("step-*"):
        if other != target:
            shutil.rmtree(other, ignore_errors=True)


def load_state(folder: Path, facts: Mapping[str, Any]) -> tuple[int, dict[str, Tensor]] | None:
    """``(step, tensors)`` of the last whole state, or None where there is none.

    Raises CheckpointError where it was written by a run with other data or other settings: its
    loss curve would bend.
    """
    if not (folder / _LATEST).exists():
        return None
    place = folder / (folder / _LATEST).read_text(encoding="utf-8").strip()
    stored = json.loads((place / "facts.json").read_text(encoding="utf-8"))
    step = int(stored.pop("step"))
    different = sorted(key for key in {*stored, *facts} if stored.get(key) != facts.get(key))
    if different:
        key = different[0]
        raise CheckpointError(
            f"the run in {folder} was made with {key}={stored.get(key)!r}, now it is {facts.get(key)!r}",
            hint="resume with the same data and settings, or start in a new folder",
        )
    return step, load_file(place / "state.safetensors")


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
