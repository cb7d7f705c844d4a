"""Matryoshka: the first numbers of a vector are a shorter vector, once it has length 1 again."""

from __future__ import annotations

from collections.abc import Sequence

from biencoder.errors import DimensionError


def check_dimensions(asked: int | None, offered: Sequence[int], model: str) -> int:
    """The vector size to give; None means the full one.

    Raises DimensionError for a size that the model was not trained to offer: a cut vector of a
    model without Matryoshka training is a worse vector, silently.
    """
    if asked is None:
        return offered[-1]
    if asked not in offered:
        sizes = ", ".join(map(str, offered))
        trained = "offers" if len(offered) > 1 else "was not trained to be cut; it offers only"
        raise DimensionError(
            f"{model} has no vectors of {asked} dimensions", hint=f"{model} {trained} {sizes}"
        )
    return asked
