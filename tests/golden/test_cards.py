"""The scores printed on the models' cards, from the real weights where they lie in the cache.

Card values are rounded by the format they were computed in: agreement to about 0.005, not to the
digit. The second passage of the 3b's example and all strings of the 8b's were read in copies of the
cards; the 3b's first passage is the one that belongs to this example in E5's card, from which it was
taken over (inferred).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from huggingface_hub import try_to_load_from_cache

from biencoder.config.family import member_named
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


@needs("3b")
def test_the_3b_gives_the_scores_of_its_card() -> None:
    model = load("3b")
    queries = model.encode_queries(["how much protein should a female eat", "summit define"])
    documents = model.encode_documents(
        [
            "As a general guideline, the CDC's average requirement of protein for women ages 19 "
            "to 70 is 46 grams per day. But, as you can see from this chart, you'll need to "
            "increase that if you're expecting or training for a marathon. Check out the chart "
            "below to see how much protein you should be eating each day.",
            "Definition of summit for English Language Learners. : 1  the highest point of a "
            "mountain : the top of a mountain. : 2  the highest level. : 3  a meeting or series "
            "of meetings between the leaders of two or more governments.",
        ]
    )
    card = [[0.66886, 0.23073], [0.24395, 0.56227]]
    np.testing.assert_allclose(queries @ documents.T, card, atol=5e-3)


@needs("8b")
def test_the_8b_gives_the_scores_of_its_card() -> None:
    model = load("8b")
    queries = model.encode_queries(["How do neural networks learn patterns from examples?"])
    documents = model.encode_documents(
        [
            "Deep learning models adjust their weights through backpropagation, using gradient "
            "descent to minimize error on training data and improve predictions over time.",
            "Market prices are determined by the relationship between how much people want to buy "
            "a product and how much is available for sale, with scarcity driving prices up and "
            "abundance driving them down.",
        ]
    )
    np.testing.assert_allclose(queries @ documents.T, [[0.37646, 0.05798]], atol=5e-3)


@pytest.mark.parametrize("name", [pytest.param(n, marks=needs(n)) for n in ("1b", "3b", "8b")])
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
