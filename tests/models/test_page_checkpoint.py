"""A page checkpoint is loaded whole or not at all, from every layout that is in use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from tests import tiny_pages
from torch import Tensor

from biencoder.config.page_dialect import parse_page_config, write_page_config
from biencoder.errors import CheckpointError
from biencoder.models.page_checkpoint import (
    count_page_parameters,
    load_page_model,
    save_page_model,
)
from biencoder.models.page_model import PageModel

CPU = torch.device("cpu")
Tensors = dict[str, Tensor]
TOWER = "vision_model.encoder.layers.1.mlp.fc2.bias"


def load(folder: Path, dtype: torch.dtype = torch.float32) -> PageModel:
    return load_page_model(folder, tiny_pages.CONFIG, dtype=dtype, device=CPU)


def stored(folder: Path, tensors: Tensors) -> Path:
    folder.mkdir(exist_ok=True)
    save_file(tensors, folder / "model.safetensors")
    return folder


def is_whole(model: PageModel, tensors: Tensors) -> bool:
    state = model.state_dict()
    return set(state) == set(tensors) and all(torch.equal(state[n], tensors[n]) for n in tensors)


def wrapped_trunk(tensors: Tensors) -> Tensors:
    old = "language_model."
    return {
        f"{old}model.{name.removeprefix(old)}" if name.startswith(old) else name: tensor
        for name, tensor in tensors.items()
    }


def not_needed(tensors: Tensors) -> Tensors:
    return tensors | {
        "language_model.lm_head.weight": torch.zeros(310, 64),
        "language_model.layers.0.self_attn.rotary_emb.inv_freq": torch.zeros(8),
        "vision_model.vision_model.embeddings.position_ids": torch.zeros(1, 16),
    }


LAYOUTS: dict[str, Callable[[Tensors], Tensors]] = {
    "flat": lambda tensors: tensors,
    "flat, head": lambda tensors: tensors | tiny_pages.head_weights(),
    "published": lambda tensors: tiny_pages.nested(tensors | tiny_pages.head_weights()),
    "published, no head": tiny_pages.nested,
    "trunk wrapped": wrapped_trunk,
    "all wrapped": lambda tensors: {f"model.{name}": x for name, x in tensors.items()},
    "everything": lambda tensors: {
        f"model.{name}": x
        for name, x in not_needed(
            tiny_pages.nested(wrapped_trunk(tensors) | tiny_pages.head_weights())
        ).items()
    },
    "with what is not needed": not_needed,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_weights(layout: str, tmp_path: Path) -> None:
    tensors = tiny_pages.weights()
    model = load(stored(tmp_path / "page", LAYOUTS[layout](tensors)))
    assert is_whole(model, tensors)
    assert not model.training
    assert not any(parameter.requires_grad for parameter in model.parameters())


def test_weights_are_rounded_once_to_the_format_that_was_asked_for(tmp_path: Path) -> None:
    tensors = tiny_pages.weights()
    model = load(stored(tmp_path / "page", tiny_pages.nested(tensors)), torch.bfloat16)
    assert is_whole(model, {name: x.to(torch.bfloat16) for name, x in tensors.items()})


def test_a_missing_tensor_is_named_with_the_layers_that_are_there(tmp_path: Path) -> None:
    tensors = tiny_pages.weights()
    kept = {name: x for name, x in tensors.items() if "vision_model.encoder.layers.1." not in name}
    with pytest.raises(CheckpointError) as caught:
        load(stored(tmp_path / "page", tiny_pages.nested(kept)))
    message = str(caught.value)
    assert "lacks 16 of 72 tensors" in message
    assert "first 'vision_model.encoder.layers.1.layer_norm1.weight'" in message
    assert "language layers 0-2; config.json says llm_config.num_hidden_layers=3" in message
    assert "tower layers 0-0; config.json says vision_config.num_hidden_layers=2" in message


@pytest.mark.parametrize("gone", ["mlp1.0.bias", TOWER, "language_model.norm.weight"])
def test_one_missing_tensor_is_enough(gone: str, tmp_path: Path) -> None:
    tensors = tiny_pages.weights()
    del tensors[gone]
    with pytest.raises(CheckpointError, match=f"lacks 1 of 72 tensors, first '{gone}'"):
        load(stored(tmp_path / "page", tensors))


def damage(name: str, change: Callable[[Tensor], Tensor]) -> Tensors:
    tensors = tiny_pages.weights()
    return tensors | {name: change(tensors[name]).contiguous()}


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        (
            damage(TOWER, lambda x: x[:3]),
            r"fc2\.bias' has shape \(3,\); config\.json asks for \(32,",
        ),
        (damage(TOWER, lambda x: x / 0), "NaN or infinity"),
        (damage(TOWER, lambda x: x.to(torch.int8)), "quantised"),
        (tiny_pages.weights() | {"score.weight": torch.zeros(1, 64)}, "reranker"),
        (tiny_pages.weights() | {"model.score.weight": torch.zeros(1, 64)}, "reranker"),
        (
            tiny_pages.weights() | {"mlp1.1.weight_scale": torch.ones(1)},
            "quantised",
        ),
        (
            tiny_pages.weights() | {"mlp1.1.input_quantizer._amax": torch.ones(1)},
            "quantised",
        ),
        (
            tiny_pages.weights() | {f"vision_model.{TOWER}": torch.zeros(32)},
            "twice, the second time as",
        ),
        (
            tiny_pages.weights() | {"vision_model.head.mlp.fc3.bias": torch.zeros(32)},
            "which this model does not have",
        ),
        (tiny_pages.weights() | {"mlp1.2.weight": torch.zeros(3)}, "does not have"),
    ],
)
def test_what_does_not_belong_there_is_refused(
    tensors: Tensors, message: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=message):
        load(stored(tmp_path / "page", tensors))


def test_a_text_checkpoint_is_no_page_checkpoint(tmp_path: Path) -> None:
    trunk = {
        name.removeprefix("language_model."): x
        for name, x in tiny_pages.weights().items()
        if name.startswith("language_model.")
    }
    with pytest.raises(CheckpointError, match="does not have"):
        load(stored(tmp_path / "page", trunk))


def test_a_saved_model_is_flat_has_no_head_and_says_so(tmp_path: Path) -> None:
    model = tiny_pages.model()
    save_page_model(model, tmp_path, dtype=torch.float32, metadata={"license": "none"})
    with safe_open(tmp_path / "model.safetensors", framework="pt") as tensors:
        assert set(tensors.keys()) == set(tiny_pages.CONFIG.tensor_shapes())
        assert tensors.metadata()["license"] == "none"
    raw = write_page_config(tiny_pages.CONFIG)
    assert raw["vision_config"]["vision_use_head"] is False
    again = load_page_model(tmp_path, parse_page_config(raw), dtype=torch.float32, device=CPU)
    assert is_whole(again, tiny_pages.weights())


def test_parameters_are_counted_with_and_without_the_head() -> None:
    counted = count_page_parameters(tiny_pages.CONFIG)
    run = sum(tensor.numel() for tensor in tiny_pages.weights().values())
    head = sum(tensor.numel() for tensor in tiny_pages.head_weights().values())
    assert (counted.run, counted.stored) == (run, run + head)
    # The tiny tower with its head, as the project's notes counted it in transformers.
    tower = sum(x.numel() for n, x in tiny_pages.weights().items() if n.startswith("vision_"))
    assert tower + head == 50_784
