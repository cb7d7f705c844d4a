"""A `types.Batch` as tensors: what a layer needs to know of it, computed once per batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from biencoder.types import Batch


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring texts of equal length: ``texts`` of ``length`` tokens from token ``start``."""

    start: int
    texts: int
    length: int

    @property
    def stop(self) -> int:
        """The token after the group's last."""
        return self.start + self.texts * self.length


@dataclass(frozen=True, slots=True)
class Packed:
    """Tokens and positions on the device, and the bounds in the two forms that attention takes.

    groups: for attention by equal length. cumulative_S1: int32, shape (S + 1,), on CUDA only, for
    variable-length attention. longest: tokens of the longest text, known on the host.
    """

    tokens_T: Tensor
    positions_T: Tensor
    groups: tuple[Group, ...]
    longest: int
    cumulative_S1: Tensor | None

    @classmethod
    def from_batch(cls, batch: Batch, device: torch.device) -> Packed:
        """Move a batch to the device."""
        lengths = batch.lengths_S.tolist()
        on_cuda = device.type == "cuda"
        return cls(
            tokens_T=torch.from_numpy(batch.tokens_T).to(device, non_blocking=True),
            positions_T=torch.from_numpy(batch.positions_T).to(device, non_blocking=True),
            groups=_groups(lengths),
            longest=max(lengths),
            cumulative_S1=torch.from_numpy(batch.bounds).to(device, torch.int32)
            if on_cuda
            else None,
        )


def _groups(lengths: list[int]) -> tuple[Group, ...]:
    groups: list[Group] = []
    start = first = 0
    for index, length in enumerate(lengths):
        last = index + 1 == len(lengths)
        if last or lengths[index + 1] != length:
            group = Group(start, index + 1 - first, length)
            groups.append(group)
            start, first = group.stop, index + 1
    return tuple(groups)
