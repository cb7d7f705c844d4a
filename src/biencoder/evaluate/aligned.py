"""Folders whose documents and questions are translations of each other, under the same ids.

Every question language against every document language, and against all languages in one pool. A
retriever that is good within each language may still fail across them, or prefer documents in the
question's language when a better one is next to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from biencoder.corpus.beir import is_beir_folder, read_corpus, read_qrels, read_queries
from biencoder.errors import InputError
from biencoder.evaluate.judged_set import JudgedSet, Qrels, judge
from biencoder.evaluate.results import Result
from biencoder.evaluate.run import Progress, evaluate
from biencoder.evaluate.settings import Measure, Settings
from biencoder.evaluate.systems import Part, System
from biencoder.types import FloatArray, Role

MIXED = "mixed"
_SAME_LANGUAGE_AT = 5


def evaluate_aligned(
    system: System,
    folder: Path,
    *,
    languages: Sequence[str] = (),
    split: str = "test",
    settings: Settings | None = None,
    output: Path | None = None,
    progress: Progress | None = None,
) -> Iterator[Result]:
    """Results of all pairs of languages, then of the mixed pool; each text is encoded once.

    languages: names of the folders below ``folder``; empty for all of them. In the mixed pool every
    translation of a relevant document is relevant, and ``same language@5`` is the share of the
    first five that are in the question's language.

    Raises InputError for fewer than two languages or a name that is no folder.
    """
    chosen = check_languages(folder, languages)
    remembering = RememberingSystem(system)
    group = folder.resolve().name
    for judged, pair in _sets(folder, chosen, split, group):
        context = {"group": group, "query_language": pair[0], "document_language": pair[1]}
        extra = _same_language(pair[0]) if pair[1] == MIXED else {}
        yield from evaluate(
            remembering,
            judged,
            settings=replace(settings or Settings(), extra=extra),
            output=output,
            context=context,
            progress=progress,
        )


def check_languages(folder: Path, languages: Sequence[str]) -> tuple[str, ...]:
    """The languages to judge, all of the folder's where none is named."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}")
    there = sorted(path.name for path in folder.iterdir() if path.is_dir() and is_beir_folder(path))
    missing = [name for name in languages if name not in there]
    if missing or len(there) < 2:
        raise InputError(
            f"{folder} has no language folder {missing[0]!r}"
            if missing
            else f"{folder} does not hold two or more folders in BEIR layout",
            hint=f"folders there: {', '.join(there) or 'none'}",
        )
    return tuple(languages) or tuple(there)


@dataclass
class RememberingSystem:
    """A system that encodes each text once, however many sets it stands in; vectors stay in memory."""

    system: System
    name: str = field(init=False)
    _known: dict[tuple[Role, str], FloatArray] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self.name = self.system.name

    @property
    def dimensions(self) -> Sequence[int]:
        """As the system within."""
        return self.system.dimensions

    def facts(self) -> Mapping[str, Any]:
        """As the system within."""
        return self.system.facts()

    def encode(self, texts: Sequence[str], role: Role) -> Iterator[Part]:
        """One part with all vectors; only texts not seen before are computed and counted."""
        fresh = list(dict.fromkeys(text for text in texts if (role, text) not in self._known))
        rows, counts = 0, [0, 0, 0]
        for part in self.system.encode(fresh, role):
            for text, vector in zip(
                fresh[rows : rows + len(part.vectors)], part.vectors, strict=True
            ):
                self._known[role, text] = vector
            rows += len(part.vectors)
            counts = [
                a + b for a, b in zip(counts, (part.tokens, part.cut, part.unreadable), strict=True)
            ]
        yield Part(np.stack([self._known[role, text] for text in texts]), *counts)


def _sets(
    folder: Path, languages: Sequence[str], split: str, group: str
) -> Iterator[tuple[JudgedSet, tuple[str, str]]]:
    corpora = {name: list(read_corpus(folder / name)) for name in languages}
    queries = {name: read_queries(folder / name) for name in languages}
    qrels = {name: read_qrels(folder / name, split) for name in languages}
    for asked in languages:
        for written in languages:
            name = f"{group}/{asked}-{written}"
            rows = queries[asked].items()
            yield judge(corpora[written], rows, qrels[asked], name=name), (asked, written)
    pool = [
        replace(document, id=f"{name}:{document.id}")
        for name, corpus in corpora.items()
        for document in corpus
    ]
    for asked in languages:
        everywhere = _in_every_language(qrels[asked], languages)
        name = f"{group}/{asked}-{MIXED}"
        yield judge(pool, queries[asked].items(), everywhere, name=name), (asked, MIXED)


def _in_every_language(qrels: Qrels, languages: Iterable[str]) -> Qrels:
    return {
        query: {f"{name}:{id_}": grade for name in languages for id_, grade in grades.items()}
        for query, grades in qrels.items()
    }


def _same_language(language: str) -> dict[str, Measure]:
    def share(ranking: Sequence[str], qrels: Mapping[str, int]) -> float:
        first = ranking[:_SAME_LANGUAGE_AT]
        return sum(id_.startswith(f"{language}:") for id_ in first) / max(1, len(first))

    return {f"same language@{_SAME_LANGUAGE_AT}": share}
