"""What lies in the given places, sorted: sets, systems, their forms, benchmarks.

Only summaries are read here; the queries of a result, which are many, when a section needs them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from biencoder.errors import InputError
from biencoder.evaluate.benchmark_result import (
    BenchmarkResult,
    is_benchmark_result,
    load_benchmark_result,
)
from biencoder.evaluate.compare import METRIC
from biencoder.evaluate.results import FORMAT, JudgedQuery, Result, load_result, read_summary
from biencoder.types import PRECISIONS

LEXICAL = "BM25"
_FORM = ("dimensions", "precision")
_PRECISION_ORDER: dict[str, int] = {name: place for place, name in enumerate(PRECISIONS)}


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One result. dataset, system: unlike the result's own, these names are never used twice.

    family: the same for all sizes and precisions of one model.
    """

    path: Path
    result: Result
    dataset: str
    system: str
    family: str

    @property
    def dimensions(self) -> int:
        """The vectors' size, 0 for what has none."""
        return int(self.result.model.get("dimensions", 0))

    @property
    def precision(self) -> str:
        """How the vectors are stored, empty for what has none."""
        return str(self.result.model.get("precision", ""))

    @property
    def lexical(self) -> bool:
        """Whether this is the baseline beside the models."""
        return self.result.system == LEXICAL

    @property
    def languages(self) -> tuple[str, str] | None:
        """Of the queries and of the documents, in an aligned run."""
        asked = self.result.settings.get("query_language")
        written = self.result.settings.get("document_language")
        return (str(asked), str(written)) if asked and written else None

    @property
    def group(self) -> str:
        """What the set is a part of."""
        return str(self.result.settings.get("group") or "aligned sets")

    @property
    def form_order(self) -> tuple[int, int]:
        """The full size in float32 comes first."""
        return -self.dimensions, _PRECISION_ORDER.get(self.precision, len(PRECISIONS))

    def load(self) -> Result:
        """The whole result, queries included."""
        return load_result(self.path)


@dataclass(frozen=True, kw_only=True)
class Material:
    """Everything a page is made of.

    metric: what pictures and comparisons show. passed_over: JSON files of other kinds. older:
    results that a newer one of the same system on the same data replaces.
    """

    entries: tuple[Entry, ...]
    benchmarks: tuple[BenchmarkResult, ...] = ()
    metric: str = METRIC
    passed_over: int = 0
    older: int = 0

    @cached_property
    def alone(self) -> tuple[Entry, ...]:
        """Results on sets that are no part of an aligned run."""
        return tuple(entry for entry in self.entries if entry.languages is None)

    @cached_property
    def aligned(self) -> tuple[Entry, ...]:
        """Results of aligned runs."""
        return tuple(entry for entry in self.entries if entry.languages is not None)

    @cached_property
    def systems(self) -> tuple[str, ...]:
        """The best form of each model, most judged first, the lexical baseline last."""
        entries = best_forms(self.entries)
        names = unique(entry.system for entry in entries)
        lexical = {entry.system for entry in entries if entry.lexical}
        forms = {entry.system: self._forms_of(entry.family) for entry in entries}
        return tuple(sorted(names, key=lambda name: (name in lexical, -forms[name])))

    def _forms_of(self, family: str) -> int:
        return sum(entry.family == family for entry in self.entries)

    @property
    def conditions(self) -> list[Mapping[str, Any]]:
        """Machine, versions and date of everything."""
        return [
            *(entry.result.conditions for entry in self.entries),
            *(benchmark.conditions for benchmark in self.benchmarks),
        ]

    @property
    def datasets(self) -> tuple[str, ...]:
        """All sets' names."""
        return unique(entry.dataset for entry in self.entries)


def gather(places: Sequence[Path], *, metric: str = METRIC) -> Material:
    """Read the summaries in files and folders.

    Raises InputError for a place that is not there, a file given by name that is no result, or
    where no result is found at all.
    """
    found: list[tuple[Path, Result]] = []
    benchmarks: list[BenchmarkResult] = []
    passed_over = 0
    for path, named in _json_files(places):
        kind = _kind(path)
        if kind == "result":
            found.append((path, _without_queries(path)))
        elif kind == "benchmark":
            benchmarks.append(load_benchmark_result(path))
        elif named:
            read_summary(path)
        else:
            passed_over += 1
    if not found and not benchmarks:
        raise InputError(
            f"there is no result in {', '.join(map(str, places))}",
            hint="`biencoder evaluate --output FOLDER` writes them",
        )
    newest = _newest(found)
    return Material(
        entries=tuple(_named(newest)),
        benchmarks=tuple(benchmarks),
        metric=_metric([result for _, result in newest], metric),
        passed_over=passed_over,
        older=len(found) - len(newest),
    )


def by_dataset(entries: Iterable[Entry]) -> dict[str, list[Entry]]:
    """Entries of each set, in order."""
    groups: dict[str, list[Entry]] = {}
    for entry in entries:
        groups.setdefault(entry.dataset, []).append(entry)
    return groups


def best_forms(entries: Iterable[Entry]) -> list[Entry]:
    """Of each model on each set, the largest and most precise form that was judged."""
    best: dict[tuple[str, str], Entry] = {}
    for entry in entries:
        key = entry.dataset, entry.family
        if key not in best or entry.form_order < best[key].form_order:
            best[key] = entry
    return list(best.values())


def unique(names: Iterable[str]) -> tuple[str, ...]:
    """Each once, in order."""
    return tuple(dict.fromkeys(names))


def queries_of(entry: Entry) -> dict[str, JudgedQuery]:
    """The judged queries by id, read from the disk."""
    return {query.id: query for query in entry.load().queries}


def _json_files(places: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Each file once, and whether it was named itself; hidden folders hold no results."""
    seen: set[Path] = set()
    for place in places:
        if not place.exists():
            raise InputError(f"there is no file or folder {place}")
        inside = sorted(place.rglob("*.json")) if place.is_dir() else [place]
        for path in inside:
            hidden = any(part.startswith(".") for part in path.relative_to(place).parts)
            if not hidden and path.resolve() not in seen:
                seen.add(path.resolve())
                yield path, path == place


def _kind(path: Path) -> str:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # `gather` says so where the file was named; in a folder it is counted.
        return "other"
    if is_benchmark_result(value):
        return "benchmark"
    return "result" if isinstance(value, dict) and value.get("format") == FORMAT else "other"


def _without_queries(path: Path) -> Result:
    value = read_summary(path)
    value.pop("format")
    try:
        return Result(**value, queries=())
    except TypeError as error:
        raise InputError(f"{path} is no result of this version: {error}") from error


def _newest(found: Sequence[tuple[Path, Result]]) -> list[tuple[Path, Result]]:
    """One result for each system on each set: the one of the latest date."""
    chosen: dict[str, tuple[Path, Result]] = {}
    for path, result in found:
        key = _plain([result.dataset, result.system, result.data.get("digest"), result.model])
        before = chosen.get(key)
        if before is None or _date(result) >= _date(before[1]):
            chosen[key] = path, result
    return list(chosen.values())


def _named(found: Sequence[tuple[Path, Result]]) -> Iterator[Entry]:
    datasets = _Names("data")
    systems = _Names("variant")
    for path, result in found:
        family = _plain({k: v for k, v in result.model.items() if k not in _FORM})
        digest = str(result.data.get("digest", ""))
        yield Entry(
            path=path,
            result=result,
            dataset=datasets.of(result.dataset, digest),
            system=systems.of(result.system, family),
            family=family,
        )


@dataclass
class _Names:
    """Tells two things of one name apart: the second gets a number."""

    word: str
    _keys: dict[str, list[str]] = field(default_factory=dict)

    def of(self, name: str, key: str) -> str:
        keys = self._keys.setdefault(name, [])
        if key not in keys:
            keys.append(key)
        number = keys.index(key) + 1
        return name if number == 1 else f"{name} ({self.word} {number})"


def _metric(results: Sequence[Result], asked: str) -> str:
    if not results or all(asked in result.metrics for result in results):
        return asked
    shared = [name for name in results[0].metrics if all(name in r.metrics for r in results)]
    if asked == METRIC and shared:
        return shared[0]
    raise InputError(
        f"not every result has {asked}",
        hint=f"all of them have {', '.join(shared) or 'no metric in common'}",
    )


def _date(result: Result) -> str:
    return str(result.conditions.get("date", ""))


def _plain(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
