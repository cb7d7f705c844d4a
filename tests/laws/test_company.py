"""A text's vector is its own: whoever stands beside it, in whatever order they come."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from tests import tiny

from biencoder.batching.schedule import windows
from biencoder.embedder import stream
from biencoder.embedder.embedder import Embedder
from biencoder.models import attention

LENGTHS = [1, 2, 7, 7, 64, 513]


@pytest.mark.parametrize("length", [2, 20, 513])
def test_changing_the_last_token_moves_the_first_position(length: int) -> None:
    model = tiny.trunk(tiny.SHAPES["1b"])
    (ids,) = tiny.random_ids([length])
    changed = ids.copy()
    changed[-1] = (ids[-1] + 1) % 298
    before, after = (model(tiny.packed([row]))[0] for row in (ids, changed))
    moved = (before - after).abs().max().item()
    assert moved > 1e-3 if length == 513 else moved > 0.01


@pytest.mark.parametrize("ours", range(len(LENGTHS)))
def test_a_vector_is_the_same_alone_and_in_company_at_every_place(ours: int) -> None:
    model = tiny.trunk(tiny.SHAPES["1b"])
    ids = tiny.random_ids(LENGTHS, seed=1)
    alone = model.embed(tiny.packed([ids[ours]]))[0]
    strangers = [*ids[:ours], *ids[ours + 1 :]]
    for place in (0, 3, len(strangers)):
        company = model.embed(tiny.packed([*strangers[:place], ids[ours], *strangers[place:]]))
        torch.testing.assert_close(company[place], alone, rtol=0, atol=2e-6)


@pytest.mark.parametrize("short", [0, 10_000], ids=["fused kernel", "two products"])
def test_nothing_leaks_over_the_bounds(short: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attention, "LONGEST_FOR_PRODUCTS", short)
    model = tiny.trunk(tiny.SHAPES["1b"])
    before = tiny.random_ids([30, 30, 9, 5], seed=2)
    strangers = tiny.random_ids([30, 30, 9, 5], seed=3)
    for ours in range(4):
        after = [before[row] if row == ours else strangers[row] for row in range(4)]
        left, right = model.embed(tiny.packed(before)), model.embed(tiny.packed(after))
        assert torch.equal(left[ours], right[ours])
        assert not torch.equal(left, right)


def test_mean_is_taken_over_the_own_tokens_only() -> None:
    model = tiny.trunk(tiny.SHAPES["1b"])
    batch = tiny.packed(tiny.random_ids([700, 3], seed=4))
    states, pooled = model(batch), model.embed(batch)
    torch.testing.assert_close(pooled[0], states[:700].mean(dim=0), rtol=0, atol=1e-6)
    torch.testing.assert_close(pooled[1], states[700:].mean(dim=0), rtol=0, atol=1e-6)


def test_order_out_is_order_in(model: Embedder) -> None:
    alone = np.concatenate([model.encode_documents([text]) for text in tiny.TEXTS])
    np.testing.assert_allclose(model.encode_documents(tiny.TEXTS), alone, atol=1e-6)
    backwards = model.encode_documents(tiny.TEXTS[::-1])
    np.testing.assert_allclose(backwards[::-1], alone, atol=1e-6)


def test_order_holds_over_many_windows_and_batches(
    model: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "windows", partial(windows, max_texts=5))
    monkeypatch.setattr(model, "token_budget", 40)
    texts = [f"{'river ' * (number % 7)}{number}" for number in range(23)]
    vectors = model.encode_documents(texts)
    assert vectors.shape == (23, 64)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(vectors[row], model.encode_documents([text])[0], atol=1e-6)


def test_any_token_budget_gives_the_same_vectors(
    model: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = model.encode_documents(tiny.TEXTS)
    for budget in (1, 50, 100_000):
        monkeypatch.setattr(model, "token_budget", budget)
        np.testing.assert_allclose(model.encode_documents(tiny.TEXTS), roomy, atol=1e-6)


@pytest.mark.parametrize("blank", ["", " ", "\n", "\t \n"])
def test_blank_texts_keep_their_row(model: Embedder, blank: str) -> None:
    vectors = model.encode_queries(["a", blank, "b"])
    assert vectors.shape == (3, 64)
    for row, text in enumerate(["a", blank, "b"]):
        np.testing.assert_allclose(vectors[row], model.encode_queries([text])[0], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


def test_equal_texts_get_equal_vectors(model: Embedder) -> None:
    vectors = model.encode_documents(["lake", "river bend", "lake"])
    np.testing.assert_allclose(vectors[0], vectors[2], atol=1e-6)


def test_swapped_roles_change_the_vector(model: Embedder) -> None:
    query, document = model.encode_queries(["lake"])[0], model.encode_documents(["lake"])[0]
    assert float(query @ document) < 0.999


def test_no_texts_give_an_empty_array_of_the_asked_width(model: Embedder) -> None:
    assert model.encode_queries([]).shape == (0, 64)
    assert model.encode_queries(iter(())).dtype == np.float32


def test_vectors_are_unit_length_float32(model: Embedder) -> None:
    vectors = model.encode_documents(tiny.TEXTS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)
