"""Judge systems on sets: encode once, search exactly, score every query, keep all of it.

A result that stands already for the same model, data and settings is read, not made again; a
killed run goes on from the vectors that it had written.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from biencoder.embedder.dimensions import check_dimensions
from biencoder.embedder.encoder import Encoder
from biencoder.errors import InputError
from biencoder.evaluate.bm25 import BM25
from biencoder.evaluate.compressed import bytes_per_document, compress
from biencoder.evaluate.conditions import conditions
from biencoder.evaluate.exact import TopK, search
from biencoder.evaluate.judged_set import JudgedSet
from biencoder.evaluate.pages.page_set import PageSet, read_set
from biencoder.evaluate.pages.system import PageSystem, PageWarning, failed_rows, system_for
from biencoder.evaluate.results import (
    Result,
    load_result,
    read_summary,
    result_path,
    save_result,
)
from biencoder.evaluate.scoring import score_queries
from biencoder.evaluate.settings import Settings
from biencoder.evaluate.significance import bootstrap_intervals
from biencoder.evaluate.systems import EmbedderSystem, System
from biencoder.evaluate.vector_store import Encoded, encode_to_disk, remove_vectors
from biencoder.types import Precision, Role

BM25_NAME = "BM25"
_RETRIEVED = 100
_NO_PICTURE = "documents without a usable picture, found by no query"

Progress = Callable[[str, int], Any]
"""``progress(label, total)`` gives a context manager that yields ``advance(n)``."""


def evaluate(
    model: Encoder | System,
    data: str | Path | JudgedSet,
    *,
    settings: Settings | None = None,
    output: Path | None = None,
    context: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> list[Result]:
    """Judge a model on one set; BM25's result comes last where it was asked for.

    data: a folder in BEIR layout, of pages too (`PageSet`), or a checked set. output: keeps results
    and makes the run resumable. context: facts about the set that belong into the results
    (languages, domain).

    Raises InputError for a set that cannot be judged, or whose documents have nothing that the model
    reads, DimensionError for a size not offered,
    MissingExtraError where BM25 is asked for and bm25s is not installed; all before encoding.
    """
    settings = settings or Settings()
    if settings.bm25 is not None:
        # A wrong option or a missing package is told now, not when everything has been encoded.
        BM25([], **settings.bm25)
    judged = data if isinstance(data, JudgedSet) else read_set(Path(data))
    system = model if isinstance(model, System) else EmbedderSystem(model)
    system = system_for(system, judged, modality=settings.modality, dpi=settings.dpi)
    lexical = settings.bm25 is not None and _has_words(judged, system)
    run = _Run(judged, settings, dict(context or {}), progress or _silent)
    temporary = tempfile.TemporaryDirectory() if output is None else nullcontext(str(output))
    with temporary as folder:
        results = run.system(system, Path(folder))
        if lexical:
            results.append(run.bm25(Path(folder)))
    return results


def _has_words(judged: JudgedSet, system: System) -> bool:
    """Whether there is anything for BM25. Raises InputError where the system needs it too."""
    if not isinstance(judged, PageSet) or judged.has_text:
        return True
    if not isinstance(system, PageSystem):
        raise InputError(
            f"no page of {judged.name} has a text, and {system.name} reads nothing else",
            hint="judge a page model with --modality image, or put texts into corpus.jsonl",
        )
    warnings.warn("no page has a text, so BM25 is left out", PageWarning, 3)
    return False


@dataclass(frozen=True)
class _Run:
    judged: JudgedSet
    settings: Settings
    context: Mapping[str, Any]
    progress: Progress

    def system(self, system: System, folder: Path) -> list[Result]:
        """One result for each size and precision; the vectors are made once, at full size."""
        facts = dict(system.facts())
        forms = [
            (check_dimensions(size, system.dimensions, system.name), precision)
            for size in self.settings.dimensions or (system.dimensions[-1],)
            for precision in self.settings.precisions
        ]
        wanted: dict[tuple[int, Precision], dict[str, Any]] = {
            form: facts | {"dimensions": form[0], "precision": form[1]} for form in forms
        }
        paths = {form: self._path(folder, form_name(system, *form)) for form in forms}
        stands = {form: self._standing(paths[form], model) for form, model in wanted.items()}
        if None not in stands.values():
            return [result for result in stands.values() if result is not None]
        with self._vectors(system, facts, folder) as (queries, documents):
            return [
                stands[form]
                or self._judge_form(
                    form_name(system, *form), model, queries, documents, paths[form]
                )
                for form, model in wanted.items()
            ]

    def bm25(self, folder: Path) -> Result:
        """The lexical baseline on the same set."""
        options = dict(self.settings.bm25 or {})
        path = self._path(folder, BM25_NAME)
        index = BM25([], **options)
        stands = self._standing(path, {"name": BM25_NAME, **index.facts()})
        if stands is not None:
            return stands
        with self.progress("BM25", len(self.judged.documents)) as advance:
            began = time.perf_counter()
            index = BM25((document.full_text for document in self.judged.documents), **options)
            indexed = time.perf_counter()
            advance(len(self.judged.documents))
            found = index.search(
                list(self.judged.queries.values()),
                self.judged.ids,
                k=_RETRIEVED,
                excluded=self.judged.excluded_rows,
            )
            ended = time.perf_counter()
        speed = {
            "seconds": ended - began,
            "documents/s": len(self.judged.documents) / (indexed - began),
            "queries/s": len(self.judged.queries) / (ended - indexed),
        }
        model = {"name": BM25_NAME, **index.facts()}
        return self._result(BM25_NAME, model, found, speed, {}, path)

    @contextmanager
    def _vectors(
        self, system: System, facts: Mapping[str, Any], folder: Path
    ) -> Iterator[tuple[Encoded, Encoded]]:
        """Query and document vectors on disk; removed when their results stand."""
        inputs: dict[Role, Sequence[Any]] = {
            "query": list(self.judged.queries.values()),
            "document": [document.full_text for document in self.judged.documents],
        }
        if isinstance(system, PageSystem):
            inputs["document"] = system.documents
        key = _key([dict(facts), self.judged.digest])
        paths = {role: folder / ".vectors" / f"{key}-{role}.f32" for role in inputs}
        with self.progress("queries", len(inputs["query"])) as advance:
            queries = encode_to_disk(system, inputs["query"], "query", paths["query"], advance)
        with self.progress("documents", len(inputs["document"])) as advance:
            documents = encode_to_disk(
                system, inputs["document"], "document", paths["document"], advance
            )
        yield queries, documents
        for path in paths.values():
            remove_vectors(path)

    def _judge_form(
        self,
        name: str,
        model: Mapping[str, Any],
        queries: Encoded,
        documents: Encoded,
        path: Path,
    ) -> Result:
        size, precision = model["dimensions"], model["precision"]
        cut = compress(queries.vectors, size, "float32").block(0, len(queries.vectors))
        stored = compress(documents.vectors, size, precision)
        failed = failed_rows(documents.vectors) if "modality" in model else set()
        excluded = self.judged.excluded_rows
        if failed:
            excluded = [rows | failed for rows in excluded or [set()] * len(cut)]
        began = time.perf_counter()
        found = search(cut, stored, self.judged.ids, k=_RETRIEVED, excluded=excluded)
        speed = _speed(queries, documents) | {
            "search seconds": time.perf_counter() - began,
            "bytes/document": bytes_per_document(size, precision),
        }
        counts = {
            f"{kind} {what}": encoded.counts[what]
            for kind, encoded in (("queries", queries), ("documents", documents))
            for what in ("cut", "unreadable")
            if encoded.counts[what]
        }
        if failed:
            counts[_NO_PICTURE] = len(failed)
        return self._result(name, model, found, speed, counts, path)

    def _result(
        self,
        name: str,
        model: Mapping[str, Any],
        found: TopK,
        speed: Mapping[str, float],
        counts: Mapping[str, int],
        path: Path,
    ) -> Result:
        queries = tuple(score_queries(self.judged, found, self.settings.functions()))
        names = list(self.settings.functions())
        values = np.asarray([[query.metrics[name] for name in names] for query in queries])
        intervals = bootstrap_intervals(values, seed=self.settings.seed)
        facts = self.judged.facts()
        result = Result(
            dataset=self.judged.name,
            system=name,
            metrics=dict(zip(names, values.mean(axis=0).tolist(), strict=True)),
            intervals=dict(zip(names, intervals, strict=True)),
            model=model,
            data={**facts, "notes": {**self.judged.notes, **counts}},
            settings=self._settings(),
            speed=speed,
            conditions=conditions(),
            queries=queries,
        )
        save_result(result, path)
        return result

    def _standing(self, path: Path, model: Mapping[str, Any]) -> Result | None:
        """The result in ``path`` if it is of this model, these data and these settings."""
        if not path.exists():
            return None
        stored = read_summary(path)
        # Through JSON, so that tuples and lists compare equal.
        asked = json.loads(json.dumps([model, self._settings()]))
        same = [stored["model"], stored["settings"]] == asked
        same = same and stored["data"]["digest"] == self.judged.digest
        return load_result(path) if same else None

    def _settings(self) -> dict[str, Any]:
        measures = list(self.settings.functions())
        return {"measures": measures, "seed": self.settings.seed, **self.context}

    def _path(self, folder: Path, name: str) -> Path:
        return result_path(folder, self.judged.name, name)


def form_name(system: System, dimensions: int, precision: Precision) -> str:
    """``mini`` at full size in float32, else ``mini, 128 dimensions, int8``."""
    parts = [system.name]
    if dimensions != system.dimensions[-1]:
        parts.append(f"{dimensions} dimensions")
    if precision != "float32":
        parts.append(precision)
    return ", ".join(parts)


def _speed(queries: Encoded, documents: Encoded) -> dict[str, float]:
    speed = {
        "seconds": queries.seconds + documents.seconds,
        "tokens": float(queries.counts["tokens"] + documents.counts["tokens"]),
    }
    for name, encoded in (("queries/s", queries), ("documents/s", documents)):
        if encoded.fresh:
            speed[name] = encoded.fresh / encoded.seconds
    return speed


def _key(facts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def _silent(label: str, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda count: None
