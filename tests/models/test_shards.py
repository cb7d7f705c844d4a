"""Weight files: the same weights are the same bytes."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import safe_open

from biencoder.models.shards import write_shards

METADATA = {"license": "größer als nichts", "a": "1", "b": "2", "c": "3"}


def test_two_saves_of_the_same_weights_are_the_same_bytes(tmp_path: Path) -> None:
    tensors = {"b.weight": torch.arange(6.0).view(2, 3), "a.bias": torch.ones(3)}
    saved = set()
    # Five keys can stand in 120 orders: that ten saves agree by chance does not happen.
    for number in range(10):
        folder = tmp_path / str(number)
        folder.mkdir()
        write_shards(folder, tensors.items(), total_bytes=36, metadata=METADATA)
        saved.add((folder / "model.safetensors").read_bytes())
    assert len(saved) == 1
    with safe_open(tmp_path / "0/model.safetensors", framework="pt") as file:
        assert file.metadata() == {"format": "pt", **METADATA}
        assert torch.equal(file.get_tensor("b.weight"), tensors["b.weight"])
        assert torch.equal(file.get_tensor("a.bias"), tensors["a.bias"])
