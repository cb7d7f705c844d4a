"""How long work tells how far it is; what shows it is the caller's affair."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeAlias

# Takes how many more are done.
Tick: TypeAlias = Callable[[int], None]
# Makes a progress bar from a label, a total (None where it is not known) and a unit.
Meter: TypeAlias = Callable[[str, int | None, str], AbstractContextManager[Tick]]


def silent(label: str, total: int | None, unit: str) -> AbstractContextManager[Any]:
    """No progress bar."""
    return nullcontext(lambda count: None)
