"""Both policies, row by row, for a model that was trained to be cut and for one that was not."""

from __future__ import annotations

import pytest

from biencoder.serve.embeddings.dimensions import check_bits, choose_size
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import DimensionsPolicy

MATRYOSHKA = (384, 512, 768, 1024, 2048)
FIXED = (4096,)


@pytest.mark.parametrize("policy", ["strict", "nim1"])
def test_full_and_listed_sizes_are_given_under_both_policies(policy: DimensionsPolicy) -> None:
    for asked, given in ((None, 2048), (2048, 2048), (384, 384), (1024, 1024)):
        assert choose_size(asked, MATRYOSHKA, policy=policy, model="m") == given
    assert choose_size(4096, FIXED, policy=policy, model="m") == 4096


@pytest.mark.parametrize(("asked", "given"), [(1, 1), (32, 32), (100, 100), (102400, 2048)])
def test_nim1_gives_any_size_and_clamps_above_the_full_one(asked: int, given: int) -> None:
    assert choose_size(asked, MATRYOSHKA, policy="nim1", model="m") == given


@pytest.mark.parametrize("asked", [1, 100, 2047, 2049, 102400])
def test_strict_refuses_what_is_not_listed_and_lists_the_sizes(asked: int) -> None:
    with pytest.raises(ApiError) as refusal:
        choose_size(asked, MATRYOSHKA, policy="strict", model="m")
    assert (refusal.value.code, refusal.value.param) == ("invalid_dimensions", "dimensions")
    assert "384, 512, 768, 1024, 2048" in refusal.value.message


@pytest.mark.parametrize("policy", ["strict", "nim1"])
def test_a_model_that_was_not_trained_to_be_cut_is_never_cut(policy: DimensionsPolicy) -> None:
    with pytest.raises(ApiError) as refusal:
        choose_size(1024, FIXED, policy=policy, model="m")
    assert refusal.value.code == "extra_forbidden"
    assert "dimensions" in refusal.value.message
    assert "Extra inputs are not permitted" in refusal.value.message


def test_above_a_fixed_size_strict_refuses_and_nim1_clamps() -> None:
    assert choose_size(5000, FIXED, policy="nim1", model="m") == 4096
    with pytest.raises(ApiError, match="offers 4096"):
        choose_size(5000, FIXED, policy="strict", model="m")


@pytest.mark.parametrize("kind", ["binary", "ubinary"])
def test_bits_need_whole_bytes(kind: str) -> None:
    check_bits(64, kind)  # type: ignore[arg-type]
    check_bits(33, "int8")
    with pytest.raises(ApiError, match="multiple of 8 dimensions, not 33") as refusal:
        check_bits(33, kind)  # type: ignore[arg-type]
    assert refusal.value.code == "invalid_dimensions"
