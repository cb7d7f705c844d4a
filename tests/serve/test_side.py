"""Health, models and facts, key by key as clients read them."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests import tiny
from tests.serve.wire_client import QUIET, Wire, mini, opened

import biencoder
from biencoder.embedder import fingerprint as fingerprints
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.fingerprint import fingerprint, hash_file
from biencoder.serve import described
from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Engine


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    with opened(Served("mini", Engine(mini()), ("text-embedding-3-small",))) as opened_wire:
        yield opened_wire


def get(wire: Wire, path: str) -> Any:
    answer = wire.send("GET", path)
    assert answer.status_code == 200
    return answer.json()


# --- Health -------------------------------------------------------------------------------------


def test_live_and_ready_have_the_documented_shape(wire: Wire) -> None:
    live = {"object": "health.response", "message": "live", "live": True}
    ready = {"object": "health.response", "message": "ready", "ready": True, "status": "ready"}
    assert get(wire, "/v1/health/live") == get(wire, "/ping") == live
    assert get(wire, "/v1/health/ready") == get(wire, "/health") == ready


@pytest.mark.parametrize("state", ["starting", "draining"])
def test_not_ready_is_503_with_the_error_object_and_live_all_the_same(
    model: Embedder, state: Any
) -> None:
    with opened(Served("tiny", Engine(model))) as wire:
        wire.service.state = state
        answer = wire.send("GET", "/v1/health/ready")
        assert answer.status_code == 503
        body = answer.json()
        assert (body["object"], body["ready"]) == ("health.response", False)
        assert body["error"]["code"] == "not_ready"
        assert body["request_id"] == answer.headers["x-request-id"]
        assert int(answer.headers["retry-after"]) >= 1
        assert get(wire, "/v1/health/live")["live"] is True
        assert "biencoder_ready 0.0" in wire.send("GET", "/metrics").text


def test_a_model_that_has_failed_makes_the_service_not_ready(model: Embedder) -> None:
    with opened(Served("tiny", Engine(model))) as wire:
        wire.runner.run(wire.service.registry.served[0].engine.stop(1.0))
        answer = wire.send("GET", "/v1/health/ready")
        assert answer.status_code == 503
        assert "failed" in answer.json()["detail"]


# --- Models -------------------------------------------------------------------------------------


def test_models_are_listed_by_id_with_all_five_keys(wire: Wire) -> None:
    listed = get(wire, "/v1/models")
    assert listed["object"] == "list"
    (entry,) = listed["data"]
    assert isinstance(entry.pop("created"), int)
    assert entry == {"id": "mini", "object": "model", "owned_by": "biencoder", "root": "mini"}


def test_aliases_are_listed_on_request_after_the_ids_with_their_root(model: Embedder) -> None:
    served = (
        Served("mini", Engine(model), ("old-mini",)),
        Served("nvidia/llama-x", Engine(model), ("x",)),
    )
    with opened(*served, settings=replace(QUIET, list_aliases=True)) as wire:
        data = get(wire, "/v1/models")["data"]
    assert [(one["id"], one["root"], one["owned_by"]) for one in data] == [
        ("mini", "mini", "biencoder"),
        ("nvidia/llama-x", "nvidia/llama-x", "nvidia"),
        ("old-mini", "mini", "biencoder"),
        ("x", "nvidia/llama-x", "nvidia"),
    ]


# --- Facts --------------------------------------------------------------------------------------


def test_metadata_says_everything_that_decides_the_vectors(wire: Wire) -> None:
    metadata = get(wire, "/v1/metadata")
    assert metadata["id"] == "mini"
    assert metadata["version"] == biencoder.__version__
    assert metadata["selectedModelProfileId"] == fingerprint(mini())
    assert metadata["repository_override"] == ""
    assert "model.safetensors" in metadata["assetInfo"]
    assert metadata["licenseInfo"] == get(wire, "/v1/license")
    (info,) = metadata["modelInfo"]
    folder = mini().source.folder
    assert info["fingerprint"] == fingerprint(mini())
    assert info["weightsSha256"] == {"model.safetensors": hash_file(folder / "model.safetensors")}
    assert info["prefixes"] == {"query": "query: ", "passage": "passage: "}
    assert info["dimensions"] == [64, 128, 256, 384]
    assert (info["nativeDimension"], info["maxSeqLength"]) == (384, 512)
    assert (info["pooling"], info["normalized"], info["dtype"]) == ("avg", True, "float32")
    assert info["embeddingTypes"] == ["float", "int8", "uint8", "binary", "ubinary"]
    assert (info["modalities"], info["revision"]) == (["text"], None)
    assert "text-embedding-3-small" in info["aliases"]


def test_files_are_read_once_whoever_asks_and_no_thread_reads_beside_another(
    wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def counted(embedder: Embedder) -> dict[str, Any]:
        read.append(threading.current_thread().name)
        return fingerprints.identity(embedder)

    monkeypatch.setattr("biencoder.serve.described.identity", counted)
    known = described.Described()
    served = wire.service.registry.served[0]

    async def ask() -> None:
        await asyncio.gather(*(asyncio.to_thread(known.facts, served) for _ in range(4)))

    asyncio.run(ask())
    assert len(read) == 1


def test_the_manifest_is_yaml_with_every_file_and_its_hash(wire: Wire) -> None:
    (model,) = yaml.safe_load(get(wire, "/v1/manifest")["manifest_file"])["models"]
    assert (model["id"], model["revision"]) == ("mini", None)
    folder = mini().source.folder
    files = {file["name"]: file for file in model["files"]}
    assert {"config.json", "tokenizer.json", "1_Pooling/config.json", "LICENSE"} <= set(files)
    for name, file in files.items():
        content = (folder / name).read_bytes()
        assert file["size"] == len(content)
        assert file["sha256"] == hashlib.sha256(content).hexdigest()


def test_what_else_lies_in_a_checkpoints_folder_is_not_told(folder: Path) -> None:
    (folder / "notes.txt").write_text("private")
    (folder / ".env").write_text("KEY=1")
    with opened(Served("tiny", Engine(Embedder.load(folder)))) as wire:
        said = wire.send("GET", "/v1/manifest").text + wire.send("GET", "/v1/metadata").text
    assert "notes.txt" not in said
    assert ".env" not in said
    assert str(folder.parent) not in said


def test_version_names_the_release_and_the_api(wire: Wire) -> None:
    assert get(wire, "/v1/version") == {"release": biencoder.__version__, "api": "1.0.0"}


# --- Licences -----------------------------------------------------------------------------------


def test_the_licence_of_mini_is_the_text_that_is_shipped_with_it(wire: Wire) -> None:
    licence = get(wire, "/v1/license")
    text = (mini().source.folder / "LICENSE").read_text(encoding="utf-8")
    assert licence["content"] == text
    assert "Apache License" in text
    assert licence["sha"] == hashlib.sha1(text.encode()).hexdigest()
    assert (licence["size"], licence["path"], licence["type"]) == (len(text), "LICENSE", "file")
    assert licence["url"] == "https://www.apache.org/licenses/LICENSE-2.0"
    assert licence["commercial"] is True
    assert "MS MARCO" in licence["notice"]


def test_a_member_without_a_licence_text_says_so_and_what_is_known(folder: Path) -> None:
    tiny.name_member(folder, "8b")
    with pytest.warns(UserWarning, match="commercial"):
        embedder = Embedder.load(folder)
    with opened(Served("tiny", Engine(embedder))) as wire:
        licence = get(wire, "/v1/license")
        (info,) = get(wire, "/v1/metadata")["modelInfo"]
    assert licence["name"] == "NVIDIA License (research only); Llama 3.1 Community License"
    assert licence["url"] == "https://huggingface.co/nvidia/llama-embed-nemotron-8b"
    assert (licence["type"], licence["path"], licence["commercial"]) == ("summary", "", False)
    assert "holds no licence text" in licence["content"]
    assert "Commercial use: not allowed" in licence["content"]
    assert licence["url"] in licence["content"]
    assert licence["notice"] == "Built with Llama. Not for commercial use."
    assert info["commercial"] is False


def test_of_several_models_each_has_its_licence_the_first_at_the_top(model: Embedder) -> None:
    with opened(Served("mini", Engine(mini())), Served("tiny", Engine(model))) as wire:
        licence = get(wire, "/v1/license")
    assert licence["path"] == "LICENSE"
    assert [one["type"] for one in licence["licenses"]] == ["file", "summary"]
    assert licence["licenses"][0]["content"] == licence["content"]
