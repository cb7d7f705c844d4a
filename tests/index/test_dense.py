"""Exact and two-stage search over mapped vectors, against every product worked out in float64."""

from __future__ import annotations

import numpy as np
import pytest

from biencoder.index import dense
from biencoder.types import FloatArray, IntArray

ROWS, SIZE = 3000, 64


@pytest.fixture(scope="module")
def vectors() -> FloatArray:
    generator = np.random.default_rng(5)
    made = generator.standard_normal((ROWS, SIZE)).astype(np.float32)
    # Equal vectors in many places: ties that only ids can settle.
    made[100:160] = made[40]
    return dense.unit_prefix(made, SIZE)


def _ids(rows: IntArray) -> list[str]:
    # Ids that sort otherwise than rows.
    return [f"{(int(row) * 7919) % ROWS:05d}" for row in rows]


def _oracle(vectors: FloatArray, query: FloatArray, k: int, mask: dense.Mask | None) -> list[str]:
    scores = (vectors.astype(np.float64) * query.astype(np.float64)).sum(1).astype(np.float32)
    rows = [row for row in range(ROWS) if mask is None or mask[row]]
    names = _ids(np.arange(ROWS))
    return [names[row] for row in sorted(rows, key=lambda row: (-scores[row], names[row]))[:k]]


@pytest.mark.parametrize("k", [1, 10, 59, ROWS, ROWS + 5])
@pytest.mark.parametrize("share", [None, 0.0, 0.01, 0.9])
def test_exact_search_is_every_product_and_ties_go_by_id(
    vectors: FloatArray, k: int, share: float | None
) -> None:
    generator = np.random.default_rng(k)
    mask = None if share is None else generator.random(ROWS) < share
    for query in (vectors[40], vectors[7], generator.standard_normal(SIZE).astype(np.float32)):
        rows, _ = dense.exact(vectors, query, k, mask)
        found, scores = dense.settle(vectors, query, rows, k, _ids)
        assert _ids(found) == _oracle(vectors, query, k, mask)
        assert list(scores) == sorted(scores, reverse=True)


def test_a_row_has_the_same_score_wherever_it_stands(vectors: FloatArray) -> None:
    query = np.random.default_rng(1).standard_normal(SIZE).astype(np.float32)
    shifted = np.concatenate([vectors[3:], vectors[:3]])
    _, here = dense.settle(vectors, query, np.arange(3, ROWS), 50, _ids)
    _, there = dense.settle(shifted, query, np.arange(0, ROWS - 3), 50, _ids)
    assert here.tobytes() == there.tobytes()


def test_codes_are_signs_bit_by_bit() -> None:
    vector = np.full((1, 70), -1.0, dtype=np.float32)
    vector[0, [0, 9, 69]] = 1.0
    codes = dense.binary_codes(vector)
    assert codes.shape == (1, 2)
    bits = np.unpackbits(codes.view(np.uint8), axis=1)[0]
    assert np.flatnonzero(bits).tolist() == [0, 9, 69]


@pytest.mark.parametrize("masked", [False, True])
def test_candidates_by_codes_are_those_with_the_fewest_other_signs(
    vectors: FloatArray, masked: bool
) -> None:
    generator = np.random.default_rng(3)
    query = generator.standard_normal(SIZE).astype(np.float32)
    mask = generator.random(ROWS) < 0.3 if masked else None
    apart = ((vectors > 0) != (query > 0)).sum(1)
    allowed = np.arange(ROWS) if mask is None else np.flatnonzero(mask)
    limit = np.sort(apart[allowed])[99]
    expected = [row for row in allowed if apart[row] <= limit]
    found = dense.by_codes(dense.binary_codes(vectors), query, 100, mask)
    assert found.tolist() == expected


def test_a_prefix_is_of_length_one_again() -> None:
    short = dense.unit_prefix(np.array([[3.0, 4.0, 12.0], [0.0, 0.0, 5.0]], dtype=np.float32), 2)
    np.testing.assert_allclose(short, [[0.6, 0.8], [0.0, 0.0]], atol=1e-7)
