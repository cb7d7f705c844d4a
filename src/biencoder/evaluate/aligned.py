"""Folders whose documents and questions are translations of each other, under the same ids.

Every question language against every document language, and against all languages in one pool. A
retriever that is good within each language may still fail across them, or prefer documents in the
question's language when a better one is next to them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from biencoder.corpus.beir import (
    Document,
    is_beir_folder,
    read_corpus,
    read_exclusions,
    read_qrels,
    read_query_rows,
)
from biencoder.errors import InputError
from biencoder.evaluate.judged_set import (
    ITSELF,
    JudgedSet,
    Qrels,
    SameId,
    how_read,
    judge,
    noted,
)
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
    same_id: SameId = "auto",
    settings: Settings | None = None,
    output: Path | None = None,
    progress: Progress | None = None,
    tell: Callable[[str], Any] | None = None,
) -> Iterator[Result]:
    """Results of all pairs of languages, then of the mixed pool; each text is encoded once.

    languages: names of the folders below ``folder``; empty for all of them. In the mixed pool every
    translation of a relevant document is relevant, and ``same language@5`` is the share of the
    first five that are in the question's language. tell: gets what was found amiss in each set.

    Raises InputError for fewer than two languages or a name that is no folder.
    """
    chosen = check_languages(folder, languages)
    remembering = RememberingSystem(system)
    group = folder.resolve().name
    for judged, pair in _sets(folder, chosen, split, same_id):
        context: dict[str, Any] = {"group": group}
        context |= {"query_language": pair[0], "document_language": pair[1]}
        extra = {}
        if pair[1] == MIXED:
            context["languages"] = sorted(chosen)
            extra = _same_language(pair[0])
        if tell is not None:
            for note, count in judged.notes.items():
                tell(f"{judged.name}: {noted(note, count)}")
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
        rows, tokens, cut, unreadable = 0, 0, 0, 0
        for part in self.system.encode(fresh, role):
            for text, vector in zip(
                fresh[rows : rows + len(part.vectors)], part.vectors, strict=True
            ):
                self._known[role, text] = vector
            rows += len(part.vectors)
            tokens, cut = tokens + part.tokens, cut + part.cut
            unreadable += part.unreadable
        vectors = np.stack([self._known[role, text] for text in texts])
        yield Part(vectors, tokens, cut, unreadable, computed=len(fresh))


def _sets(
    folder: Path, languages: Sequence[str], split: str, same_id: SameId
) -> Iterator[tuple[JudgedSet, tuple[str, str]]]:
    """Each pair, then each question language's pool; both with their languages."""
    group, reading = folder.resolve().name, how_read(folder, split, same_id)
    read = {name: _Language.read(folder / name, split) for name in languages}
    pairs: dict[str, dict[str, JudgedSet]] = {name: {} for name in languages}
    for asked, questions in read.items():
        for written, language in read.items():
            judged = judge(
                language.documents,
                questions.queries,
                questions.qrels,
                name=f"{group}/{asked}-{written}",
                excluded=questions.excluded,
                same_id=same_id,
            )
            pairs[asked][written] = judged
            yield replace(judged, reading=reading), (asked, written)
    # In one order, so that the same languages are the same pool.
    pool = [
        replace(document, id=f"{name}:{document.id}")
        for name in sorted(languages)
        for document in read[name].documents
    ]
    whole = set(languages) == set(check_languages(folder, ()))
    which = MIXED if whole else f"{MIXED} of {', '.join(sorted(languages))}"
    for asked, questions in read.items():
        judged = judge(
            pool,
            questions.queries,
            _in_every_language(questions.qrels, languages),
            name=f"{group}/{asked}-{which}",
            excluded=_excluded_anywhere(pairs[asked]),
            # The pool's ids are not the questions'; what the pairs left out, the pool leaves out.
            same_id="keep",
        )
        itself = sum(pair.notes.get(ITSELF, 0) for pair in pairs[asked].values())
        notes = {**judged.notes, ITSELF: itself} if itself else judged.notes
        yield replace(judged, notes=notes, reading=reading), (asked, MIXED)


@dataclass(frozen=True)
class _Language:
    documents: Sequence[Document]
    queries: Sequence[tuple[str, str]]
    qrels: Qrels
    excluded: Mapping[str, Iterable[str]]

    @classmethod
    def read(cls, folder: Path, split: str) -> _Language:
        return cls(
            list(read_corpus(folder)),
            list(read_query_rows(folder)),
            read_qrels(folder, split),
            read_exclusions(folder, split),
        )


def _in_every_language(qrels: Qrels, languages: Iterable[str]) -> Qrels:
    return {
        query: {f"{name}:{id_}": grade for name in languages for id_, grade in grades.items()}
        for query, grades in qrels.items()
    }


def _excluded_anywhere(pairs: Mapping[str, JudgedSet]) -> dict[str, set[str]]:
    """The pool's ids of all that the pairs with each language leave out, by query."""
    out: dict[str, set[str]] = {}
    for name, judged in pairs.items():
        for query, ids in judged.excluded.items():
            out.setdefault(query, set()).update(f"{name}:{id_}" for id_ in ids)
    return out


def _same_language(language: str) -> dict[str, Measure]:
    def share(ranking: Sequence[str], qrels: Mapping[str, int]) -> float:
        first = ranking[:_SAME_LANGUAGE_AT]
        return sum(id_.startswith(f"{language}:") for id_ in first) / max(1, len(first))

    return {f"same language@{_SAME_LANGUAGE_AT}": share}
