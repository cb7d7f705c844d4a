"""bfloat16 weights for computing, float32 weights for learning.

AdamW steps are smaller than bfloat16 can add to a weight, so a plain bfloat16 optimizer would
lose most of them. The token table stays float32: its gradient sums thousands of small terms.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from biencoder.models.llama import LlamaEncoder


def cosine_schedule(step: int, *, total: int, warmup: int, floor: float = 0.02) -> float:
    """The share of the peak learning rate at a step: linear up, cosine down to ``floor``.

    >>> cosine_schedule(4, total=100, warmup=5), round(cosine_schedule(99, total=100, warmup=5), 2)
    (1.0, 0.02)
    """
    if step < warmup:
        return (step + 1) / warmup
    progress = (step - warmup) / max(1, total - 1 - warmup)
    return floor + (1.0 - floor) * 0.5 * (1.0 + math.cos(math.pi * min(1.0, progress)))


class MasterWeights:
    """Float32 copies of a model's parameters and the AdamW state over them."""

    def __init__(
        self, model: LlamaEncoder, *, learning_rate: float, weight_decay: float, clip: float
    ) -> None:
        self.model, self.clip, self.peak = model, clip, learning_rate
        self.masters = {
            name: nn.Parameter(parameter.detach().float().clone())
            for name, parameter in model.named_parameters()
        }
        _to_compute_dtype(model)
        model.requires_grad_(True)
        decayed = [m for name, m in self.masters.items() if m.dim() == 2 and "embed" not in name]
        plain = [m for name, m in self.masters.items() if m.dim() == 1 or "embed" in name]
        self.optimizer = torch.optim.AdamW(
            [
                {"params": decayed, "weight_decay": weight_decay},
                {"params": plain, "weight_decay": 0.0},
            ],
            lr=learning_rate,
            betas=(0.9, 0.98),
            fused=True,
        )
        self._publish()

    def step(self, share: float) -> float:
        """One AdamW step at ``share`` of the peak rate; returns the gradient's norm before clipping."""
        for name, parameter in self.model.named_parameters():
            if parameter.grad is None:
                raise AssertionError(f"{name} got no gradient")
            self.masters[name].grad = parameter.grad.float()
            parameter.grad = None
        norm = nn.utils.clip_grad_norm_(self.masters.values(), self.clip)
        for group in self.optimizer.param_groups:
            group["lr"] = self.peak * share
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._publish()
        return float(norm)

    def state(self) -> dict[str, Tensor]:
        """Everything that a resumed run needs, as named tensors."""
        tensors = {f"master.{name}": master.detach() for name, master in self.masters.items()}
        for name, master in self.masters.items():
            for key, value in self.optimizer.state.get(master, {}).items():
                tensors[f"{key}.{name}"] = value
        return tensors

    def load_state(self, tensors: dict[str, Tensor]) -> None:
        """Put back what `state` gave."""
        for name, master in self.masters.items():
            master.data.copy_(tensors[f"master.{name}"])
            self.optimizer.state[master] = {
                key: tensors[f"{key}.{name}"].clone() for key in ("step", "exp_avg", "exp_avg_sq")
            }
        self._publish()

    @torch.no_grad()
    def _publish(self) -> None:
        for name, parameter in self.model.named_parameters():
            parameter.copy_(self.masters[name])


def _to_compute_dtype(model: LlamaEncoder) -> None:
    model.to(torch.bfloat16)
    model.embed_tokens.to(torch.float32)
