"""Random checkpoints: they load, they repeat by seed, they never pass for the real ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from biencoder.config.family import FAMILY, Member, member_named
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.random_checkpoint import write_random_checkpoint
from biencoder.errors import InputError, OutputError

MEMBERS = [member for member in FAMILY if member.config is not None]


def cut_down(member: Member) -> object:
    assert member.config is not None
    return replace(
        member.config,
        vocab_size=300,
        hidden_size=64,
        intermediate_size=96,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        bos_token_id=256,
        eos_token_id=257,
        pad_token_id=None,
    )


def write(member: Member, folder: Path, seed: int = 0) -> int:
    return write_random_checkpoint(member, folder, seed=seed, config=cut_down(member))  # type: ignore[arg-type]


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: str(member.name))
def test_a_cut_down_random_checkpoint_of_every_member_loads_and_encodes(
    member: Member, tmp_path: Path
) -> None:
    written = write(member, tmp_path / "random")
    model = Embedder.load(tmp_path / "random", dtype="float32", device="cpu")
    vectors = model.encode_queries(["What is an oxbow lake?", "é 川 😀", ""])
    assert vectors.shape == (3, 64)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
    assert model.profile.prompts.query == member.prompts.query
    assert model.profile.member is member
    assert model.profile.random_weights
    assert model.max_tokens == member.max_tokens
    # 300*64 + 2*(2*64*64 + 2*32*64 + 3*96*64 + 2*64) + 64 numbers of two bytes
    assert written == 2 * (300 * 64 + 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 96 * 64 + 2 * 64) + 64)


def contents(folder: Path) -> dict[str, bytes]:
    """Files by name, tensors by theirs: safetensors writes its metadata in no fixed order."""
    found = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    del found["model.safetensors"]
    tensors = load_file(folder / "model.safetensors")
    return found | {n: t.view(torch.int16).numpy().tobytes() for n, t in tensors.items()}


def test_the_seed_decides_every_number(tmp_path: Path) -> None:
    member = member_named("1b")
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        write(member, tmp_path / name, seed)
    a, b, c = (contents(tmp_path / name) for name in "abc")
    assert a == b
    assert all(a[name] != c[name] for name in a if name.endswith(("_proj.weight", "tokens.weight")))


def test_a_random_checkpoint_says_in_three_places_that_it_is_random(tmp_path: Path) -> None:
    write(member_named("8b"), tmp_path / "random", 7)
    folder = tmp_path / "random"
    facts = json.loads((folder / "biencoder.json").read_text())
    assert facts["random_seed"] == 7
    assert "random weights" in facts["name"]
    assert "not the weights of" in (folder / "LICENSE").read_text().replace("\n", " ")
    with safe_open(folder / "model.safetensors", framework="pt") as tensors:
        assert tensors.metadata()["biencoder_random_seed"] == "7"
    assert json.loads((folder / "config.json").read_text())["model_type"] == "llama_bidirec"


def test_no_random_checkpoint_of_the_page_model_and_none_over_another_folder(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match="page tower"):
        write_random_checkpoint(member_named("vl"), tmp_path / "vl", seed=0)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        write(member_named("1b"), tmp_path / "full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]
