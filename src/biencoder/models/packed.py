"""A `types.Batch` as tensors: what a layer needs to know of it, computed once per batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from biencoder.types import Batch


@dataclass(frozen=True, slots=True)
class Group:
    """Neighbouring texts of equal length: ``texts`` of ``length`` tokens each."""

    texts: int
    length: int


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

    def split(self, x_T: Tensor) -> Iterator[Tensor]:
        """Each group's share of a tensor over tokens, shape (texts, length, ...).

        One split, not a slice per group: the gradient of a slice is a whole tensor of zeros.
        """
        parts = x_T.split([group.texts * group.length for group in self.groups])
        for group, part in zip(self.groups, parts, strict=True):
            yield part.unflatten(0, (group.texts, group.length))

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
    return tuple(Group(len(list(run)), length) for length, run in groupby(lengths))
