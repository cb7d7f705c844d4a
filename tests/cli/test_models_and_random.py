"""`biencoder models` and `biencoder random`: the published figures, and checkpoints that load."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.commands import fails, run, succeeds

# Published or derived from published counts: text-models facts, section 1.
PARAMETERS = {
    "nvidia/llama-nv-embed-reasoning-3b": 3_212_749_824,
    "nvidia/llama-embed-nemotron-8b": 7_504_924_672,
    "nvidia/llama-nemotron-embed-1b-v2": 1_235_814_400,
    "nvidia/llama-3.2-nemoretriever-300m-embed-v2": 569_415_680,
    "nvidia/llama-nemotron-embed-vl-1b-v2": 1_678_252_480,
}


def test_json_lists_the_family_with_its_parameters_and_limits() -> None:
    code, out, _ = run("models", "--json")
    assert code == 0
    models = {model["id"]: model for model in json.loads(out)}
    assert {id_: models[id_]["parameters"] for id_ in PARAMETERS} == PARAMETERS
    needed = {"aliases", "dimensions", "hidden_size", "max_tokens", "license", "commercial_use"}
    assert all(needed <= set(model) for model in models.values())
    one = models["nvidia/llama-nemotron-embed-1b-v2"]
    assert one["dimensions"] == [384, 512, 768, 1024, 2048]
    assert "nvidia/llama-3.2-nv-embedqa-1b-v2" in one["aliases"]
    assert [models[id_]["commercial_use"] for id_ in list(PARAMETERS)[:3]] == [False, False, True]


def test_json_tells_of_page_images_where_a_model_sees_them() -> None:
    _, out, _ = run("models", "--json")
    models = {model["id"]: model for model in json.loads(out)}
    pages = models.pop("nvidia/llama-nemotron-embed-vl-1b-v2")["pages"]
    assert pages == {
        "modalities": ["text", "image", "image_text"],
        "parameters_run": 1_663_014_128,
        "max_tiles": 6,
        "thumbnail": True,
        "tokens_per_tile": 256,
        "limits": {"query": 512, "text": 8192, "image": 2048, "image_text": 10240},
    }
    assert all(model["pages"] is None for model in models.values())


def test_the_card_says_which_parameters_run_and_how_many_tiles_there_are() -> None:
    output = " ".join(succeeds("models").split())
    assert "1,678,252,480, of which 1,663,014,128 run" in output
    assert "up to 6 tiles and a thumbnail, 256 tokens a tile" in output


def test_the_300m_is_said_to_have_no_public_weights() -> None:
    output = " ".join(succeeds("models").split())
    assert "No public weights" in output
    assert "inferred" in output


def test_random_refuses_what_cannot_be_made(tmp_path: Path) -> None:
    fails("did you mean", "random", "1bb", "--to", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_a_disk_too_small_is_told_before_a_byte_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    little = SimpleNamespace(free=10**9)
    monkeypatch.setattr("shutil.disk_usage", lambda _: little)
    fails("takes 3.4 GB, and 1.0 GB are free", "random", "vl", "--to", tmp_path / "x")
    fails("takes 2.5 GB, and 1.0 GB are free", "random", "1b", "--to", tmp_path / "x")
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize("name", ["300m", "nvidia/llama-3.2-nemoretriever-300m-embed-v2"])
def test_a_model_without_public_weights_says_so(name: str, tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("tea\n")
    fails(
        "no public weights",
        "embed",
        tmp_path / "t.txt",
        "--output",
        tmp_path / "v.npy",
        "--model",
        name,
    )
