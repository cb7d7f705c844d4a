"""Models by name from the hub's local cache: offline, without code, without pickles."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants
from tests import tiny

from biencoder.embedder.embedder import Embedder
from biencoder.embedder.hub import locate
from biencoder.embedder.notices import LicenceWarning
from biencoder.errors import ConfigError, UnknownModelError

COMMIT, OLDER = "ab" * 20, "cd" * 20
EVIL = "from pathlib import Path\nPath(__file__).with_name('RAN').write_text('evil')\n"
PICKLE = b"cos\nsystem\n(S'touch RAN'\ntR."

CACHE = Callable[..., Path]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CACHE:
    """Puts a tiny checkpoint into a hub cache as huggingface_hub lays it out; returns the snapshot."""
    root = tmp_path / "hub"
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(root))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    def put(
        repository: str, *, shape: str = "1b", commit: str = COMMIT, main: bool = True, **raw: Any
    ) -> Path:
        store = root / f"models--{repository.replace('/', '--')}"
        (store / "blobs").mkdir(parents=True, exist_ok=True)
        files = tiny.write_checkpoint(tmp_path / f"files-{commit[:4]}", shape)
        tiny.edit_json(
            files / "config.json", auto_map={"AutoModel": "modeling_evil.EvilModel"}, **raw
        )
        (files / "modeling_evil.py").write_text(EVIL)
        (files / "pytorch_model.bin").write_bytes(PICKLE)
        snapshot = store / "snapshots" / commit
        snapshot.mkdir(parents=True)
        for number, file in enumerate(sorted(files.iterdir())):
            blob = store / "blobs" / f"{commit[:8]}{number:032x}"
            file.rename(blob)
            (snapshot / file.name).symlink_to(os.path.relpath(blob, snapshot))
        if main:
            (store / "refs").mkdir(exist_ok=True)
            (store / "refs" / "main").write_text(commit)
        return snapshot

    return put


def load(name: str, **options: Any) -> Embedder:
    return Embedder.load(name, dtype="float32", device="cpu", **options)


def test_a_cached_model_is_loaded_by_its_id_and_gives_its_vectors(
    cache: CACHE, model: Embedder
) -> None:
    snapshot = cache("someone/tiny")
    found = load("someone/tiny")
    np.testing.assert_array_equal(
        found.encode_documents(tiny.TEXTS), model.encode_documents(tiny.TEXTS)
    )
    assert found.source.folder.resolve() == snapshot.resolve()
    assert (found.source.repository, found.source.revision) == ("someone/tiny", COMMIT)


@pytest.mark.parametrize(
    "name", ["1b", "nvidia/llama-nemotron-embed-1b-v2", "LLAMA-NEMOTRON-EMBED-1B-V2"]
)
def test_a_family_name_leads_to_the_published_repository(cache: CACHE, name: str) -> None:
    cache("nvidia/llama-nemotron-embed-1b-v2")
    source = locate(name)
    assert source.repository == "nvidia/llama-nemotron-embed-1b-v2"
    assert source.member is not None
    assert source.revision == COMMIT


def test_a_revision_of_40_hex_digits_is_taken_without_a_branch(cache: CACHE) -> None:
    cache("someone/tiny")
    old = cache("someone/tiny", commit=OLDER, main=False)
    assert locate("someone/tiny", revision=OLDER).folder.resolve() == old.resolve()
    assert locate("someone/tiny").revision == COMMIT
    assert load("someone/tiny", revision=OLDER).source.revision == OLDER


def test_the_code_and_the_pickle_of_a_repository_are_never_opened(
    cache: CACHE, monkeypatch: pytest.MonkeyPatch
) -> None:
    snapshot = cache("someone/tiny")
    forbidden = {
        str(path)
        for name in ("modeling_evil.py", "pytorch_model.bin")
        for path in (snapshot / name, (snapshot / name).resolve())
    }
    opened: list[str] = []
    active = [True]

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if active and event in ("open", "import", "exec", "compile", "pickle.find_class"):
            opened.append(str(arguments[0]))

    sys.addaudithook(watch)
    try:
        load("someone/tiny").encode_queries(["a"])
    finally:
        active.clear()
    assert any("config.json" in name for name in opened), "the watch saw nothing"
    assert not forbidden & set(opened)
    assert not any("modeling_evil" in name for name in opened)
    assert not list(snapshot.parent.rglob("RAN"))


def test_a_fresh_process_loads_by_name_with_only_hf_home_set(cache: CACHE, tmp_path: Path) -> None:
    snapshot = cache("someone/tiny")
    script = (
        "import sys; from biencoder import Embedder; "
        "m = Embedder.load('someone/tiny', dtype='float32', device='cpu'); "
        "print(m.encode_queries(['a']).shape, m.source.revision, "
        "any('modeling_evil' in name for name in sys.modules), 'transformers' in sys.modules)"
    )
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    environment.pop("HF_HUB_CACHE", None)
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[0] == f"(1, 64) {COMMIT} False False"
    assert not list(snapshot.parent.parent.rglob("RAN"))


@pytest.mark.parametrize("name", ["1b", "8b", "someone/never-fetched"])
def test_what_is_not_in_the_cache_is_an_unknown_model_with_what_to_do(
    cache: CACHE, name: str
) -> None:
    cache("someone/tiny")
    with pytest.raises(UnknownModelError, match=r"not in the local cache(.|\n)*HF_HOME"):
        load(name)


def test_a_revision_that_is_not_in_the_cache_is_an_unknown_model(cache: CACHE) -> None:
    cache("someone/tiny")
    with pytest.raises(UnknownModelError):
        load("someone/tiny", revision=OLDER)


class Asked(Exception):
    """Stands for the network."""


def patterns_asked_for(monkeypatch: pytest.MonkeyPatch, answer: Path) -> list[list[str]]:
    asked: list[list[str]] = []

    def download(repository: str, **options: Any) -> str:
        assert set(options) == {"revision", "allow_patterns"}
        asked.append(options["allow_patterns"])
        return str(answer)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    return asked


def test_neither_code_nor_pickle_is_asked_for(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = patterns_asked_for(monkeypatch, folder)
    load("someone/tiny")
    assert asked
    for name in (
        "modeling_evil.py",
        "llama_bidirectional_model.py",
        "pytorch_model.bin",
        "pytorch_model-00001-of-00002.bin",
        "training_args.bin",
        "model.pt",
        "model.pth",
        "model.ckpt",
        "model.pkl",
        "model.onnx",
        "2_Dense/pytorch_model.bin",
        "2_Dense/model.safetensors",
    ):
        assert not any(fnmatch(name, pattern) for part in asked for pattern in part), name
    for name in (
        "config.json",
        "tokenizer.json",
        "model.safetensors",
        "model-00001-of-00004.safetensors",
        "model.safetensors.index.json",
        "1_Pooling/config.json",
        "adapter_model.safetensors",
    ):
        assert any(fnmatch(name, pattern) for pattern in asked[-1]), name


def test_the_small_files_are_asked_for_first(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = patterns_asked_for(monkeypatch, folder)
    locate("someone/tiny")
    assert not any(fnmatch("model.safetensors", pattern) for pattern in asked[0])
    asked.clear()
    locate("someone/tiny", weights=False)
    assert not any(fnmatch("model.safetensors", pattern) for part in asked for pattern in part)


def test_the_300m_has_no_public_weights_and_says_where_it_lives() -> None:
    for name in ("300m", "nvidia/llama-nemotron-embed-300m-v2"):
        with pytest.raises(UnknownModelError, match="no public weights"):
            locate(name)


@pytest.mark.parametrize("name", ["nothing", "../up/there", "a/b/c", ""])
def test_a_name_that_is_nothing_is_refused_with_the_list(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownModelError):
        locate(name)


def test_a_folder_that_is_no_checkpoint_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match="is no checkpoint"):
        locate(tmp_path)


def test_a_refused_config_is_refused_by_name_too(cache: CACHE) -> None:
    cache("someone/tiny", quantization_config={"quant_algo": "FP8"})
    with pytest.raises(ConfigError, match="FP8"):
        load("someone/tiny")


def test_a_non_commercial_model_says_so_once(cache: CACHE) -> None:
    cache("nvidia/llama-nv-embed-reasoning-3b", shape="3b")
    with pytest.warns(LicenceWarning, match="not for commercial use"):
        load("3b")
    load("3b")
