"""A question to ranked passages: dense, lexical or both fused, over one acknowledged version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from biencoder.errors import InputError
from biencoder.index import dense, filter_compile
from biencoder.index import store as stores
from biencoder.index.facts import Facts
from biencoder.index.filters import Filter
from biencoder.index.fusion import DEPTH, FUSIONS, Fusion, fuse
from biencoder.index.hits import MODES, Hit, Mode
from biencoder.index.mirror import Mirror
from biencoder.index.page_files import PageFiles
from biencoder.index.rows import CORE, INNER
from biencoder.index.store import Store
from biencoder.text.words import split_words
from biencoder.types import FloatArray

_PROBES = 64
_REFINE = 10
_CANDIDATES = 200
# So many times as many rows as usual are fetched at most, where their scores tie.
_TIES = 32

Scores = list[tuple[str, float]]


@dataclass(frozen=True)
class Snapshot:
    """One acknowledged version, open for reading. pages: pictures beside it, of rows that are pages."""

    facts: Facts
    version: int
    store: Store
    mirror: Mirror
    pages: PageFiles

    @property
    def rows(self) -> int:
        """How many passages it has."""
        return len(self.mirror.vectors_ND)


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked of a snapshot. encode: the question's vector, asked for only where needed."""

    question: str
    encode: Callable[[], FloatArray]
    top_k: int
    mode: Mode
    filters: Filter | None
    fusion: Fusion = "weighted"


def search(snapshot: Snapshot, request: Request) -> list[Hit]:
    """The best passages, highest score first, ties by id.

    Raises InputError for a mode, a fusion or a top_k that cannot be.
    """
    if request.mode not in MODES:
        raise InputError(f"mode {request.mode!r} is unknown", hint=f"known: {', '.join(MODES)}")
    if request.fusion not in FUSIONS:
        raise InputError(
            f"fusion {request.fusion!r} is unknown", hint=f"known: {', '.join(FUSIONS)}"
        )
    if request.top_k < 1:
        raise InputError(f"top_k is {request.top_k}; ask for at least 1 passage")
    if snapshot.rows == 0:
        return []
    depth = request.top_k if request.mode != "hybrid" else max(DEPTH, 10 * request.top_k)
    rankings: dict[str, Scores] = {}
    if request.mode != "lexical":
        rankings["dense"] = dense_ranking(snapshot, request.encode(), depth, request.filters)
    if request.mode != "dense":
        rankings["lexical"] = lexical_ranking(snapshot, request.question, depth, request.filters)
    if request.mode == "hybrid":
        best = fuse(rankings["dense"], rankings["lexical"], request.fusion)
    else:
        best = rankings[request.mode]
    scores = {name: dict(ranking) for name, ranking in rankings.items()}
    return [
        _hit(snapshot, rank, id_, score, scores)
        for rank, (id_, score) in enumerate(best[: request.top_k], start=1)
    ]


def dense_ranking(
    snapshot: Snapshot, query_D: FloatArray, depth: int, filters: Filter | None
) -> Scores:
    """Ids with cosines, highest first."""
    mirror = snapshot.mirror
    if snapshot.rows > stores.EXACT_ROWS:
        where = filter_compile.to_lance(filters) if filters is not None else None
        rows = np.array(
            [
                mirror.places[id_]
                for id_, _ in snapshot.store.near(
                    query_D.tolist(), max(depth, _CANDIDATES), where, _PROBES, _REFINE
                )
            ],
            dtype=np.int64,
        )
    else:
        mask = filter_compile.mask(filters, mirror.columns) if filters is not None else None
        rows = candidates(snapshot, query_D, depth, mask)
    found, scores = dense.settle(mirror.vectors_ND, query_D, rows, depth, mirror.ids)
    return list(zip(mirror.ids(found), scores.tolist(), strict=True))


def candidates(snapshot: Snapshot, query_D: FloatArray, depth: int, mask: dense.Mask | None) -> Any:
    """Rows among which the best are: all compared, or narrowed down by a short form first."""
    mirror, many = snapshot.mirror, max(10 * depth, _CANDIDATES)
    kind = snapshot.facts.candidates.split()[0]
    if mirror.short_NE is None or kind == "exact":
        return dense.exact(mirror.vectors_ND, query_D, depth, mask)[0]
    if kind == "prefix":
        short = cast(FloatArray, mirror.short_NE)
        query_E = dense.unit_prefix(query_D[None], short.shape[1])[0]
        return dense.exact(short, query_E, many, mask)[0]
    return dense.by_codes(cast(dense.CodeArray, mirror.short_NE), query_D, many, mask)


def lexical_ranking(
    snapshot: Snapshot, question: str, depth: int, filters: Filter | None
) -> Scores:
    """Ids with BM25 scores, highest first, ties by id; only rows that share a word.

    Of very many rows that tie, the first by id among those that the engine gives are taken.
    """
    words = split_words(question)
    if not words:
        return []
    where = filter_compile.to_lance(filters) if filters is not None else None
    limit, most = depth + DEPTH, _TIES * (depth + DEPTH)
    found = snapshot.store.match_words(words, limit, where)
    # All that tie with the last one wanted must be there, so that their ids decide and not chance.
    while limit < min(snapshot.rows, most) and len(found) == limit and _tie(found, depth):
        limit = min(2 * limit, most)
        found = snapshot.store.match_words(words, limit, where)
    return _in_order(found)[:depth]


def _tie(found: Scores, depth: int) -> bool:
    """Whether what was not fetched may have the score of the last one wanted."""
    ranked = _in_order(found)
    return ranked[-1][1] >= ranked[depth - 1][1]


def _in_order(found: Scores) -> Scores:
    return sorted(found, key=lambda pair: (-pair[1], pair[0]))


def _hit(
    snapshot: Snapshot, rank: int, id_: str, score: float, scores: Mapping[str, Mapping[str, float]]
) -> Hit:
    row = snapshot.mirror.row(snapshot.mirror.places[id_])
    own = {*CORE, *INNER}
    return Hit(
        rank=rank,
        score=score,
        text=row["text"],
        source=row["source"],
        title=row["title"],
        heading=row["heading"],
        page=row["page"],
        start=row["start"],
        end=row["end"],
        id=id_,
        dense=scores.get("dense", {}).get(id_),
        lexical=scores.get("lexical", {}).get(id_),
        pictured=snapshot.pages.has(id_),
        metadata={name: value for name, value in row.items() if name not in own},
    )
