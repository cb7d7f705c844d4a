"""A cut vector is the beginning of the full one, made length 1 again, and only where trained."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests import tiny

from biencoder.config.family import FAMILY
from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.notices import LicenceWarning
from biencoder.errors import DimensionError


@pytest.fixture(scope="module")
def nested(tmp_path_factory: pytest.TempPathFactory) -> Embedder:
    folder = tiny.write_checkpoint(tmp_path_factory.mktemp("nested") / "1b")
    tiny.name_member(folder, "1b", dimensions=[64, 16, 32])
    return Embedder.load(folder, dtype="float32", device="cpu")


@pytest.mark.parametrize("size", [16, 32, 64])
def test_a_cut_vector_has_length_1_and_is_cut_and_renormalised(nested: Embedder, size: int) -> None:
    full = nested.encode_queries(tiny.TEXTS).astype(np.float64)
    cut = nested.encode_queries(tiny.TEXTS, dimensions=size)
    assert cut.shape == (len(tiny.TEXTS), size)
    np.testing.assert_allclose(np.linalg.norm(cut, axis=1), 1.0, atol=1e-6)
    by_hand = full[:, :size] / np.linalg.norm(full[:, :size], axis=1, keepdims=True)
    np.testing.assert_allclose(cut, by_hand, atol=1e-6)


def test_dimensions_ascend_to_the_full_size(nested: Embedder) -> None:
    assert nested.dimensions == (16, 32, 64)
    assert nested.encode_queries(["x"]).shape == (1, 64)


def test_a_size_that_is_not_offered_is_refused_with_the_list(nested: Embedder) -> None:
    with pytest.raises(DimensionError, match=r"no vectors of 20(.|\n)*16, 32, 64"):
        nested.encode_queries(["x"], dimensions=20)


@pytest.mark.filterwarnings(f"ignore::{LicenceWarning.__module__}.LicenceWarning")
@pytest.mark.parametrize("shape", ["3b", "8b"])
def test_models_without_matryoshka_training_refuse_to_be_cut(shape: str, tmp_path: Path) -> None:
    folder = tiny.name_member(tiny.write_checkpoint(tmp_path / shape, shape), shape)
    model = Embedder.load(folder, dtype="float32", device="cpu")
    with pytest.raises(DimensionError, match="not trained to be cut"):
        model.encode_documents(["x"], dimensions=32)


def test_the_family_offers_what_its_cards_say() -> None:
    offered = {member.name: member.dimensions for member in FAMILY}
    nested = (384, 512, 768, 1024, 2048)
    assert offered["llama-nemotron-embed-1b-v2"] == nested
    assert offered["llama-3.2-nemoretriever-300m-embed-v2"] == nested
    assert offered["llama-nv-embed-reasoning-3b"] == (3072,)
    assert offered["llama-embed-nemotron-8b"] == (4096,)
    for name, full in (("llama-nv-embed-reasoning-3b", 3072), ("llama-embed-nemotron-8b", 4096)):
        assert check_dimensions(None, offered[name], name) == full
        with pytest.raises(DimensionError):
            check_dimensions(512, offered[name], name)
