"""One hash over everything that decides a vector, and over nothing else."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from biencoder.embedder.embedder import Embedder
from biencoder.embedder.fingerprint import fingerprint
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
    ],
)
def test_another_prompt_limit_or_configuration_is_another_model(
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
