"""On CUDA the vectors are those of the CPU. These run wherever a device is present."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from biencoder import Embedder
from biencoder.models import attention

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]

TEXTS = ["a river bend", "", "pine needles " * 60, "tea", "an engine overheats " * 90]


@pytest.mark.parametrize("shape", ["1b", "3b", "8b", "300m"])
@pytest.mark.parametrize(("dtype", "least"), [("float32", 0.99999), ("bfloat16", 0.9995)])
def test_cuda_vectors_are_those_of_the_cpu(
    checkpoints: dict[str, Path], shape: str, dtype: str, least: float
) -> None:
    cpu = Embedder.load(checkpoints[shape], dtype="float32", device="cpu")
    cuda = Embedder.load(checkpoints[shape], dtype=dtype, device="cuda")
    left, right = cpu.encode_documents(TEXTS), cuda.encode_documents(TEXTS)
    assert (left * right).sum(axis=1).min() >= least


def test_variable_length_attention_equals_the_grouped_path(
    checkpoints: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Embedder.load(checkpoints["1b"], dtype="bfloat16", device="cuda")
    varlen = model.encode_documents(TEXTS)
    monkeypatch.setattr(attention, "has_varlen", lambda *_: False)
    grouped = model.encode_documents(TEXTS)
    assert (varlen * grouped).sum(axis=1).min() >= 0.9995


def test_an_embedding_is_the_same_alone_and_in_company_on_cuda(
    checkpoints: dict[str, Path],
) -> None:
    model = Embedder.load(checkpoints["1b"], dtype="float32", device="cuda")
    together = model.encode_documents(TEXTS)
    alone = np.concatenate([model.encode_documents([text]) for text in TEXTS])
    np.testing.assert_allclose(together, alone, rtol=1e-4, atol=1e-5)


def test_auto_picks_bfloat16_on_a_new_gpu_and_float32_on_an_old_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from biencoder.embedder.device import place

    for capability, dtype in (((9, 0), torch.bfloat16), ((7, 5), torch.float32)):
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_, c=capability: c)
        assert place("auto", "cuda").dtype is dtype
