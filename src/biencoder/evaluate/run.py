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
from biencoder.evaluate.folder import read_folder
from biencoder.evaluate.judged_set import JudgedSet
from biencoder.evaluate.pages.page_set import PageSet
from biencoder.evaluate.pages.system import PageSystem, PageWarning, failed_rows, system_for
from biencoder.evaluate.results import Result, save_result
from biencoder.evaluate.scoring import score_queries
from biencoder.evaluate.settings import Settings
from biencoder.evaluate.significance import bootstrap_intervals
from biencoder.evaluate.standing import Thing, decisive, place_of, standing
from biencoder.evaluate.systems import EmbedderSystem, System
from biencoder.evaluate.vector_store import Encoded, alone, encode_to_disk, remove_vectors
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
    judged = data if isinstance(data, JudgedSet) else read_folder(Path(data))
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
        wanted = [
            self._thing(
                form_name(system, *form), facts | {"dimensions": form[0], "precision": form[1]}
            )
            for form in forms
        ]
        stands = [self._standing(folder, thing) for thing in wanted]
        if None not in stands:
            return [result for result in stands if result is not None]
        with self._vectors(system, facts, folder) as (queries, documents):
            return [
                result or self._judge_form(thing, queries, documents, folder)
                for thing, result in zip(wanted, stands, strict=True)
            ]

    def bm25(self, folder: Path) -> Result:
        """The lexical baseline on the same set."""
        options = dict(self.settings.bm25 or {})
        thing = self._thing(BM25_NAME, {"name": BM25_NAME, **BM25([], **options).facts()})
        stands = self._standing(folder, thing)
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
        thing = self._thing(BM25_NAME, {"name": BM25_NAME, **index.facts()})
        return self._result(thing, found, speed, {}, folder)

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
        made_by = decisive(conditions()["versions"], facts)
        key = _key([dict(facts), list(system.dimensions), self.judged.digest, made_by])
        place = folder / ".vectors"
        paths = {role: place / f"{key}-{role}.f32" for role in inputs}
        with alone(place / f"{key}.lock"):
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
        self, thing: Thing, queries: Encoded, documents: Encoded, folder: Path
    ) -> Result:
        model = thing.model
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
        return self._result(thing, found, speed, counts, folder)

    def _result(
        self,
        thing: Thing,
        found: TopK,
        speed: Mapping[str, float],
        counts: Mapping[str, int],
        folder: Path,
    ) -> Result:
        queries = tuple(score_queries(self.judged, found, self.settings.functions()))
        names = list(self.settings.functions())
        values = np.asarray([[query.metrics[name] for name in names] for query in queries])
        intervals = bootstrap_intervals(values, seed=self.settings.seed)
        facts = self.judged.facts()
        result = Result(
            dataset=thing.dataset,
            system=thing.system,
            metrics=dict(zip(names, values.mean(axis=0).tolist(), strict=True)),
            intervals=dict(zip(names, intervals, strict=True)),
            model=thing.model,
            data={**facts, "notes": {**self.judged.notes, **counts}},
            settings=thing.settings,
            speed=speed,
            conditions=conditions(),
            queries=queries,
        )
        save_result(result, place_of(folder, thing))
        return result

    def _standing(self, folder: Path, thing: Thing) -> Result | None:
        return standing(place_of(folder, thing), thing, conditions()["versions"])

    def _thing(self, system: str, model: Mapping[str, Any]) -> Thing:
        chosen = {"measures": list(self.settings.functions()), "seed": self.settings.seed}
        return Thing(
            dataset=self.judged.name,
            system=system,
            model=model,
            settings={**chosen, **self.judged.reading, **self.context},
            digest=self.judged.digest,
        )


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
        if encoded.computed:
            speed[name] = encoded.computed / encoded.seconds
    return speed


def _key(facts: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:16]


@contextmanager
def _silent(label: str, total: int) -> Iterator[Callable[[int], None]]:
    yield lambda count: None
