"""The plain contracts that rooms share: roles, formats, and the packed batch.

Only numpy lives here, so tokenising and packing need no torch.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import numpy.typing as npt

Role: TypeAlias = Literal["query", "document"]
Truncate: TypeAlias = Literal["NONE", "START", "END"]
Precision: TypeAlias = Literal["float32", "int8", "binary"]

ROLES: tuple[Role, ...] = ("query", "document")
TRUNCATE: tuple[Truncate, ...] = ("NONE", "START", "END")
PRECISIONS: tuple[Precision, ...] = ("float32", "int8", "binary")

IntArray: TypeAlias = npt.NDArray[np.int64]
FloatArray: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Batch:
    """Several texts as one run of tokens, without padding.

    Text ``s`` owns the tokens ``bounds[s]`` to ``bounds[s + 1]``; its positions restart at 0.
    The bounds are the whole attention mask. Texts of equal length stand side by side, so that
    attention can take each such group in one call.

    tokens_T, positions_T: int64, shape (T,). bounds: int64, shape (S + 1,), from 0 to T.
    rows_S: int64, shape (S,), where each text stood in the caller's list.
    """

    tokens_T: IntArray
    positions_T: IntArray
    bounds: IntArray
    rows_S: IntArray

    @property
    def lengths_S(self) -> IntArray:
        """Tokens per text, shape (S,)."""
        return np.diff(self.bounds)
