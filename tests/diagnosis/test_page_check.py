"""`check` passes a right page checkpoint, and names what is wrong with another."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor
from typer.testing import CliRunner

from biencoder import Embedder
from biencoder.cli.app import app
from biencoder.config.dialects import read_json
from biencoder.config.family import PAGES_1B
from biencoder.config.page_dialect import write_page_config
from biencoder.config.page_model import PageLimits
from biencoder.diagnosis import cost as text_cost
from biencoder.diagnosis import doctor
from biencoder.diagnosis.check import check
from biencoder.diagnosis.findings import Finding
from biencoder.diagnosis.machine import read_machine
from biencoder.diagnosis.pages import cost, identity
from biencoder.diagnosis.pages.examine import examine_pages
from biencoder.diagnosis.pages.parity import page_parity
from biencoder.embedder.device import place
from biencoder.embedder.pages import compute
from biencoder.embedder.pages.prepare import PreparedPage
from biencoder.models import siglip
from biencoder.models.attention import attend_equal
from biencoder.models.page_model import PageModel
from biencoder.types import Batch, IntArray
from tests import tiny, tiny_pages

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_cost, "_SECONDS", 0.02)
    monkeypatch.setattr(cost, "_SECONDS", 0.02)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_pages.write_checkpoint(tmp_path / "pages")


@pytest.fixture(scope="module")
def vl(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder = tiny_pages.write_checkpoint(tmp_path_factory.mktemp("vl") / "pages")
    return Embedder.load(folder, dtype="float32", device="cpu")


def _by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def _examined(model: Embedder) -> Iterator[Finding]:
    assert model.pages is not None
    raw = read_json(model.source.folder / "config.json")
    return examine_pages(model.pages, raw, model.placement, 1000)


def _failed(findings: dict[str, Finding]) -> set[str]:
    return {name for name, finding in findings.items() if finding.state == "failed"}


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_right_page_checkpoint_passes(folder: Path, dtype: str) -> None:
    found = _by_name(check(str(folder), dtype=dtype))
    assert _failed(found) == set()
    # Nine tensors a language layer and two; 16 a tower layer and five; six of the projector.
    text, tower = 9 * tiny_pages.CONFIG.text.num_hidden_layers + 2, 16 * 2 + 5
    assert found["tensors"].data["tensors"] == text + tower + 6
    assert f"language model {text}, tower {tower}, projector 6" in found["tensors"].reason
    assert "all 11 of the pooling head are stored" in found["tensors"].reason
    assert "nested, as published" in found["tensors"].reason
    assert found["tiles"].value == "at most 6 with thumbnail"
    assert "processor_config.json (config.json: 2, which nobody reads)" in found["tiles"].reason
    # The tiny trunk has no more positions.
    assert found["maximum tokens"].value == "image 2,048, image_text 4,096, text 4,096, query 512"
    assert "cosine" in found["transformers"].data
    assert "cosine" in found["page, transformers"].data


def test_a_saved_checkpoint_passes_without_its_head(vl: Embedder, tmp_path: Path) -> None:
    vl.save(tmp_path / "flat")
    found = _by_name(check(str(tmp_path / "flat"), dtype="float32"))
    assert _failed(found) == set()
    assert "the pooling head is not stored" in found["tensors"].reason
    assert "flat layout" in found["tensors"].reason


def test_the_published_sizes_have_the_published_parameters(vl: Embedder) -> None:
    assert PAGES_1B.pages is not None
    profile = replace(vl.profile, member=PAGES_1B)
    found = identity.parameters(profile, PAGES_1B.pages)
    assert (found.state, found.data) == ("ok", {"stored": 1_678_252_480, "run": 1_663_014_128})
    assert identity.parameters(profile, tiny_pages.CONFIG).state == "warning"


def test_tiles_that_were_asked_for_are_told_from_the_checkpoint_s(folder: Path) -> None:
    two = replace(tiny_pages.CONFIG, max_tiles=2, thumbnail=False)
    found = identity.tiles(folder, two)
    assert found.value == "at most 2 without thumbnail"
    assert found.reason.startswith("as asked; the checkpoint has 6 with thumbnail")


def test_an_image_that_would_be_refused_is_a_warning(folder: Path) -> None:
    narrow = Embedder.load(folder, dtype="float32", page_limits=PageLimits(image=20))
    assert narrow.pages is not None
    found = identity.limits(narrow.pages, folder)
    assert found.state == "warning"
    # BOS, the prompt of tiny tokens, two marks, 7 tiles of 4, and a space.
    tokens = len(narrow.pages.tokenizer.image(7, limit=1000).ids)
    assert f"7 tiles has {tokens} tokens" in found.reason


def test_attention_across_tiles_fails(vl: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    def leaking(q_IGNH: Tensor, k_IGNH: Tensor, v_IGNH: Tensor) -> Tensor:
        one = (x.flatten(0, 1).unsqueeze(0) for x in (q_IGNH, k_IGNH, v_IGNH))
        return attend_equal(*one).view_as(q_IGNH)

    monkeypatch.setattr(siglip, "attend_equal", leaking)
    found = _by_name(_examined(vl))
    assert _failed(found) == {"tiles alone"}
    assert "sees its neighbours" in found["tiles alone"].reason


def test_patches_that_are_alone_fail(vl: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(siglip, "attend_equal", lambda q_IGNH, k_IGNH, v_IGNH: v_IGNH)
    found = _by_name(_examined(vl))
    assert {"tiles alone", "page, transformers"} <= _failed(found)
    assert "do not see each other" in found["tiles alone"].reason


def test_rows_given_to_the_wrong_page_fail(vl: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    right = compute._places

    def swapped(batch: Batch, pages: list[PreparedPage], model: PageModel) -> IntArray:
        places = right(batch, pages, model)
        return places[::-1].copy()

    monkeypatch.setattr(compute, "_places", swapped)
    assert "page in company" in _failed(_by_name(_examined(vl)))


def test_the_wrong_gelu_fails(folder: Path) -> None:
    model = Embedder.load(folder, dtype="float32")
    assert model.pages is not None
    model.pages.model.mlp1[2] = torch.nn.ReLU()
    assert _failed(_by_name(_examined(model))) == {"page, transformers"}


def test_an_injected_place_fails(vl: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    assert vl.pages is not None
    spelled = Tokenizer.from_str(tiny_pages.tokenizer_json())

    def pieces(self: object, text: str) -> IntArray:
        return np.array(spelled.encode(text, add_special_tokens=False).ids, dtype=np.int64)

    monkeypatch.setattr(type(vl.pages.tokenizer.text), "pieces", pieces)
    assert "image tokens" in _failed(_by_name(_examined(vl)))


def test_a_missing_tower_tensor_ends_in_a_failed_line(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["vision_model.vision_model.encoder.layers.1.mlp.fc1.bias"]
    save_file(tensors, folder / "model.safetensors")
    found = _by_name(check(str(folder)))
    assert found["tensors"].state == "failed"
    assert "loading" not in found


def test_a_reranker_ends_in_a_failed_line(folder: Path) -> None:
    raw = write_page_config(tiny_pages.CONFIG) | {"model_type": "llama_nemotron_vl_rerank"}
    tiny.write_json(folder / "config.json", raw)
    found = list(check(str(folder)))
    assert [finding.name for finding in found] == ["dialect"]
    assert "reranker" in found[0].reason


def test_without_transformers_a_page_is_not_compared(
    vl: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr("biencoder.diagnosis.parity.version", version)
    found = _by_name(_examined(vl))["page, transformers"]
    assert (found.state, found.value) == ("ok", "not installed: not compared")


def test_a_tower_that_transformers_reads_otherwise_fails(folder: Path, vl: Embedder) -> None:
    raw = read_json(folder / "config.json")
    raw = raw | {"vision_config": raw["vision_config"] | {"num_attention_heads": 4}}
    assert vl.pages is not None
    assert page_parity(vl.pages, raw, torch.float32).state == "failed"


def test_the_operations_of_a_page_are_counted_by_hand() -> None:
    assert PAGES_1B.pages is not None
    config = PAGES_1B.pages
    # Tower: patches, 27 layers of four square and two wide products, scores; then the projector.
    tile = 2 * 1024 * (768 * 1152 + 27 * (4 * 1152**2 + 2 * 1152 * 4304 + 2 * 1024 * 1152))
    tile += 2 * 256 * 2048 * (4608 + 2048)
    layer = 2 * 2048**2 + 2 * 2048 * 512 + 3 * 2048 * 8192
    token = 16 * (2 * layer + 4 * 1798 * 2048)
    found = cost.page_cost(config, 7)
    assert (found.tiles, found.tokens) == (7, 1798)
    assert found.flops == 7 * tile + 1798 * token


def test_memory_counts_only_what_runs() -> None:
    assert PAGES_1B.pages is not None
    found = cost.memory(PAGES_1B.pages, place("float32", "cpu"), PageLimits())
    assert found.data["weights"] == 4 * 1_663_014_128
    # One tile of 1,024 patches: three streams of 1,152, and six more with 2 x 16 x 256 scores.
    assert cost.tower_bytes(PAGES_1B.pages, 4, tiles=1) == 1024 * 4 * (9 * 1152 + 2 * 16 * 256)


def test_the_verb_says_pages_an_hour(folder: Path) -> None:
    result = RUNNER.invoke(app, ["check", str(folder), "--json", "--dtype", "float32"])
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    names = [finding["check"] for finding in document["findings"]]
    assert names[-1] == "pages an hour"
    assert document["passed"] is True


def test_doctor_counts_the_tower_of_a_page_model() -> None:
    # In float32 the weights that run are 6.65 GB; the language model alone is 4.94.
    machine = replace(read_machine(), devices=(), available=6_000_000_000)
    found = _by_name(doctor.facts(machine, place("float32", "cpu")))["models that fit"]
    assert found.data["llama-nemotron-embed-1b-v2"] is True
    assert found.data["llama-nemotron-embed-vl-1b-v2"] is False
