"""Rows of .jsonl and .jsonl.gz files as documents, their metadata as values to filter on."""

from __future__ import annotations

import gzip
import json
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from biencoder.corpus.beir import json_object
from biencoder.corpus.reader import ID_FIELDS, TEXT_FIELDS, row_document
from biencoder.errors import InputError
from biencoder.reading.file_text import ReadFailure
from biencoder.reading.limits import Limits

Value = str | int | float | bool

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
# The whole numbers that a typed column holds.
_INTEGERS = range(-(2**63), 2**63)
# So many things that were left out are told one by one.
_TOLD = 50


@dataclass(frozen=True, slots=True)
class Row:
    """One document; ``number`` is its line in the file, from 1. Lists in ``metadata`` are JSON text."""

    number: int
    id: str
    title: str
    text: str
    metadata: dict[str, Value]


class LeftOut:
    """What of a file's metadata was left out and how often; of very many fields the first are named."""

    def __init__(self) -> None:
        self._times: Counter[str] = Counter()

    def add(self, what: str) -> None:
        """Once more. what: the field and why."""
        named = what in self._times or len(self._times) < _TOLD
        self._times[what if named else "values of more fields"] += 1

    @property
    def notes(self) -> tuple[str, ...]:
        """One for each field and reason."""
        return tuple(
            f"{what}: left out {'once' if times == 1 else f'{times:,} times'}"
            for what, times in self._times.items()
        )


@dataclass
class RowReader:
    """The rows of one file, in order, as often as it is iterated; a bad line is a ReadFailure.

    ``name`` stands in the ids of rows that bring none. ``notes``, complete after a whole pass, say
    which values were left out and how often.
    """

    path: Path
    name: str
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        self._left_out = LeftOut()

    @property
    def notes(self) -> tuple[str, ...]:
        """What was left out of the metadata, by field and reason."""
        return self._left_out.notes

    def __iter__(self) -> Iterator[Row | ReadFailure]:
        self._left_out = LeftOut()
        try:
            with _open(self.path) as file:
                for number, line in _lines(file, self.limits.max_characters, self._most_bytes()):
                    if isinstance(line, ReadFailure):
                        yield line
                    elif line.strip():
                        yield self._row(number, line)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            yield ReadFailure(f"is a damaged gzip file: {error}")
        except OSError as error:
            yield ReadFailure.from_system(error)

    def _most_bytes(self) -> float:
        """What a packed file may unpack to; a plain one is as long as it is."""
        if not _is_packed(self.path):
            return math.inf
        packed = self.path.stat().st_size
        return max(self.limits.zip_free_bytes, self.limits.zip_ratio * packed)

    def _row(self, number: int, line: bytes) -> Row | ReadFailure:
        try:
            text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            row = json_object(text, self.path, number)
            document = row_document(row, self.path, self.name, number)
        except UnicodeDecodeError as error:
            return ReadFailure(
                f"line {number} is not UTF-8 text: {error.reason} at byte {error.start}"
            )
        except InputError as error:
            return ReadFailure(error.message.removeprefix(f"{self.path}, "))
        except (RecursionError, ValueError) as error:
            return ReadFailure(f"line {number} is not readable JSON: {error}")
        return Row(number, document.id, document.title, document.text, self._metadata(row))

    def _metadata(self, row: dict[str, Any]) -> dict[str, Value]:
        """Top-level values and those of the object "metadata", which wins where both name one."""
        used = {next(key for key in TEXT_FIELDS if isinstance(row.get(key), str))}
        used |= {*ID_FIELDS, "title", "metadata"}
        found = {name: value for name, value in row.items() if name not in used}
        inner = row.get("metadata")
        if isinstance(inner, dict):
            for name in inner.keys() & found.keys():
                if inner[name] != found[name]:
                    self._left_out.add(f"{name!r} beside another in 'metadata'")
            found |= inner
        elif inner is not None:
            found["metadata"] = inner
        kept = ((name, self._value(name, value)) for name, value in found.items())
        return {name: value for name, value in kept if value is not None}

    def _value(self, name: str, value: object) -> Value | None:
        """What goes into a column, or None and a count; JSON's null is no value and no loss."""
        reason = None
        if value is None:
            return None
        if not _NAME.fullmatch(name):
            reason = f"{name[:80]!r}, which is no name for a column"
        elif name.startswith("_"):
            # _score, _distance, _rowid …: LanceDB adds such columns to what it finds, and more with
            # every version; one of a row's own under that name breaks searching.
            reason = f"{name!r} (names that begin with '_' are the table's own: rename it)"
        elif isinstance(value, dict) or (isinstance(value, list) and _has_parts(value)):
            reason = f"{name!r} with nested values"
        elif isinstance(value, float) and not math.isfinite(value):
            reason = f"{name!r} with a number that is not finite"
        elif isinstance(value, int) and value not in _INTEGERS:
            reason = f"{name!r} with a number beyond 64 bits"
        if reason is not None:
            self._left_out.add(reason)
            return None
        if isinstance(value, list):
            return json.dumps(value, ensure_ascii=False)
        assert isinstance(value, (str, int, float))
        return value


def _has_parts(values: list[object]) -> bool:
    return any(isinstance(value, (dict, list)) for value in values)


def _is_packed(path: Path) -> bool:
    return path.name.lower().endswith(".gz")


def _open(path: Path) -> BinaryIO | gzip.GzipFile:
    return gzip.open(path, "rb") if _is_packed(path) else path.open("rb")


def _lines(
    file: BinaryIO | gzip.GzipFile, longest: int, most: float
) -> Iterator[tuple[int, bytes | ReadFailure]]:
    """Numbered lines; one that is too long is never held whole, ``most`` bytes end the reading."""
    number = total = 0
    while line := file.readline(longest + 1):
        number += 1
        total += len(line)
        if len(line) > longest and not line.endswith(b"\n"):
            yield number, ReadFailure(f"line {number} is longer than {longest:,} bytes")
            while line and not line.endswith(b"\n") and total <= most:
                line = file.readline(longest)
                total += len(line)
        elif total <= most:
            yield number, line
        if total > most:
            yield number, ReadFailure(f"unpacks to more than {most:,.0f} bytes: a bomb?")
            return
