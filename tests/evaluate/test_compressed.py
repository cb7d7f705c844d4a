"""Stored vectors, decoded: cut to unit length, int8 within half a step, bits to signs."""

from __future__ import annotations

import numpy as np
import pytest

from biencoder.evaluate.compressed import bytes_per_document, compress
from biencoder.types import FloatArray


@pytest.fixture
def vectors() -> FloatArray:
    values = np.random.default_rng(0).normal(size=(500, 16)).astype(np.float32)
    unit: FloatArray = values / np.linalg.norm(values, axis=1, keepdims=True)
    return unit


def test_a_cut_vector_has_length_one_and_the_old_direction(vectors: FloatArray) -> None:
    cut = compress(vectors, 8, "float32").block(3, 9)
    np.testing.assert_allclose(np.linalg.norm(cut, axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(
        cut * np.linalg.norm(vectors[3:9, :8], axis=1, keepdims=True), vectors[3:9, :8], atol=1e-6
    )


def test_int8_is_off_by_at_most_half_a_step(vectors: FloatArray) -> None:
    stored = compress(vectors, 16, "int8")
    steps = (vectors.max(axis=0) - vectors.min(axis=0)) / 255
    error = np.abs(stored.block(0, 500) - vectors)
    # The greatest value of a dimension falls on the last step's upper edge.
    assert (error <= 0.5001 * steps + 1e-6).mean() > 0.99
    assert (error <= 1.0001 * steps).all()


def test_a_dimension_that_never_varies_stays_as_it_is() -> None:
    same = np.tile(np.asarray([[0.6, 0.8]], np.float32), (5, 1))
    np.testing.assert_allclose(compress(same, 2, "int8").block(0, 5), same, atol=1e-6)


def test_binary_keeps_the_signs(vectors: FloatArray) -> None:
    stored = compress(vectors, 16, "binary").block(100, 200)
    np.testing.assert_array_equal(stored, np.where(vectors[100:200] > 0, 1, -1))


def test_bytes_are_those_of_the_stored_arrays(vectors: FloatArray) -> None:
    assert bytes_per_document(16, "float32") == 64
    assert compress(vectors, 16, "int8").codes.nbytes / 500 == bytes_per_document(16, "int8")  # type: ignore[union-attr]
    assert compress(vectors, 16, "binary").codes.nbytes / 500 == bytes_per_document(16, "binary")  # type: ignore[union-attr]
