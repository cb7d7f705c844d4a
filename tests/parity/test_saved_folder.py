"""A saved folder is read alike by biencoder, by transformers and by sentence-transformers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests import tiny
from transformers import AutoModel, AutoTokenizer

from biencoder.embedder.embedder import Embedder
from biencoder.embedder.notices import LicenceWarning
from biencoder.errors import OutputError
from biencoder.types import FloatArray

pytestmark = pytest.mark.filterwarnings(f"ignore::{LicenceWarning.__module__}.LicenceWarning")


@pytest.fixture(scope="module", params=tiny.SHAPES)
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(the model that was saved, the folder)."""
    root, shape = tmp_path_factory.mktemp("saved"), request.param
    source = tiny.name_member(tiny.write_checkpoint(root / "source", shape), shape)
    (source / "LICENSE").write_text("the licence of the source")
    model = Embedder.load(source, dtype="float32", device="cpu")
    model.save(root / "out")
    return model, root / "out"


def by_hand(folder: Path, texts: list[str]) -> FloatArray:
    """transformers' AutoModel, mean over real tokens, length 1."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    stock = AutoModel.from_pretrained(folder).eval()
    assert stock.dtype == torch.float32
    inputs = tokenizer(texts, padding=True, return_tensors="pt")
    mask = inputs["attention_mask"][:, :, None].float()
    with torch.inference_mode():
        states = stock(**{k: inputs[k] for k in ("input_ids", "attention_mask")}).last_hidden_state
    pooled = (states * mask).sum(dim=1) / mask.sum(dim=1)
    vectors: FloatArray = (pooled / pooled.norm(dim=1, keepdim=True)).numpy()
    return vectors


def test_biencoder_reads_its_own_folder_bit_for_bit(saved: Any) -> None:
    model, folder = saved
    again = Embedder.load(folder, dtype="float32", device="cpu")
    for encode in ("encode_queries", "encode_documents"):
        np.testing.assert_array_equal(
            getattr(again, encode)(tiny.TEXTS), getattr(model, encode)(tiny.TEXTS)
        )
    assert again.max_tokens == model.max_tokens
    assert again.dimensions == model.dimensions
    assert again.profile.member is model.profile.member


def test_transformers_gives_the_same_vectors(saved: Any) -> None:
    model, folder = saved
    prompts = model.profile.prompts
    for prompt, vectors in (
        (prompts.query, model.encode_queries(tiny.TEXTS)),
        (prompts.document, model.encode_documents(tiny.TEXTS)),
    ):
        reference = by_hand(folder, [prompt + text for text in tiny.TEXTS])
        np.testing.assert_allclose(vectors, reference, atol=2e-6)


def test_sentence_transformers_gives_the_same_vectors(saved: Any) -> None:
    from sentence_transformers import SentenceTransformer

    model, folder = saved
    other = SentenceTransformer(str(folder), device="cpu")
    for ours, theirs in (
        (model.encode_queries, other.encode_query),
        (model.encode_documents, other.encode_document),
    ):
        reference = theirs(tiny.TEXTS, show_progress_bar=False)
        np.testing.assert_allclose(ours(tiny.TEXTS), reference, atol=2e-6)
    assert other.similarity_fn_name == "cosine"
    assert other.max_seq_length == model.max_tokens


def test_the_folder_holds_no_code_and_no_pickle_and_the_licence_of_its_source(saved: Any) -> None:
    _, folder = saved
    assert (folder / "LICENSE").read_text() == "the licence of the source"
    suffixes = {path.suffix for path in folder.rglob("*") if path.is_file()}
    assert suffixes == {".json", ".safetensors", ""}
    config = json.loads((folder / "config.json").read_text())
    assert "auto_map" not in config
    assert (config["model_type"], config["is_causal"]) == ("llama", False)
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    assert tokenizer["truncation"] is tokenizer["padding"] is None


def test_the_document_prompt_is_written_even_where_it_is_empty(saved: Any) -> None:
    model, folder = saved
    prompts = json.loads((folder / "config_sentence_transformers.json").read_text())["prompts"]
    expected = model.profile.prompts
    assert prompts == {"query": expected.query, "document": expected.document}


def test_a_folder_without_a_licence_file_gets_one_that_states_it(
    model: Embedder, tmp_path: Path
) -> None:
    model.save(tmp_path / "out")
    assert model.profile.license in (tmp_path / "out" / "LICENSE").read_text()


def test_a_bfloat16_model_is_saved_in_bfloat16(folder: Path, tmp_path: Path) -> None:
    model = Embedder.load(folder, dtype="bfloat16", device="cpu")
    model.save(tmp_path / "out")
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == "bfloat16"
    again = Embedder.load(tmp_path / "out", dtype="bfloat16", device="cpu")
    np.testing.assert_array_equal(
        again.encode_documents(tiny.TEXTS), model.encode_documents(tiny.TEXTS)
    )


def test_a_full_folder_is_refused_and_left_as_it_was(model: Embedder, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        model.save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_taken(model: Embedder, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    model.save(tmp_path / "out")
    assert (tmp_path / "out" / "model.safetensors").exists()


def test_a_save_that_fails_leaves_nothing_behind(
    model: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from biencoder.embedder import export

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(export, "copy_licence", full)
    with pytest.raises(OutputError, match="No space left"):
        model.save(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_large_weights_are_saved_in_shards_that_load_to_the_same_vectors(
    model: Embedder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from biencoder.models import checkpoint, shards

    def small(*args: Any, **options: Any) -> None:
        shards.write_shards(*args, **options, max_shard_bytes=100_000)

    monkeypatch.setattr(checkpoint, "write_shards", small)
    model.save(tmp_path / "out")
    files = sorted(path.name for path in (tmp_path / "out").glob("*.safetensors"))
    assert len(files) > 2
    assert files[0] == f"model-00001-of-{len(files):05d}.safetensors"
    assert all((tmp_path / "out" / file).stat().st_size < 110_000 for file in files)
    again = Embedder.load(tmp_path / "out", dtype="float32", device="cpu")
    np.testing.assert_array_equal(
        again.encode_documents(tiny.TEXTS), model.encode_documents(tiny.TEXTS)
    )
    reference = by_hand(tmp_path / "out", [tiny.PASSAGE + text for text in tiny.TEXTS])
    np.testing.assert_allclose(again.encode_documents(tiny.TEXTS), reference, atol=2e-6)
