"""A corpus with questions and judgements, checked before anything is encoded.

What cannot be judged is counted and told, never dropped silently: a mean over fewer queries is
another mean.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeVar

from biencoder.corpus.beir import (
    Document,
    read_corpus,
    read_exclusions,
    read_qrels,
    read_query_rows,
)
from biencoder.errors import InputError

_T = TypeVar("_T")

SameId = Literal["auto", "drop", "keep"]
Qrels = Mapping[str, Mapping[str, int]]
ITSELF = "documents taken out because they are the query itself"


@dataclass(frozen=True, kw_only=True)
class JudgedSet:
    """What one mean is taken over.

    queries: those with a relevant document, in the file's order. qrels: for these, all grades.
    excluded: documents that are taken out before ranking, by query. notes: what was found amiss, in
    words, with its count. reading: how it was read (`how_read`), for the result file; empty for what
    was made in memory.
    """

    name: str
    documents: tuple[Document, ...]
    queries: Mapping[str, str]
    qrels: Qrels
    excluded: Mapping[str, frozenset[str]] = field(default_factory=dict)
    notes: Mapping[str, int] = field(default_factory=dict)
    reading: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of all that the means depend on."""
        whole = hashlib.sha256()
        for document in self.documents:
            whole.update(_line([document.id, document.title, document.text]))
        for id_, text in self.queries.items():
            grades = sorted(self.qrels[id_].items())
            whole.update(_line([id_, text, grades, sorted(self.excluded.get(id_, ()))]))
        return whole.hexdigest()

    @cached_property
    def ids(self) -> list[str]:
        """The documents' ids, in order."""
        return [document.id for document in self.documents]

    @cached_property
    def excluded_rows(self) -> list[set[int]] | None:
        """Places of the excluded documents for each query, None where nothing is excluded."""
        if not self.excluded:
            return None
        rows = {id_: row for row, id_ in enumerate(self.ids)}
        return [
            {rows[id_] for id_ in self.excluded.get(query, ()) if id_ in rows}
            for query in self.queries
        ]

    def facts(self) -> dict[str, object]:
        """Counts and digest for a result file."""
        return {
            "digest": self.digest,
            "documents": len(self.documents),
            "queries": len(self.queries),
            "judgements": sum(map(len, self.qrels.values())),
            "notes": dict(self.notes),
        }


def noted(note: str, count: int) -> str:
    """A note with its count, the same for one and for many.

    >>> noted("queries without a judgement, left out", 1)
    'queries without a judgement, left out: 1'
    """
    return f"{note}: {count:,}"


def read_judged_set(
    folder: Path,
    *,
    split: str = "test",
    name: str | None = None,
    queries_from: Path | None = None,
    same_id: SameId = "auto",
) -> JudgedSet:
    """Read a BEIR folder; ``queries_from`` takes the questions from an aligned folder instead.

    same_id: a document with the query's own id is taken out where it is the query itself
    (``auto``: the texts are equal, as in ArguAna), always (``drop``) or never (``keep``).

    Raises InputError for a folder without documents or without a single query that can be judged.
    """
    for place in filter(None, (folder, queries_from)):
        if not place.is_dir():
            raise InputError(f"there is no folder {place}", hint="give a folder in BEIR layout")
    judged = judge(
        read_corpus(folder),
        read_query_rows(queries_from or folder),
        read_qrels(folder, split),
        name=name or name_of(folder, queries_from),
        excluded=read_exclusions(folder, split),
        same_id=same_id,
    )
    return replace(judged, reading=how_read(folder, split, same_id, queries_from))


def how_read(
    folder: Path, split: str, same_id: SameId, queries_from: Path | None = None
) -> dict[str, str]:
    """What was asked of a folder, as the command line says it; paths as they were given."""
    reading = {"source": str(folder), "split": split, "same_id": same_id}
    return reading if queries_from is None else reading | {"queries_from": str(queries_from)}


def judge(
    documents: Iterable[Document],
    queries: Iterable[tuple[str, str]],
    qrels: Qrels,
    *,
    name: str,
    excluded: Mapping[str, Iterable[str]] | None = None,
    same_id: SameId = "auto",
) -> JudgedSet:
    """Check parts that are in memory already; as `read_judged_set`."""
    notes: Counter[str] = Counter()
    corpus = dict(_once(((item.id, item) for item in documents), "document", name, notes))
    if not corpus:
        raise InputError(f"{name} has an empty corpus", hint="corpus.jsonl holds no row")
    notes["documents without text"] += sum(not item.full_text for item in corpus.values())
    texts = dict(_once(queries, "query", name, notes))
    judged = _judged(texts, qrels, notes)
    if not judged:
        raise InputError(
            f"{name} has no query that can be judged",
            hint="no id in qrels with a grade above 0 is an id in queries.jsonl",
        )
    notes["judgements that point at no document (never found, as in trec_eval)"] += sum(
        id_ not in corpus for query in judged for id_ in qrels[query]
    )
    out = {query: frozenset((excluded or {}).get(query, ())) for query in judged}
    for query, text in judged.items():
        document = corpus.get(query)
        if document is not None and _is_the_query(document, text, same_id):
            out[query] |= {query}
            notes[ITSELF] += 1
    return JudgedSet(
        name=name,
        documents=tuple(corpus.values()),
        queries=judged,
        qrels={query: qrels[query] for query in judged},
        excluded={query: ids for query, ids in out.items() if ids},
        notes={note: count for note, count in notes.items() if count},
    )


def _judged(texts: Mapping[str, str], qrels: Qrels, notes: Counter[str]) -> dict[str, str]:
    notes["judged queries that have no text, left out"] += sum(id_ not in texts for id_ in qrels)
    notes["queries without a judgement, left out"] += sum(id_ not in qrels for id_ in texts)
    judged = {id_: text for id_, text in texts.items() if id_ in qrels}
    kept = {id_: text for id_, text in judged.items() if max(qrels[id_].values(), default=0) > 0}
    notes["queries without text, judged as they are"] += sum(not t.strip() for t in kept.values())
    notes["queries without a relevant document, left out"] += len(judged) - len(kept)
    return kept


def _once(
    rows: Iterable[tuple[str, _T]], kind: str, name: str, notes: Counter[str]
) -> Iterator[tuple[str, _T]]:
    """Equal rows once; one id for two different things is an error."""
    seen: dict[str, _T] = {}
    for id_, value in rows:
        if id_ not in seen:
            seen[id_] = value
            yield id_, value
        elif seen[id_] == value:
            notes[f"repeated {kind} rows, read once"] += 1
        else:
            raise InputError(
                f"{name} has two different {kind} rows with the id {id_!r}",
                hint="ids must be unique; which of the two a judgement means cannot be told",
            )


def _is_the_query(document: Document, text: str, same_id: SameId) -> bool:
    if same_id == "auto":
        return text.strip() in (document.text.strip(), document.full_text)
    return same_id == "drop"


def name_of(folder: Path, queries_from: Path | None = None) -> str:
    """A set's name: its folder's, with the one above it."""
    folder = folder.resolve()
    name = f"{folder.parent.name}/{folder.name}"
    return name if queries_from is None else f"{name} from {queries_from.resolve().name}"


def _line(value: object) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"
