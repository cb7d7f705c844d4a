"""A checkpoint is loaded whole or not at all, and the message names the tensor."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from tests import tiny
from torch import Tensor

from biencoder.config.dialects import write_d1
from biencoder.embedder.embedder import Embedder
from biencoder.errors import CheckpointError, ConfigError

Q = "layers.1.self_attn.q_proj.weight"


def load(folder: Path) -> Embedder:
    return Embedder.load(folder, dtype="float32", device="cpu")


def stored(tmp_path: Path, tensors: dict[str, Tensor]) -> Path:
    return tiny.write_checkpoint(tmp_path / "checkpoint", tensors=tensors)


def tensors() -> dict[str, Tensor]:
    return tiny.weights(tiny.SHAPES["1b"])


@pytest.mark.parametrize("name", ["embed_tokens.weight", Q, "norm.weight"])
def test_a_missing_tensor_is_named(tmp_path: Path, name: str) -> None:
    kept = tensors()
    del kept[name]
    with pytest.raises(CheckpointError, match=rf"lacks 1 of 29 tensors, first '{name}'"):
        load(stored(tmp_path, kept))


def test_a_missing_layer_is_told_with_the_layers_that_are_there(tmp_path: Path) -> None:
    kept = {name: t for name, t in tensors().items() if not name.startswith("layers.2.")}
    with pytest.raises(CheckpointError, match=r"lacks 9 of 29(.|\n)*layers 0-1"):
        load(stored(tmp_path, kept))


def test_an_extra_tensor_is_named(tmp_path: Path) -> None:
    extra = "layers.1.self_attn.q_proj.bias"
    with pytest.raises(CheckpointError, match=extra):
        load(stored(tmp_path, tensors() | {extra: torch.zeros(64)}))


def test_a_renamed_tensor_is_named(tmp_path: Path) -> None:
    changed = tensors()
    changed["layers.1.self_attn.query.weight"] = changed.pop(Q)
    with pytest.raises(CheckpointError, match=r"layers\.1\.self_attn\.query\.weight"):
        load(stored(tmp_path, changed))


def test_a_misshapen_tensor_is_named_with_both_shapes(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"{Q}' has shape \(64, 32\).*\(64, 64\)"):
        load(stored(tmp_path, tensors() | {Q: torch.zeros(64, 32)}))


def test_a_doubled_tensor_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"{Q}' twice.*model\.{Q}"):
        load(stored(tmp_path, tensors() | {f"model.{Q}": torch.zeros(64, 64)}))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_a_weight_that_is_not_finite_is_named(tmp_path: Path, value: float) -> None:
    changed = tensors()
    changed[Q][3, 5] = value
    with pytest.raises(CheckpointError, match=rf"{Q}' holds NaN or infinity"):
        load(stored(tmp_path, changed))


def test_a_large_but_finite_bfloat16_tensor_is_no_infinity(tmp_path: Path) -> None:
    changed = {name: tensor.bfloat16() for name, tensor in tensors().items()}
    changed["embed_tokens.weight"] = changed["embed_tokens.weight"] * 1e3
    assert load(stored(tmp_path, changed)).encode_queries(["a"]).shape == (1, 64)


@pytest.mark.parametrize("dtype", [torch.float8_e4m3fn, torch.int8, torch.uint8])
def test_codes_are_not_loaded_as_weights(tmp_path: Path, dtype: torch.dtype) -> None:
    with pytest.raises(CheckpointError, match="quantised"):
        load(stored(tmp_path, tensors() | {Q: torch.zeros(64, 64).to(dtype)}))


@pytest.mark.parametrize("scale", ["weight_scale", "input_scale", "weight_scale_2"])
def test_quantisation_scales_are_refused(tmp_path: Path, scale: str) -> None:
    extra = {f"layers.0.mlp.up_proj.{scale}": torch.ones(1)}
    with pytest.raises(CheckpointError, match="quantised"):
        load(stored(tmp_path, tensors() | extra))


def test_a_rerankers_head_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="reranker"):
        load(stored(tmp_path, tensors() | {"score.weight": torch.zeros(1, 64)}))


def test_a_quantised_config_is_refused_before_the_weights_are_read(folder: Path) -> None:
    tiny.edit_json(folder / "config.json", quantization_config={"quant_algo": "FP8"})
    (folder / "model.safetensors").unlink()
    with pytest.raises(ConfigError, match="FP8"):
        load(folder)


def test_weights_that_are_only_a_pickle_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="pickle"):
        load(folder)


def test_a_folder_without_weights_says_what_is_missing(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"neither model\.safetensors nor"):
        load(folder)


def test_a_file_cut_short_is_told_as_damaged(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="cannot be read"):
        load(folder)


def shard(folder: Path, *, names: tuple[str, str] = ("a.safetensors", "b.safetensors")) -> None:
    every = tensors()
    half = dict(list(every.items())[:14])
    rest = {name: tensor for name, tensor in every.items() if name not in half}
    (folder / "model.safetensors").unlink(missing_ok=True)
    save_file(half, folder / names[0])
    save_file(rest, folder / names[1])
    weight_map = dict.fromkeys(half, names[0]) | dict.fromkeys(rest, names[1])
    tiny.write_json(folder / "model.safetensors.index.json", {"weight_map": weight_map})


def test_shards_give_the_vectors_of_the_single_file(folder: Path, model: Embedder) -> None:
    shard(folder)
    np.testing.assert_array_equal(
        load(folder).encode_documents(tiny.TEXTS), model.encode_documents(tiny.TEXTS)
    )


def test_a_missing_shard_is_named(folder: Path) -> None:
    shard(folder)
    (folder / "b.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"b\.safetensors, which is not there"):
        load(folder)


@pytest.mark.parametrize("outside", ["../b.safetensors", "/etc/passwd", "sub/b.safetensors"])
def test_an_index_that_points_outside_its_folder_is_refused(folder: Path, outside: str) -> None:
    shard(folder)
    index = folder / "model.safetensors.index.json"
    weight_map = json.loads(index.read_text())["weight_map"]
    tiny.write_json(index, {"weight_map": weight_map | {Q: outside}})
    with pytest.raises(CheckpointError, match="points outside"):
        load(folder)


@pytest.mark.parametrize("weight_map", [None, {}, []])
def test_an_index_without_a_map_is_refused(folder: Path, weight_map: object) -> None:
    shard(folder)
    tiny.write_json(folder / "model.safetensors.index.json", {"weight_map": weight_map})
    with pytest.raises(CheckpointError, match="no weight_map"):
        load(folder)


@pytest.mark.parametrize("prefix", ["", "model.", "language_model.", "language_model.model."])
def test_layout_prefixes_are_stripped(tmp_path: Path, prefix: str, model: Embedder) -> None:
    named = {prefix + name: tensor for name, tensor in tensors().items()}
    named |= {
        "lm_head.weight": torch.zeros(300, 64),
        "layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(8),
        "embeddings.position_ids": torch.zeros(8),
    }
    np.testing.assert_array_equal(
        load(stored(tmp_path, named)).encode_documents(tiny.TEXTS),
        model.encode_documents(tiny.TEXTS),
    )


def test_a_tokenizer_larger_than_the_embedding_table_is_refused(tmp_path: Path) -> None:
    raw = write_d1(tiny.SHAPES["1b"]) | {"vocab_size": 299}
    small = tensors()
    small["embed_tokens.weight"] = small["embed_tokens.weight"][:299].clone()
    with pytest.raises(CheckpointError, match=r"token 299.*ends at 298"):
        load(tiny.write_checkpoint(tmp_path / "small", raw=raw, tensors=small))


def test_an_embedding_table_larger_than_the_tokenizer_is_fine(tmp_path: Path) -> None:
    raw = write_d1(tiny.SHAPES["1b"]) | {"vocab_size": 320}
    large = tensors()
    large["embed_tokens.weight"] = torch.cat((large["embed_tokens.weight"], torch.zeros(20, 64)))
    folder = tiny.write_checkpoint(tmp_path / "large", raw=raw, tensors=large)
    assert load(folder).encode_queries(["a"]).shape == (1, 64)


@pytest.mark.parametrize("content", [None, "{", "{}"])
def test_a_missing_or_damaged_tokenizer_is_an_error(folder: Path, content: str | None) -> None:
    (folder / "tokenizer.json").unlink()
    if content is not None:
        (folder / "tokenizer.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
        load(folder)
