"""One system judged on one set: what is kept on disk, and how it is read back.

A result is two neighbours: ``NAME.json`` holds the means with everything that a reader needs to
repeat them; ``NAME.queries.jsonl`` holds a line per judged query, so that two systems can be
compared query by query without encoding anything again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from biencoder.corpus.beir import read_jsonl
from biencoder.drafts import write_json, write_text
from biencoder.errors import InputError

_QUERIES = ".queries.jsonl"
FORMAT = "biencoder-result-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgedQuery:
    """One query's share in the means. ``ranking``: the best documents first, id and score."""

    id: str
    text: str
    metrics: Mapping[str, float]
    ranking: tuple[tuple[str, float], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One system on one set.

    dataset: a name such as ``xquad/en``. system: ``mini``, ``mini, 128 dimensions, int8`` or
    ``BM25``. metrics: fractions, means over the judged queries, keyed as ``ndcg@10``. intervals:
    least and greatest value of the 95 % bootstrap interval under the same keys. model: name,
    fingerprint, prompts, dimensions, precision, dtype, max_tokens (for BM25 its tokens, k1, b).
    data: digest, counts, and what was left out. settings: measures, seed; of a set from a folder its
    source (the path as given), split, same_id and queries_from; of an aligned one group,
    query_language, document_language and, for the mixed pool, languages. speed: seconds, tokens,
    documents and queries per second, bytes per document. conditions: versions, machine, date.
    """

    dataset: str
    system: str
    metrics: Mapping[str, float]
    intervals: Mapping[str, tuple[float, float]]
    model: Mapping[str, Any]
    data: Mapping[str, Any]
    settings: Mapping[str, Any]
    speed: Mapping[str, float]
    conditions: Mapping[str, Any]
    queries: tuple[JudgedQuery, ...] = field(repr=False)

    def summary(self) -> dict[str, Any]:
        """All but the queries, as plain values for JSON."""
        plain = {name: getattr(self, name) for name in self.__slots__ if name != "queries"}
        return {
            "format": FORMAT,
            **{
                key: dict(value) if isinstance(value, Mapping) else value
                for key, value in plain.items()
            },
        }


def result_path(folder: Path, dataset: str, system: str) -> Path:
    """``FOLDER/dataset/system.json``, with every unusual character replaced."""
    return folder / _slug(dataset) / f"{_slug(system)}.json"


def save_result(result: Result, path: Path) -> None:
    """Write both files; the summary comes last, so where it stands these queries stand too."""
    # A kill between the two files must not leave new queries beside old means.
    path.unlink(missing_ok=True)
    lines = (json.dumps(asdict(query), ensure_ascii=False) + "\n" for query in result.queries)
    write_text(_beside(path), "".join(lines))
    write_json(path, result.summary())


def load_result(path: Path) -> Result:
    """Read a result back. Raises InputError for a file of another kind or a missing neighbour."""
    value = read_summary(path)
    value.pop("format")
    value["intervals"] = {name: (low, high) for name, (low, high) in value["intervals"].items()}
    try:
        queries = tuple(
            JudgedQuery(**{**row, "ranking": tuple((id_, score) for id_, score in row["ranking"])})
            for _, row in read_jsonl(_beside(path))
        )
        return Result(**value, queries=queries)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"{path} or the queries beside it are no result of this version: {error}",
            hint="delete both; the next run of `biencoder evaluate` makes them anew",
        ) from error


def read_summary(path: Path) -> dict[str, Any]:
    """The summary alone, as it stands in the file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read as a result: {error}") from error
    if not isinstance(value, dict) or value.get("format") != FORMAT:
        raise InputError(
            f"{path} is no result of `biencoder evaluate`",
            hint="give a file NAME.json that it wrote, or the folder around such files",
        )
    return value


def find_results(places: Iterable[Path]) -> Iterator[Path]:
    """Result files among files and folders, in order; other JSON files in folders are passed over."""
    for place in places:
        if place.is_dir():
            yield from (path for path in sorted(place.rglob("*.json")) if _is_result(path))
        elif place.exists():
            yield place
        else:
            raise InputError(f"there is no file or folder {place}")


def _is_result(path: Path) -> bool:
    try:
        read_summary(path)
    except InputError:
        return False
    return True


def _beside(path: Path) -> Path:
    return path.with_name(path.name.removesuffix(".json") + _QUERIES)


def _slug(name: str) -> str:
    return re.sub(r"[^\w.@+-]+", "-", name).strip("-.").lower() or "unnamed"
