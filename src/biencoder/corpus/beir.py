"""Corpora in BEIR's layout: ``corpus.jsonl``, ``queries.jsonl``, ``qrels/<split>.tsv``, each also as .gz."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
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
        title = "" if row.get("title") is None else _text(row, "title", path, number)
        yield Document(_id(row, path, number), title, _text(row, "text", path, number))


def read_queries(folder: Path) -> dict[str, str]:
    """Query id to text."""
    return dict(read_query_rows(folder))


def read_query_rows(folder: Path) -> Iterator[tuple[str, str]]:
    """Query id and text, row by row: an id that stands there twice comes twice."""
    path = _existing(folder / "queries.jsonl")
    if path is None:
        raise InputError(f"{folder} holds no queries.jsonl", hint="give a folder in BEIR layout")
    for number, row in read_jsonl(path):
        yield _id(row, path, number), _text(row, "text", path, number)


def read_qrels(folder: Path, split: str = "test") -> dict[str, dict[str, int]]:
    """Query id to document id to grade; a header line is passed over, none is needed.

    A first line is a header where its third field is no number. A pair that is judged twice with
    different grades is an error.
    """
    path = _existing(folder / "qrels" / f"{split}.tsv")
    if path is None:
        names = (file.name.split(".tsv")[0] for file in (folder / "qrels").glob("*.tsv*"))
        there = ", ".join(sorted(set(names))) or "none"
        raise InputError(f"{folder} holds no qrels/{split}.tsv", hint=f"splits there: {there}")
    qrels: dict[str, dict[str, int]] = {}
    for number, parts in _tab_separated(path):
        try:
            query, document, value = parts
            grade = int(value)
        except ValueError:
            if number == 1 and _is_header(parts):
                continue
            raise InputError(
                f"{path}, line {number} is not query-id, corpus-id and a whole grade, tab-separated"
            ) from None
        if qrels.setdefault(query, {}).setdefault(document, grade) != grade:
            raise InputError(f"{path}, line {number} judges {query!r}, {document!r} a second time")
    return qrels


def read_exclusions(folder: Path, split: str = "test") -> dict[str, set[str]]:
    """Documents that a query must not find, from ``excluded/<split>.tsv`` where there is one.

    Two tab-separated columns, as qrels without the grade; a header ``query-id corpus-id`` is passed
    over. BRIGHT needs it: its problems stand in its own corpus.
    """
    path = _existing(folder / "excluded" / f"{split}.tsv")
    excluded: dict[str, set[str]] = {}
    for number, parts in _tab_separated(path) if path else ():
        if number == 1 and _names_columns(parts):
            continue
        if len(parts) != 2:
            raise InputError(f"{path}, line {number} is not query-id and corpus-id, tab-separated")
        excluded.setdefault(parts[0], set()).add(parts[1])
    return excluded


def _is_header(parts: list[str]) -> bool:
    """Whether a line that is no judgement names the columns; a damaged judgement does not."""
    if _names_columns(parts):
        return True
    try:
        float(parts[-1])
    except ValueError:
        return len(parts) == 3
    return False


def _names_columns(parts: list[str]) -> bool:
    first = parts[0].split()
    return bool(first) and first[0].lower().replace("_", "-") in ("query-id", "qid")


def _tab_separated(path: Path) -> Iterator[tuple[int, list[str]]]:
    with open_text(path) as lines, _readable(path):
        for number, line in enumerate(lines, start=1):
            if number == 1:
                # Some programs put a mark before the first id, which would then be another id.
                line = line.removeprefix("\ufeff")
            if line.strip():
                yield number, line.rstrip("\r\n").split("\t")


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """``(line number, object)`` of a .jsonl or .jsonl.gz file; blank lines are passed over.

    Raises InputError with the line's number where a line is no JSON object.
    """
    with open_text(path) as lines, _readable(path):
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield number, json_object(line, path, number)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what a damaged file raises while it is read into InputError."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text: {error}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"{path} is a damaged gzip file: {error}") from error


def open_text(path: Path) -> IO[str]:
    """A text file in UTF-8, unpacked if its name ends in .gz; lines end at \\n only."""
    try:
        if path.suffix == ".gz":
            return gzip.open(path, "rt", encoding="utf-8", newline="\n")
        return path.open(encoding="utf-8", newline="\n")
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}") from error


def json_object(line: str, path: Path, number: int) -> dict[str, Any]:
    """One line of a .jsonl file; raises InputError with its number where it is no JSON object."""
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


def _id(row: dict[str, Any], path: Path, number: int) -> str:
    value = _field(row, "_id", path, number)
    if isinstance(value, str | int) and not isinstance(value, bool):
        return str(value)
    raise _wrong_kind("_id", value, "a string or a whole number", path, number)


def _text(row: dict[str, Any], name: str, path: Path, number: int) -> str:
    value = _field(row, name, path, number)
    if isinstance(value, str):
        return value
    raise _wrong_kind(name, value, "a string", path, number)


def _wrong_kind(name: str, value: object, wanted: str, path: Path, number: int) -> InputError:
    return InputError(
        f"{path}, line {number}: {name!r} is a {type(value).__name__}, not {wanted}",
        hint="join the parts of a text before they are judged" if isinstance(value, list) else None,
    )


def _existing(path: Path) -> Path | None:
    packed = path.with_name(path.name + ".gz")
    return path if path.exists() else packed if packed.exists() else None
