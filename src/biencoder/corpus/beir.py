"""Corpora in BEIR's layout: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/<split>.tsv``, each also as .gz."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from biencoder.errors import InputError


@dataclass(frozen=True, slots=True)
class Document:
    """One document; ``full_text`` is what is encoded, as BEIR and mteb do it."""

    id: str
    title: str
    text: str

    @property
    def full_text(self) -> str:
        """Title, a space, text."""
        return f"{self.title} {self.text}".strip()


def is_beir_folder(folder: Path) -> bool:
    """Whether a folder holds a corpus file under BEIR's name."""
    return _existing(folder / "corpus.jsonl") is not None


def read_corpus(folder: Path) -> Iterator[Document]:
    """The documents of a BEIR folder, in order."""
    path = _existing(folder / "corpus.jsonl")
    if path is None:
        raise InputError(f"{folder} holds no corpus.jsonl", hint="give a folder in BEIR layout")
    for number, row in read_jsonl(path):
        yield Document(
            str(_field(row, "_id", path, number)),
            str(row.get("title") or ""),
            str(_field(row, "text", path, number)),
        )


def read_queries(folder: Path) -> dict[str, str]:
    """Query id to text."""
    path = _existing(folder / "queries.jsonl")
    if path is None:
        raise InputError(f"{folder} holds no queries.jsonl")
    return {
        str(_field(row, "_id", path, number)): str(_field(row, "text", path, number))
        for number, row in read_jsonl(path)
    }


def read_qrels(folder: Path, split: str = "test") -> dict[str, dict[str, int]]:
    """Query id to document id to grade; the file's first line is its header."""
    path = folder / "qrels" / f"{split}.tsv"
    if not path.exists():
        raise InputError(f"{folder} holds no qrels/{split}.tsv")
    qrels: dict[str, dict[str, int]] = {}
    with path.open(encoding="utf-8") as lines:
        next(lines, None)
        for number, line in enumerate(lines, start=2):
            parts = line.rstrip("\n").split("\t")
            try:
                query, document, grade = parts
                qrels.setdefault(query, {})[document] = int(grade)
            except ValueError:
                raise InputError(
                    f"{path}, line {number} is not query-id, corpus-id and a whole grade, tab-separated"
                ) from None
    return qrels


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """``(line number, object)`` of a .jsonl or .jsonl.gz file; blank lines are passed over.

    Raises InputError with the line's number where a line is no JSON object.
    """
    with open_text(path) as lines:
        try:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _object(line, path, number)
        except UnicodeDecodeError as error:
            raise InputError(f"{path} is not UTF-8 text: {error}") from error
        except (gzip.BadGzipFile, EOFError) as error:
            raise InputError(f"{path} is a damaged gzip file: {error}") from error


def open_text(path: Path) -> IO[str]:
    """A text file in UTF-8, unpacked if its name ends in .gz; lines end at \\n only."""
    try:
        if path.suffix == ".gz":
            return gzip.open(path, "rt", encoding="utf-8", newline="\n")
        return path.open(encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}") from error


def _object(line: str, path: Path, number: int) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{path}, line {number} is not readable JSON: {error.msg}") from None
    if not isinstance(value, dict):
        raise InputError(f"{path}, line {number} holds a {type(value).__name__}, not a JSON object")
    return value


def _field(row: dict[str, Any], name: str, path: Path, number: int) -> object:
    if row.get(name) is None:
        raise InputError(
            f"{path}, line {number} has no field {name!r}",
            hint=f"the fields there are {', '.join(map(repr, row)) or 'none'}",
        )
    return row[name]


def _existing(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return path if path.exists() else packed if packed.exists() else None
