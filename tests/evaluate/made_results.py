"""Small results made by hand, for comparing and reporting."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from biencoder.evaluate.results import JudgedQuery, Result, result_path, save_result

MINI: dict[str, Any] = {
    "name": "mini",
    "fingerprint": "00112233aabbccdd",
    "prompts": {"query": "query: ", "document": "passage: "},
    "dtype": "bfloat16",
    "max_tokens": 512,
    "dimensions": 384,
    "precision": "float32",
}
BM25: dict[str, Any] = {"name": "BM25", "tokens": "auto", "k1": 0.9, "b": 0.4}


def made(
    values: Sequence[float],
    *,
    system: str = "mini",
    dataset: str = "notes",
    model: Mapping[str, Any] | None = None,
    digest: str = "d1",
    metric: str = "ndcg@10",
    texts: Sequence[str] = (),
    settings: Mapping[str, Any] | None = None,
    speed: Mapping[str, float] | None = None,
    notes: Mapping[str, int] | None = None,
    extra: Mapping[str, float] | None = None,
    date: str = "2026-01-02 03:04 UTC",
) -> Result:
    """A result whose i-th question ``q<i>`` has ``values[i]``; it found ``<system>-d<i>``."""
    mean = sum(values) / len(values)
    facts = BM25 if system == "BM25" else MINI
    return Result(
        dataset=dataset,
        system=system,
        metrics={metric: mean, **(extra or {})},
        intervals={metric: (max(0.0, mean - 0.1), min(1.0, mean + 0.1))},
        model={**facts, **(model or {})},
        data={
            "digest": digest,
            "documents": 7,
            "queries": len(values),
            "judgements": len(values),
            "notes": dict(notes or {}),
        },
        settings={"seed": 0, **(settings or {})},
        speed=dict(speed or {}),
        conditions={
            "machine": {"processor": "Test", "cores": 2},
            "versions": {"biencoder": "0.1.0"},
            "date": date,
        },
        queries=tuple(
            JudgedQuery(
                id=f"q{number}",
                text=texts[number] if number < len(texts) else f"question {number}",
                metrics={metric: value},
                ranking=((f"{system}-d{number}", 0.75), ("d-other", 0.5)),
            )
            for number, value in enumerate(values)
        ),
    )


def saved(folder: Path, *results: Result) -> list[Path]:
    """Each result in its place below ``folder``."""
    paths = []
    for result in results:
        paths.append(result_path(folder, result.dataset, result.system))
        save_result(result, paths[-1])
    return paths
