"""Real judged sets cut to their first documents, so that a test need not encode all of them."""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Collection
from pathlib import Path


def cut_set(source: Path, to: Path, documents: int, also: Collection[str] = ()) -> Path:
    """A BEIR folder with the first documents of another, those in ``also``, and their questions."""
    with gzip.open(source / "corpus.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = list(file)
    kept = [
        line
        for place, line in enumerate(lines)
        if place < documents or json.loads(line)["_id"] in also
    ]
    ids = {json.loads(line)["_id"] for line in kept}
    (to / "qrels").mkdir(parents=True)
    (to / "corpus.jsonl").write_text("".join(kept), encoding="utf-8")
    with (source / "qrels/test.tsv").open(encoding="utf-8", newline="") as file:
        head, *rows = csv.reader(file, delimiter="\t")
    rows = [row for row in rows if row[1] in ids]
    asked = {row[0] for row in rows}
    with (to / "qrels/test.tsv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter="\t").writerows([head, *rows])
    questions = (source / "queries.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    chosen = [line for line in questions if json.loads(line)["_id"] in asked]
    (to / "queries.jsonl").write_text("".join(chosen), encoding="utf-8")
    return to
