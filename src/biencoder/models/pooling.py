"""From hidden states to one vector per text, in float32 whatever the model computes in.

A half-precision sum over thousands of tokens would overflow (65,504) or lose its small terms.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from biencoder.config.model import Pooling
from biencoder.models.packed import Packed


def pool(hidden_TD: Tensor, packed: Packed, pooling: Pooling) -> Tensor:
    """One vector per text, float32, shape (S, D), not normalised.

    ``avg`` takes every token of the text, prompt and BOS included; ``cls`` the first; ``last``
    the last.
    """
    parts = []
    for states in packed.split(hidden_TD):
        if pooling == "avg":
            parts.append(states.mean(dim=1, dtype=torch.float32))
        else:
            parts.append(states[:, 0 if pooling == "cls" else -1].float())
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def normalize(vectors_SD: Tensor) -> Tensor:
    """Vectors of length 1 (float32, eps 1e-12)."""
    return F.normalize(vectors_SD.float(), p=2.0, dim=-1, eps=1e-12)
