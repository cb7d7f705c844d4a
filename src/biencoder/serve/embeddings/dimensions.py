"""Which vector size a request gets: what the model offers, or a refusal that lists it."""

from __future__ import annotations

from collections.abc import Sequence

from biencoder.serve.embeddings.wire import EmbeddingType
from biencoder.serve.errors import ApiError
from biencoder.serve.settings import DimensionsPolicy


def choose_size(
    asked: int | None, offered: Sequence[int], *, policy: DimensionsPolicy, model: str
) -> int:
    """The size to give; None asks for the full one.

    offered: ascending to the full size. ``strict`` gives the sizes that the model was trained for;
    ``nim1`` gives any up to the full one, and the full one for any above. A model that was not
    trained to be cut (one size offered) gives no smaller vector under either policy.
    """
    full = offered[-1]
    if asked is None or asked in offered:
        return full if asked is None else asked
    if asked > full and policy == "nim1":
        return full
    if asked < full and len(offered) == 1:
        message = (
            f"dimensions: Extra inputs are not permitted; {model} gives {full} dimensions only"
        )
        raise ApiError("extra_forbidden", message, param="dimensions")
    if asked < full and policy == "nim1":
        return asked
    sizes = ", ".join(map(str, offered))
    message = f"dimensions {asked} is not offered; {model} offers {sizes}"
    raise ApiError("invalid_dimensions", message, param="dimensions")


def check_bits(size: int, embedding_type: EmbeddingType) -> None:
    """Eight numbers make a byte: refuse a size that leaves some over."""
    if embedding_type in ("binary", "ubinary") and size % 8:
        message = f"embedding_type {embedding_type} needs a multiple of 8 dimensions, not {size}"
        raise ApiError("invalid_dimensions", message, param="dimensions")
