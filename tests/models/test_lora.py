"""An adapter folder is its base with ``W + alpha / r * B A``, and nothing cleverer than that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests import tiny
from torch import Tensor

from biencoder.config.adapter import parse_adapter
from biencoder.embedder.embedder import Embedder
from biencoder.errors import CheckpointError, ConfigError

R, ALPHA = 4, 10
PLAIN: dict[str, Any] = {"peft_type": "LORA", "r": R, "lora_alpha": ALPHA, "bias": "none"}
TARGETS = ["layers.0.self_attn.q_proj", "layers.2.self_attn.k_proj", "layers.1.mlp.down_proj"]


def halves(seed: int = 5) -> dict[str, tuple[Tensor, Tensor]]:
    """Module name to (A, B)."""
    shapes = tiny.SHAPES["1b"].tensor_shapes()
    generator = torch.Generator().manual_seed(seed)

    def random(*size: int) -> Tensor:
        return torch.randn(size, generator=generator) * 0.1

    return {
        target: (
            random(R, shapes[f"{target}.weight"][1]),
            random(shapes[f"{target}.weight"][0], R),
        )
        for target in TARGETS
    }


def write_adapter(
    folder: Path,
    base: Path,
    *,
    prefix: str = "base_model.model.",
    suffix: str = ".weight",
    **config: Any,
) -> Path:
    folder.mkdir()
    raw = PLAIN | {"base_model_name_or_path": str(base)} | config
    (folder / "adapter_config.json").write_text(json.dumps(raw))
    tensors = {}
    for module, (a, b) in halves().items():
        tensors[f"{prefix}{module}.lora_A{suffix}"] = a
        tensors[f"{prefix}{module}.lora_B{suffix}"] = b
    save_file(tensors, folder / "adapter_model.safetensors")
    return folder


def load(folder: Path) -> Embedder:
    return Embedder.load(folder, dtype="float32", device="cpu")


@pytest.fixture(scope="module")
def merged(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    """The same adapter added to the weights by hand."""
    weights = tiny.weights(tiny.SHAPES["1b"])
    for module, (a, b) in halves().items():
        for row in range(b.shape[0]):
            weights[f"{module}.weight"][row] += (
                ALPHA
                / R
                * sum((b[row, rank] * a[rank] for rank in range(R)), torch.zeros(a.shape[1]))
            )
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("merged") / "1b", tensors=weights)
    return load(folder)


@pytest.mark.parametrize("suffix", [".weight", ".default.weight"])
@pytest.mark.parametrize(
    "prefix", ["base_model.model.", "base_model.model.model.", "base_model.model.model.model."]
)
def test_a_lora_equals_the_merge_by_hand(
    tmp_path: Path, folder: Path, merged: Embedder, model: Embedder, prefix: str, suffix: str
) -> None:
    adapted = load(write_adapter(tmp_path / "lora", folder, prefix=prefix, suffix=suffix))
    vectors = adapted.encode_documents(tiny.TEXTS)
    np.testing.assert_allclose(vectors, merged.encode_documents(tiny.TEXTS), atol=1e-6)
    assert np.abs(vectors - model.encode_documents(tiny.TEXTS)).max() > 1e-3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"use_rslora": True}, "rank-stabilised"),
        ({"modules_to_save": ["norm"]}, "whole saved modules"),
        ({"rank_pattern": {"q_proj": 8}}, "ranks per layer"),
        ({"alpha_pattern": {"q_proj": 8}}, "scales per layer"),
        ({"fan_in_fan_out": True}, "transposed"),
        ({"bias": "all"}, "biases"),
        ({"peft_type": "IA3"}, "IA3"),
        ({"r": 0}, "r and lora_alpha"),
        ({"lora_alpha": None}, "r and lora_alpha"),
        ({"base_model_name_or_path": None}, "base_model_name_or_path"),
    ],
)
def test_other_kinds_of_adapter_are_refused_by_name(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_adapter(PLAIN | {"base_model_name_or_path": "base"} | change)


def test_an_adapter_for_a_module_that_the_base_lacks_is_refused(
    tmp_path: Path, folder: Path
) -> None:
    adapter = write_adapter(tmp_path / "lora", folder)
    tensors = {
        "base_model.model.layers.9.mlp.up_proj.lora_A.weight": torch.zeros(R, 64),
        "base_model.model.layers.9.mlp.up_proj.lora_B.weight": torch.zeros(128, R),
    }
    save_file(tensors, adapter / "adapter_model.safetensors")
    with pytest.raises(CheckpointError, match=r"layers\.9\.mlp\.up_proj"):
        load(adapter)


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("layers.0.mlp.up_proj.lora_A.weight", (R, 64), "one half"),
        ("layers.0.mlp.up_proj.lora_magnitude_vector", (64,), "no plain LoRA"),
        ("layers.0.self_attn.q_proj.lora_A.weight", (R + 1, 64), "has shapes"),
    ],
)
def test_a_damaged_adapter_is_refused(
    tmp_path: Path, folder: Path, name: str, shape: tuple[int, ...], message: str
) -> None:
    adapter = write_adapter(tmp_path / "lora", folder)
    path = adapter / "adapter_model.safetensors"
    tensors = {
        f"base_model.model.{module}.lora_{half}.weight": tensor
        for module, pair in halves().items()
        for half, tensor in zip("AB", pair, strict=True)
    }
    save_file(tensors | {f"base_model.model.{name}": torch.zeros(shape)}, path)
    with pytest.raises(CheckpointError, match=message):
        load(adapter)


def test_an_adapter_without_weights_and_an_adapter_on_an_adapter_are_refused(
    tmp_path: Path, folder: Path
) -> None:
    adapter = write_adapter(tmp_path / "lora", folder)
    with pytest.raises(ConfigError, match="itself an adapter"):
        load(write_adapter(tmp_path / "second", adapter))
    (adapter / "adapter_model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no adapter_model\.safetensors"):
        load(adapter)
