"""Random checkpoints: they load, they repeat by seed, they never pass for the real ones."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from tests import tiny_pages
from tokenizers import Tokenizer

from biencoder.config.family import FAMILY, MINI, Member, member_named
from biencoder.config.model import LlamaConfig
from biencoder.config.page_dialect import parse_page_config
from biencoder.diagnosis import probes
from biencoder.embedder import random_checkpoint
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.random_checkpoint import (
    random_checkpoint_bytes,
    write_random_checkpoint,
)
from biencoder.errors import OutputError
from biencoder.models.page_checkpoint import load_page_model
from biencoder.text.byte_level import byte_level_tokenizer

MEMBERS = [member for member in FAMILY if member.pages is None]


def cut_down(member: Member) -> LlamaConfig:
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
    return write_random_checkpoint(member, folder, seed=seed, config=cut_down(member))


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


def test_a_random_checkpoint_is_never_written_over_another_folder(tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        write(member_named("1b"), tmp_path / "full")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["full"]


PAGES = replace(
    tiny_pages.CONFIG, text=replace(tiny_pages.CONFIG.text, bos_token_id=256, eos_token_id=257)
)


def test_a_cut_down_random_page_checkpoint_is_laid_out_as_the_published_one(tmp_path: Path) -> None:
    folder = tmp_path / "random"
    written = write_random_checkpoint(member_named("vl"), folder, seed=5, config=PAGES)
    with safe_open(folder / "model.safetensors", framework="pt") as tensors:
        names = set(tensors.keys())
        assert written == 2 * sum(tensors.get_tensor(name).numel() for name in names)
    assert names == set(tiny_pages.nested(tiny_pages.weights() | tiny_pages.head_weights()))
    raw, processor = (
        json.loads((folder / name).read_text()) for name in ("config.json", "processor_config.json")
    )
    assert (raw["max_input_tiles"], processor["max_input_tiles"]) == (2, 6)
    config = parse_page_config(raw, processor)
    assert config == PAGES
    model = load_page_model(folder, config, dtype=torch.float32, device=torch.device("cpu"))
    states = model.see(tiny_pages.tiles(2))
    assert states.isfinite().all()
    assert not torch.equal(states[0], states[1])
    assert model.vision_model.post_layernorm.bias.count_nonzero() == 0
    assert model.vision_model.post_layernorm.weight.eq(1).all()


def test_the_tokenizer_of_a_random_page_checkpoint_has_the_image_tokens_and_fills_the_table(
    tmp_path: Path,
) -> None:
    write_random_checkpoint(member_named("vl"), tmp_path / "random", seed=0, config=PAGES)
    tokenizer = Tokenizer.from_file(str(tmp_path / "random" / "tokenizer.json"))
    names = ("<img>", "</img>", "<IMG_CONTEXT>")
    assert [tokenizer.token_to_id(name) for name in names] == [300, 301, 302]
    added = sorted(tokenizer.get_added_tokens_decoder())
    assert added == [256, 257, *range(300, 310)]
    assert tokenizer.encode("a<img><IMG_CONTEXT></img> b").ids[1:-2] == [97, 300, 302, 301]


def test_a_cut_down_random_page_checkpoint_loads_and_reads_pages_and_texts(tmp_path: Path) -> None:
    # A special token that the vocabulary of the file lists too, as this one's do, is hidden in both.
    write_random_checkpoint(member_named("vl"), tmp_path / "random", seed=0, config=PAGES)
    model = Embedder.load(tmp_path / "random", dtype="float32")
    picture = tiny_pages.picture(200, 100)
    texts = ["", "a<img><IMG_CONTEXT></img> b", "a"]
    vectors = model.encode_documents([*texts, None], images=[picture, picture, None, picture])
    assert vectors.shape == (4, 64)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-6)
    assert len(np.unique(vectors.round(5), axis=0)) >= 3


def test_the_sizes_of_the_real_page_model_take_what_was_counted() -> None:
    assert random_checkpoint_bytes(member_named("vl")) == 2 * 1_678_252_480
    assert random_checkpoint_bytes(member_named("1b")) == 2 * 1_235_814_400


def test_special_tokens_of_the_real_page_model_have_their_published_ids() -> None:
    recipe = random_checkpoint._recipe(member_named("vl"), None)
    assert recipe.special["<img>"] == 128256
    assert recipe.special["</img>"] == 128257
    assert recipe.special["<IMG_CONTEXT>"] == 128258
    assert sorted(recipe.special.values()) == list(range(128256, 128266))


@pytest.mark.parametrize("member", MEMBERS, ids=lambda member: str(member.name))
def test_no_two_pieces_of_any_member_share_an_id_and_bytes_are_never_special(
    member: Member,
) -> None:
    config = member.config
    assert config is not None
    assert config.bos_token_id is not None
    assert config.eos_token_id is not None
    raw = byte_level_tokenizer(bos=config.bos_token_id, eos=config.eos_token_id)
    vocabulary = json.loads(raw)["model"]["vocab"]
    assert len(vocabulary) == 258
    assert Counter(vocabulary.values()).most_common(1)[0][1] == 1
    assert max(vocabulary.values()) < config.vocab_size
    tokenizer = Tokenizer.from_str(raw)
    every_byte = "".join(map(chr, range(128))) + "é川😀"
    ids = tokenizer.encode(every_byte).ids
    assert ids[0] == config.bos_token_id
    assert {config.bos_token_id, config.eos_token_id}.isdisjoint(ids[1:])
    assert tokenizer.decode(ids) == every_byte


def test_a_text_of_a_random_mini_has_its_first_token_once(tmp_path: Path) -> None:
    config = replace(cut_down(MINI), bos_token_id=101, eos_token_id=102)
    write_random_checkpoint(MINI, tmp_path / "mini", seed=0, config=config)
    finding = probes.tokenizer(Embedder.load(tmp_path / "mini", dtype="float32", device="cpu"))
    assert finding.state == "ok", finding.reason
