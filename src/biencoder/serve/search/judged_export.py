"""Judgements and the index they were made on as a BEIR folder, packed: what `biencoder evaluate` reads.

The corpus is every passage of the index, since that is what was searched; a passage's title and
headings stand in BEIR's title, so that a model reads nearly what it read when the index was made.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from biencoder.serve.search.feedback import Judgement, question_key, text_key
from biencoder.serve.search.served_index import Standing
from biencoder.text.passages import BELOW

FOLDER = "judgements"
# Equal judgements give equal bytes, so the time of packing stays out.
_TIME = (1980, 1, 1, 0, 0, 0)

_README = """\
# Judgements

{questions} questions, {relevant} passages judged relevant and {irrelevant} judged not relevant, over
the {passages} passages of the index `{index}` (made with {model}, fingerprint {fingerprint}).
{left_out} judgements were left out: the index no longer holds their passages.

    biencoder evaluate --model mini --data {folder}

`corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv` are in BEIR's layout. A passage that nobody judged
counts as not relevant there, so judge what ranks high in every system that you compare. The texts are
those of the indexed documents, under their own terms.
"""


@dataclass(frozen=True, slots=True)
class Qrel:
    """One judgement by the ids of the exported folder."""

    query: str
    question: str
    passage: str
    grade: int


def place_judgements(standing: Standing, judgements: Iterable[Judgement]) -> tuple[list[Qrel], int]:
    """Judgements on the passages of a version of an index, and how many have none there.

    A passage is the same by its id, or by its text in the same document.
    """
    found: list[Qrel] = []
    lost = 0
    elsewhere: list[Judgement] = []
    for judgement in judgements:
        if judgement.passage in standing.snapshot.mirror.places:
            found.append(_qrel(judgement, judgement.passage))
        else:
            elsewhere.append(judgement)
    by_text = _passages_by_text(standing, {judgement.source for judgement in elsewhere})
    for judgement in elsewhere:
        passage = by_text.get(judgement.key[1:])
        if passage is None:
            lost += 1
        else:
            found.append(_qrel(judgement, passage))
    return found, lost


def write_beir(
    standing: Standing, name: str, judgements: Iterable[Judgement], file: IO[bytes]
) -> None:
    """Pack corpus, queries and qrels into a zip file. name: of the index."""
    qrels, lost = place_judgements(standing, judgements)
    # The last one in the file's order wins where an old id and an equal text meet.
    last = {(qrel.query, qrel.passage): qrel for qrel in qrels}
    questions = {qrel.query: qrel.question for qrel in last.values()}
    relevant = sum(qrel.grade > 0 for qrel in last.values())
    about = _README.format(
        folder=FOLDER,
        index=name,
        model=standing.facts.model,
        fingerprint=standing.facts.fingerprint,
        questions=len(questions),
        relevant=relevant,
        irrelevant=len(last) - relevant,
        passages=standing.snapshot.rows,
        left_out=lost,
    )
    pairs = "".join(
        f"{qrel.query}\t{qrel.passage}\t{qrel.grade}\n"
        for qrel in sorted(last.values(), key=lambda qrel: (qrel.query, qrel.passage))
    )
    queries = ({"_id": id_, "text": text} for id_, text in sorted(questions.items()))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        _write(packed, "README.md", [about])
        _write(packed, "qrels/test.tsv", ["query-id\tcorpus-id\tscore\n", pairs])
        _write(packed, "queries.jsonl", map(_line, queries))
        _write(packed, "corpus.jsonl", map(_line, _corpus(standing)))


def query_id(question: str) -> str:
    """The same for the same question on every machine."""
    return "q" + hashlib.sha256(question_key(question).encode()).hexdigest()[:15]


def _qrel(judgement: Judgement, passage: str) -> Qrel:
    assert judgement.grade is not None
    question = question_key(judgement.question)
    return Qrel(query_id(question), question, passage, judgement.grade)


def _passages_by_text(standing: Standing, sources: set[str]) -> Mapping[tuple[str, str], str]:
    """Passage ids by source and the hash of their text, for some documents."""
    found: dict[tuple[str, str], str] = {}
    for row in _rows(standing, "source") if sources else ():
        if row["source"] in sources:
            whole = standing.row(row["id"])
            assert whole is not None
            key = row["source"], text_key(whole["text"], whole["page"])
            found.setdefault(key, row["id"])
    return found


def _corpus(standing: Standing) -> Iterator[dict[str, str]]:
    for row in _rows(standing, "title", "heading", "text"):
        above = [name for name in (row["heading"] or "").split(BELOW) if name]
        title = row["title"] or ""
        names = [title, *above] if title and title not in above else above
        yield {"_id": row["id"], "title": BELOW.join(names), "text": row["text"]}


def _rows(standing: Standing, *names: str) -> Iterator[dict[str, Any]]:
    for batch in standing.snapshot.mirror.batches:
        yield from batch.select(["id", *names]).to_pylist()


def _line(row: Mapping[str, str]) -> str:
    return json.dumps(row, ensure_ascii=False) + "\n"


def _write(packed: zipfile.ZipFile, name: str, texts: Iterable[str]) -> None:
    info = zipfile.ZipInfo(f"{FOLDER}/{name}", _TIME)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    with packed.open(info, "w", force_zip64=True) as file:
        for text in texts:
            file.write(text.encode())
