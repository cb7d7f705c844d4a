"""Where on a page a question's score comes from: what each tile adds to the cosine.

A page's vector is a mean over its tokens, so its product with the question is a sum over them. A share
says where the numbers came from, not why: each tile's tokens have read the whole page.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from biencoder.index.page_files import SeenPage
from biencoder.types import FloatArray

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PageShares:
    """tiles: each tile's place on the page (left, top, right, bottom as fractions) and its share, row
    by row. thumbnail: the share of the whole page seen small, None where it was not. rest: of all other
    tokens: the prompt's and the text's. All shares add up to ``score``, the cosine.
    """

    tiles: tuple[tuple[Box, float], ...]
    thumbnail: float | None
    rest: float
    score: float


def page_shares(seen: SeenPage, query_D: FloatArray) -> PageShares | None:
    """The shares of a question's cosine with a page; ``query_D`` is the question's unit vector.

    None where a server made the page's vector: it does not tell the parts. Parts are kept in half precision; what that rounds away, some 0.001, is counted with the rest.
    """
    if seen.parts_PD is None:
        return None
    query = query_D.astype(np.float64)
    score = float(seen.vector_D.astype(np.float64) @ query)
    shares = (seen.parts_PD[:-1].astype(np.float64) @ query).tolist()
    boxes = seen.grid.boxes()
    return PageShares(
        tiles=tuple(zip(boxes, shares, strict=False)),
        thumbnail=shares[-1] if seen.thumbnail else None,
        rest=score - sum(shares),
        score=score,
    )
