"""Files and folders as texts with an id, in order, one at a time.

A BEIR folder gives its corpus (or its queries); ``.jsonl[.gz]`` a text per row; ``.txt`` a text per
line or, for searching, one text per file, as every other text file. Files of other kinds in a
folder are counted and named, never dropped silently.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from biencoder.corpus.beir import (
    Document,
    is_beir_folder,
    open_text,
    read_corpus,
    read_jsonl,
    read_queries,
)
from biencoder.errors import InputError

TEXT_SUFFIXES = (".txt", ".md", ".markdown", ".rst", ".text")
TEXT_FIELDS = ("text", "query", "question", "content", "passage")
ID_FIELDS = ("_id", "id")

Lines = Literal["texts", "one text"]


@dataclass
class Reader:
    """Reads sources one after another; ``skipped`` lists the files it could not read as text."""

    sources: Sequence[Path]
    lines: Lines = "texts"
    queries: bool = False
    skipped: list[Path] = field(default_factory=list)

    def __iter__(self) -> Iterator[Document]:
        for source in self.sources:
            if not source.exists():
                raise InputError(f"there is no file or folder {source}")
            yield from self._folder(source) if source.is_dir() else self._file(source, source.name)

    def count(self) -> int | None:
        """How many texts will come, where that can be told without parsing; else None."""
        total = 0
        for source in self.sources:
            if not source.is_file() or source.suffix not in (".jsonl", ".txt"):
                return None
            if source.suffix == ".txt" and self.lines == "one text":
                total += 1
                continue
            with source.open("rb") as file:
                total += sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b""))
        return total

    def _folder(self, folder: Path) -> Iterator[Document]:
        if is_beir_folder(folder):
            if self.queries:
                yield from (Document(id_, "", text) for id_, text in read_queries(folder).items())
            else:
                yield from read_corpus(folder)
            return
        readable = 0
        for path in sorted(folder.rglob("*")):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if hidden or not path.is_file():
                continue
            if not _is_text(path):
                self.skipped.append(path)
                continue
            readable += 1
            yield from self._file(path, path.relative_to(folder).as_posix())
        if readable == 0:
            raise InputError(
                f"{folder} holds no file that can be read here",
                hint=f"readable are {', '.join(TEXT_SUFFIXES)}, .jsonl[.gz] and BEIR folders",
            )

    def _file(self, path: Path, name: str) -> Iterator[Document]:
        if ".jsonl" in path.suffixes:
            for number, row in read_jsonl(path):
                yield row_document(row, path, name, number)
        elif path.suffix == ".txt" and self.lines == "texts":
            with open_text(path) as lines:
                for number, line in enumerate(_decoded(lines, path), start=1):
                    yield Document(f"{name}:{number}", "", line.rstrip("\r\n"))
        elif _is_text(path):
            with open_text(path) as file:
                yield Document(name, "", "".join(_decoded(file, path)))
        else:
            raise InputError(
                f"{path} is of a kind that is not read here",
                hint=f"readable are {', '.join(TEXT_SUFFIXES)}, .jsonl[.gz] and BEIR folders",
            )


def _is_text(path: Path) -> bool:
    return path.suffix in TEXT_SUFFIXES or ".jsonl" in path.suffixes[-2:]


def _decoded(lines: Iterator[str] | Any, path: Path) -> Iterator[str]:
    try:
        yield from lines
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} is not UTF-8 text: {error.reason} at byte {error.start}",
            hint=f"convert it, for example with: iconv -f latin1 -t utf-8 {path.name}",
        ) from error


def row_document(row: dict[str, Any], path: Path, name: str, number: int) -> Document:
    """A row as a document, its text and id under any of the usual names; InputError without a text."""
    text_field = next((key for key in TEXT_FIELDS if isinstance(row.get(key), str)), None)
    if text_field is None:
        raise InputError(
            f"{path}, line {number} has no text: none of {', '.join(TEXT_FIELDS)} is a string there",
            hint=f"the fields there are {', '.join(map(repr, row)) or 'none'}",
        )
    id_ = next((str(row[key]) for key in ID_FIELDS if row.get(key) is not None), None)
    return Document(id_ or f"{name}:{number}", str(row.get("title") or ""), row[text_field])
