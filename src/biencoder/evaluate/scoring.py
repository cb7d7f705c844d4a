"""From rankings to numbers, query by query."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from biencoder.evaluate.exact import TopK, search
from biencoder.evaluate.judged_set import JudgedSet
from biencoder.evaluate.results import JudgedQuery
from biencoder.evaluate.settings import Measure, Settings
from biencoder.types import FloatArray, Role

# So many documents of each ranking are kept in the result file.
_KEPT = 10
_RETRIEVED = 100


def score_queries(
    judged: JudgedSet, found: TopK, measures: Mapping[str, Measure]
) -> Iterator[JudgedQuery]:
    """Every query's metrics from its best documents, in the set's order."""
    ids = judged.ids
    for (query, text), rows, scores in zip(
        judged.queries.items(), found.rows_QK.tolist(), found.scores_QK.tolist(), strict=True
    ):
        ranking = [(ids[row], score) for row, score in zip(rows, scores, strict=True) if row >= 0]
        order, grades = [id_ for id_, _ in ranking], judged.qrels[query]
        yield JudgedQuery(
            id=query,
            text=text,
            metrics={name: function(order, grades) for name, function in measures.items()},
            ranking=tuple(ranking[:_KEPT]),
        )


def score_encoder(
    judged: JudgedSet,
    encode: Callable[[Sequence[str], Role], FloatArray],
    measures: Sequence[str],
) -> dict[str, float]:
    """Means alone, of anything that encodes: for watching a training run."""
    found = search(
        encode(list(judged.queries.values()), "query"),
        encode([document.full_text for document in judged.documents], "document"),
        judged.ids,
        k=_RETRIEVED,
        excluded=judged.excluded_rows,
    )
    functions = Settings(measures=tuple(measures)).functions()
    queries = list(score_queries(judged, found, functions))
    return {name: float(np.mean([query.metrics[name] for query in queries])) for name in measures}
