"""Scaled int8 and where its constant comes from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from biencoder.embedder.precision import calibrated_scales, to_scaled_int8
from biencoder.errors import ConfigError


def test_each_vector_reaches_its_own_127() -> None:
    vectors = np.array([[0.6, -0.8, 0.0], [1.0, 0.0, 0.0]], dtype=np.float32)
    codes, scales, clipped = to_scaled_int8(vectors, None)
    assert codes.tolist() == [[95, -127, 0], [127, 0, 0]]
    assert codes.dtype == np.int8
    assert scales.dtype == np.float32
    np.testing.assert_allclose(scales, [0.8 / 127, 1 / 127], rtol=1e-6)
    assert clipped == 0


def test_a_vector_of_zeros_stays_zero() -> None:
    codes, scales, clipped = to_scaled_int8(np.zeros((1, 4), np.float32), None)
    assert codes.tolist() == [[0, 0, 0, 0]]
    assert np.isfinite(scales).all()
    assert clipped == 0


def test_what_a_constant_scale_clips_is_counted() -> None:
    vectors = np.array([[0.5, -1.0, 0.25, 1.0]], dtype=np.float32)
    codes, scales, clipped = to_scaled_int8(vectors, 1 / 128)
    assert codes.tolist() == [[64, -127, 32, 127]]
    assert scales.tolist() == [1 / 128]
    assert clipped == 2


def test_scales_are_read_by_size(tmp_path: Path) -> None:
    assert calibrated_scales(tmp_path) == {}
    text = json.dumps({"int8_scales": {"64": 0.004, "384": 0.002}})
    (tmp_path / "quantization.json").write_text(text, encoding="utf-8")
    assert calibrated_scales(tmp_path) == {64: 0.004, 384: 0.002}


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        '{"int8_scales": [0.1]}',
        '{"int8_scales": {"384": 0}}',
        '{"int8_scales": {"384": -0.1}}',
        '{"int8_scales": {"384": 7.5}}',
        '{"int8_scales": {"384": "0.1"}}',
        '{"int8_scales": {"384": NaN}}',
        '{"int8_scales": {"full": 0.1}}',
        "[]",
        "{",
    ],
)
def test_a_damaged_file_of_scales_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / "quantization.json").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"quantization\.json"):
        calibrated_scales(tmp_path)
