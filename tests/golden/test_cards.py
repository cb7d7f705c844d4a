"""The scores printed on the models' cards, from the real weights where they lie in the cache.

Card values are rounded by the format they were computed in: agreement to about 0.005, not to the
digit. The strings are in `diagnosis/golden.py`.
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from huggingface_hub import try_to_load_from_cache

from biencoder.config.family import member_named
from biencoder.diagnosis.golden import CARD_SAMPLES
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.notices import LicenceWarning

pytestmark = pytest.mark.filterwarnings(f"ignore::{LicenceWarning.__module__}.LicenceWarning")


def in_cache(name: str) -> bool:
    """Whether the published weights lie in the local cache, whole or in shards."""
    id_ = member_named(name).id
    files = ("model.safetensors", "model.safetensors.index.json")
    return any(isinstance(try_to_load_from_cache(id_, file), str) for file in files)


def needs(name: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not in_cache(name), reason=f"the weights of {name} are not cached")


def load(name: str) -> Embedder:
    return Embedder.load(name, dtype="bfloat16")


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs(n)) for n in ("3b", "8b")])
def test_the_model_gives_the_scores_of_its_card(name: str) -> None:
    model, sample = load(name), CARD_SAMPLES[member_named(name).id]
    queries = model.encode_queries(sample.queries)
    documents = model.encode_documents(sample.documents)
    np.testing.assert_allclose(queries @ documents.T, sample.scores, atol=5e-3)


def test_the_samples_are_those_of_the_cards() -> None:
    three, eight = (CARD_SAMPLES[member_named(name).id].scores for name in ("3b", "8b"))
    np.testing.assert_allclose(three, [[0.66886, 0.23073], [0.24395, 0.56227]], atol=1e-5)
    np.testing.assert_allclose(eight, [[0.3765, 0.0579]], atol=1e-4)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=needs(n)) for n in ("1b", "3b", "8b", "vl")]
)
def test_the_real_tokenizer_puts_bos_in_front_once_and_no_eos_behind(name: str) -> None:
    model = load(name)
    ids = model.tokenizer.encode(
        ["where?"], prefix=model.profile.prompts.query, max_tokens=100, truncate="NONE"
    ).ids[0]
    assert ids[0] == 128000
    assert 128000 not in ids[1:]
    assert 128001 not in ids


@needs("1b")
def test_the_1b_offers_its_matryoshka_sizes_and_its_prompts() -> None:
    model = load("1b")
    assert model.dimensions == (384, 512, 768, 1024, 2048)
    assert (model.profile.prompts.query, model.profile.prompts.document) == ("query: ", "passage: ")
    assert sum(p.numel() for p in model.trunk.parameters()) == 1_235_814_400
    assert next(model.trunk.parameters()).dtype is torch.bfloat16
