"""Our hidden states beside those of stock transformers, on the same weights, where it is installed.

The reference reads config.json by itself, so a misread configuration shows. It shares our tensors:
no second copy of the weights is made.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import torch
from torch import Tensor

from biencoder.diagnosis.findings import Finding
from biencoder.diagnosis.probes import OURS, cosine, rows_of_equal_length
from biencoder.embedder.embedder import Embedder
from biencoder.models.llama import LlamaEncoder

NAME = "transformers"

# Older ones ignore `is_causal: false` and run causally without a word.
_FIRST_VERSION = (5, 2)
LEAST_COSINE = {torch.float32: 0.999999, torch.bfloat16: 0.9995, torch.float16: 0.9995}
# A short text cannot show wrong rotary frequencies (1 - cosine is 2e-6): they are compared alone.
_FREQUENCY_TOLERANCE = 1e-6


def parity(embedder: Embedder, raw: Mapping[str, Any]) -> Finding:
    """The cosine between our pooled vector and the reference's, for one short text.

    ``raw`` is config.json as it stands on the disk.
    """
    installed = usable_version(NAME)
    if isinstance(installed, Finding):
        return installed
    reference = stock_trunk(embedder.trunk, raw)
    if isinstance(reference, str):
        return Finding(NAME, "failed", "reads another model from config.json", reference)
    return _compare(embedder, reference, installed)


def usable_version(name: str) -> str | Finding:
    """The installed version; where there is none of use, the finding called ``name`` says so."""
    try:
        installed = version("transformers")
    except PackageNotFoundError:
        return Finding(name, "ok", "not installed: not compared")
    if tuple(int(part) for part in installed.split(".")[:2]) < _FIRST_VERSION:
        reason = f"{installed} is installed; from 5.2 on it can run without a causal mask"
        return Finding(name, "ok", "too old: not compared", reason)
    return installed


def stock_trunk(trunk: LlamaEncoder, raw: Mapping[str, Any]) -> Any:
    """Stock LlamaModel around our tensors; a message where the tensors do not fit its reading."""
    from transformers import LlamaConfig, LlamaModel
    from transformers.models.llama.modeling_llama import LlamaRotaryEmbedding

    foreign = ("model_type", "architectures", "auto_map", "torch_dtype", "dtype")
    config = LlamaConfig(**{key: value for key, value in raw.items() if key not in foreign})
    config.is_causal = False
    config._attn_implementation = "sdpa"
    with torch.device("meta"):
        model = LlamaModel(config)
    try:
        model.load_state_dict(trunk.state_dict(), assign=True)
    except RuntimeError as error:
        return str(error)
    # Its buffers are still on the meta device, where they have no values.
    device = trunk.embed_tokens.weight.device
    with torch.device("cpu"):
        model.rotary_emb = LlamaRotaryEmbedding(config=config)
    model.rotary_emb.to(device)
    return model.eval()


@torch.inference_mode()
def _compare(embedder: Embedder, reference: Any, installed: str) -> Finding:
    trunk, dtype = embedder.trunk, embedder.placement.dtype
    prefix = embedder.profile.prompts.document
    encoded = embedder.tokenizer.encode(
        [OURS], prefix=prefix, max_tokens=embedder.max_tokens, truncate="END"
    )
    packed = rows_of_equal_length(encoded.ids, trunk.embed_tokens.weight.device)
    ours_TD = plain(trunk(packed))
    theirs_TD = plain(reference(input_ids=packed.tokens_T[None]).last_hidden_state[0])
    pooled = cosine(ours_TD.mean(axis=0), theirs_TD.mean(axis=0))
    token = min(cosine(mine, its) for mine, its in zip(ours_TD, theirs_TD, strict=True))
    drift = _drift(trunk.rotary.frequencies, reference.rotary_emb.inv_freq)
    least = LEAST_COSINE[dtype]
    fine = pooled >= least and drift <= _FREQUENCY_TOLERANCE
    wrong = "; the rotary frequencies differ" if drift > _FREQUENCY_TOLERANCE else ""
    return Finding(
        NAME,
        "ok" if fine else "failed",
        f"mean state has cosine {pooled:.7f} with {installed}'s",
        f"at least {least} asked for; worst single token {token:.6f}{wrong}",
        {"cosine": pooled, "worst_token": token, "frequency_drift": drift, "version": installed},
    )


def plain(states_TD: Tensor) -> np.ndarray:
    """States in float64 on the host."""
    array: np.ndarray = states_TD.double().cpu().numpy()
    return array


def _drift(ours: Tensor, theirs: Tensor) -> float:
    """The largest relative difference between two tables of frequencies."""
    reference = theirs.double().cpu()
    return float(((ours.double().cpu() - reference).abs() / reference).max().item())
