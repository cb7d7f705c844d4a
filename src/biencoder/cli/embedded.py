"""What every way to embed shares: numbers in their stored form, counts, and the facts beside the file."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from biencoder.cli.show import say

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from biencoder.embedder.encoder import Encoder, Window
    from biencoder.embedder.pages.page import PageWindow
    from biencoder.types import FloatArray, Precision


@dataclass
class Coder:
    """float32 vectors to the stored form; int8 ranges come from the first window unless given."""

    precision: Precision
    ranges: FloatArray | None = None
    clipped: int = 0

    def __call__(self, vectors: FloatArray) -> npt.NDArray[np.generic]:
        """The vectors as they are stored."""
        from biencoder.embedder.precision import int8_ranges, to_binary, to_int8

        if self.precision == "binary":
            return to_binary(vectors)
        if self.precision == "float32":
            return vectors
        if self.ranges is None:
            self.ranges = int8_ranges(vectors)
        codes, clipped = to_int8(vectors, self.ranges)
        self.clipped += clipped
        return codes


@dataclass
class Counts:
    """What a person must be told of one run."""

    rows: int = 0
    tokens: int = 0
    cut: int = 0
    unreadable: int = 0
    width: int = 0

    def add(self, window: Window | PageWindow) -> None:
        """Count a window of vectors."""
        self.rows += len(window.vectors)
        self.tokens += window.tokens
        self.cut += window.cut
        self.width = window.vectors.shape[1]


def make_coder(precision: str, ranges: Path | None) -> Coder:
    """The coder of ``--precision``; ``ranges`` is the .meta.json of an earlier int8 run."""
    import numpy as np

    from biencoder.config.dialects import read_json
    from biencoder.errors import InputError

    if ranges is None:
        return Coder(precision)  # type: ignore[arg-type]
    stored = read_json(ranges).get("int8_ranges")
    if precision != "int8" or stored is None:
        raise InputError(
            f"{ranges} gives no int8 ranges, or --precision is not int8",
            hint="--ranges takes the .meta.json that an int8 run wrote beside its vectors",
        )
    return Coder("int8", np.asarray(stored, dtype=np.float32))


def write_facts(
    output: Path, embedder: Encoder, counts: Counts, coder: Coder, options: dict[str, Any]
) -> None:
    """``OUTPUT.meta.json``: what made the vectors, and what happened."""
    facts = {
        "model": embedder.profile.name,
        "server": embedder.origin.server,
        "license": embedder.profile.license,
        "rows": counts.rows,
        "tokens": counts.tokens,
        **options,
        "precision": coder.precision,
        "dimensions": counts.width,
        "cut": counts.cut,
        "unreadable": counts.unreadable,
        "clipped": coder.clipped,
        "int8_ranges": None if coder.ranges is None else coder.ranges.tolist(),
    }
    path = output.with_suffix(".meta.json")
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def tell(output: Path, embedder: Encoder, counts: Counts, coder: Coder, *, unit: str) -> None:
    """What was written, and which of it lost something on the way. unit: what a row is."""
    from biencoder.evaluate.report.words import counted

    tokens = counted(counts.tokens, "token")
    say(f"{counted(counts.rows, unit)}, {tokens}, {counts.width} dimensions -> {output}")
    if counts.unreadable:
        say(
            f"Warning: hardly readable for {embedder.profile.name} (another language or script): "
            f"{counted(counts.unreadable, unit)}"
        )
    if coder.clipped:
        say(f"Warning: outside the int8 ranges, clipped: {counted(coder.clipped, 'number')}")


def tell_cut(count: int, truncate: str, *, unit: str) -> None:
    """How many rows lost tokens, if any."""
    from biencoder.evaluate.report.words import counted

    if count:
        which = "last" if truncate == "END" else "first"
        say(f"Warning: too long, the {which} tokens cut off: {counted(count, unit)}")
