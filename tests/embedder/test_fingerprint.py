"""One hash over everything that decides a vector, and over nothing else."""

from __future__ import annotations

import json
import shutil
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tests import tiny

from biencoder.config.family import MINI
from biencoder.config.model import LlamaConfig
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.fingerprint import deciding, fingerprint
from biencoder.embedder.random_checkpoint import write_random_checkpoint
from biencoder.errors import CheckpointError


@pytest.fixture
def folder(checkpoints: dict[str, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(checkpoints["1b"], tmp_path / "model"))


def of(folder: Path, dtype: str = "float32") -> str:
    return fingerprint(Embedder.load(folder, dtype=dtype))


def test_a_copy_under_another_name_in_another_format_is_the_same_model(
    folder: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "another name"))
    assert of(folder) == of(copy) == of(copy, "bfloat16")


def test_one_changed_weight_is_another_model(folder: Path) -> None:
    before = of(folder)
    path = folder / "model.safetensors"
    weights = load_file(path)
    weights["embed_tokens.weight"][0, 0] += 1
    save_file(weights, path, {"format": "pt"})
    assert of(folder) != before


@pytest.mark.parametrize(
    ("file", "change"),
    [
        ("config_sentence_transformers.json", {"prompts": {"query": "q: ", "document": "d: "}}),
        ("sentence_bert_config.json", {"max_seq_length": 40}),
        ("config.json", {"rope_theta": 10000.0}),
        ("tokenizer.json", {"normalizer": {"type": "Lowercase"}}),
    ],
)
def test_another_prompt_limit_configuration_or_tokenizer_is_another_model(
    file: str, change: dict[str, object], folder: Path
) -> None:
    before = of(folder)
    path = folder / file
    old = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps(old | change))
    assert of(folder) != before


def test_a_folder_whose_weights_have_gone_is_an_error(folder: Path) -> None:
    embedder = Embedder.load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"holds no \.safetensors"):
        fingerprint(embedder)


def test_ten_loads_of_a_random_checkpoint_give_one_value(tmp_path: Path) -> None:
    config = replace(tiny.SHAPES["1b"], bos_token_id=101, eos_token_id=102)
    write_random_checkpoint(MINI, tmp_path / "random", seed=0, config=config)
    assert len({of(tmp_path / "random") for _ in range(10)}) == 1


def test_a_vocabulary_that_the_library_writes_in_no_fixed_order_has_one_fingerprint(
    folder: Path,
) -> None:
    path = folder / "tokenizer.json"
    raw = json.loads(path.read_text())
    vocabulary = raw["model"]["vocab"]
    raw["model"]["vocab"] = {
        piece: 40 if 40 <= index < 46 else index for piece, index in vocabulary.items()
    }
    path.write_text(json.dumps(raw))
    loads = [Embedder.load(folder) for _ in range(10)]
    assert len({load.tokenizer.to_json() for load in loads}) > 1, "the trap has gone"
    assert len({fingerprint(load) for load in loads}) == 1


def test_what_decides_is_told_in_plain_values_that_no_release_of_ours_moves() -> None:
    assert MINI.config is not None
    assert deciding(MINI.config) == {
        "vocab_size": 30522,
        "hidden_size": 384,
        "intermediate_size": 1024,
        "num_hidden_layers": 4,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "head_dim": 64,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "rope_scaling": {
            "factor": 32.0,
            "low_freq_factor": 1.0,
            "high_freq_factor": 4.0,
            "original_max_position_embeddings": 8192,
        },
        "pooling": "avg",
    }
    left_out = {field.name for field in fields(LlamaConfig)} - deciding(MINI.config).keys()
    assert left_out == {
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "dtype",
        "max_position_embeddings",
    }


def test_an_adapter_on_another_base_or_added_more_strongly_is_another_model(
    folder: Path, tmp_path: Path
) -> None:
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    halves = {"lora_A": torch.ones(2, 64), "lora_B": torch.ones(64, 2)}
    prefix = "base_model.model.layers.0.self_attn.q_proj"
    save_file(
        {f"{prefix}.{half}.weight": tensor for half, tensor in halves.items()},
        adapter / "adapter_model.safetensors",
    )
    facts = {"base_model_name_or_path": str(folder), "r": 2, "lora_alpha": 4}
    tiny.write_json(adapter / "adapter_config.json", facts)
    first = of(adapter)
    moved = Path(shutil.copytree(folder, tmp_path / "moved"))
    tiny.edit_json(adapter / "adapter_config.json", base_model_name_or_path=str(moved))
    assert of(adapter) == first != of(folder)
    tiny.edit_json(adapter / "adapter_config.json", lora_alpha=8)
    assert of(adapter) != first
    tiny.edit_json(adapter / "adapter_config.json", lora_alpha=4)
    weights = load_file(moved / "model.safetensors")
    weights["norm.weight"][0] += 1
    save_file(weights, moved / "model.safetensors", {"format": "pt"})
    assert of(adapter) != first
