"""Judgements of people on passages: kept line by line in a file, on the disk when they are told as kept.

The file is only ever added to; the last word on a question and a passage counts, and a grade of null
takes an earlier one back. A passage is known again by its text and place, for its id belongs to one
model and one way of cutting: judgements outlive a re-embedding.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeAlias

from biencoder.errors import OutputError
from biencoder.index.durable import disk_errors, sync_file

FILE = "judgements.jsonl"
MAX_GRADE = 3

Key: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """grade: 0 is not relevant, above it relevant, None takes back. Times are UTC, in ISO 8601."""

    time: str
    question: str
    grade: int | None
    index: str
    model: str
    fingerprint: str
    mode: str
    document: str
    passage: str
    source: str
    title: str
    heading: str
    page: int | None
    start: int
    end: int
    text: str

    @property
    def key(self) -> Key:
        """What it is about."""
        return judged_key(self.question, self.source, self.text, self.page)


def judged_key(question: str, source: str, text: str, page: int | None = None) -> Key:
    """Question and passage, whatever the blanks between their words."""
    return question_key(question), source, text_key(text, page)


def text_key(text: str, page: int | None) -> str:
    """A passage among those of its document; scanned pages have no text, and are told by number."""
    words = " ".join(text.split()) or ("" if page is None else f"page {page}")
    return hashlib.sha256(words.encode()).hexdigest()


def question_key(question: str) -> str:
    """Equal for questions that differ only in blanks."""
    return " ".join(question.split())


class JudgementFile:
    """The judgements of one folder. Safe in threads, and beside other processes that add to it.

    Writers wait for one another at the file itself, and readers for no writer: every search reads.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / FILE
        self._reading = threading.Lock()
        self._known: dict[Key, Judgement] = {}
        self._standing: Mapping[Key, Judgement] = {}
        self._read: tuple[int, int] = (0, 0)
        self.damaged = 0

    def add(self, judgement: Judgement) -> None:
        """Keep one; it is on the disk when this returns.

        Raises OutputError where it cannot be written.
        """
        line = json.dumps(asdict(judgement), ensure_ascii=False).encode() + b"\n"
        with disk_errors(self.path):
            made = not self.path.exists()
            self.path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX)
                _append(handle, line)
            finally:
                os.close(handle)
            sync_file(self.path)
            if made:
                sync_file(self.path.parent)
                sync_file(self.path.parent.parent)

    def standing(self) -> Mapping[Key, Judgement]:
        """The last word on every question and passage, in the order they were first judged.

        The same object until something is added; it never changes. Raises OutputError where the file
        cannot be read.
        """
        with self._reading:
            try:
                status = self.path.stat()
            except FileNotFoundError:
                self._known, self._standing, self._read, self.damaged = {}, {}, (0, 0), 0
                return self._standing
            except OSError as error:
                raise _unreadable(self.path, error) from error
            if (status.st_ino, status.st_size) != self._read:
                self._take_in(status.st_ino, status.st_size)
            return self._standing

    def _take_in(self, inode: int, size: int) -> None:
        """What was added since the last look; all of it where the file is another."""
        known, begin = self._read
        if known != inode or size < begin:
            self._known, self.damaged, begin = {}, 0, 0
        try:
            with self.path.open("rb") as file:
                file.seek(begin)
                added = file.read(size - begin)
        except OSError as error:
            raise _unreadable(self.path, error) from error
        # A line without its end is still being written, or was cut off by a power cut.
        whole = added[: added.rfind(b"\n") + 1]
        if begin and not whole:
            return
        for line in whole.splitlines():
            judgement = _parsed(line)
            if judgement is None:
                self.damaged += bool(line.strip())
            else:
                self._known[judgement.key] = judgement
        standing = self._known.items()
        self._standing = {key: found for key, found in standing if found.grade is not None}
        self._read = inode, begin + len(whole)


def _append(handle: int, line: bytes) -> None:
    """Whole, and on a line of its own though the last writer was cut off."""
    size = os.fstat(handle).st_size
    if size and os.pread(handle, 1, size - 1) != b"\n":
        line = b"\n" + line
    while line:
        line = line[os.write(handle, line) :]


def _parsed(line: bytes) -> Judgement | None:
    try:
        row: Any = json.loads(line)
        judgement = Judgement(**{field.name: row[field.name] for field in fields(Judgement)})
        texts = (judgement.question, judgement.source, judgement.text)
    except (ValueError, KeyError, TypeError):
        return None
    sound = all(isinstance(text, str) for text in texts)
    return judgement if sound and _is_grade(judgement.grade) else None


def _is_grade(grade: object) -> bool:
    return grade is None or (type(grade) is int and 0 <= grade <= MAX_GRADE)


def _unreadable(path: Path, error: OSError) -> OutputError:
    return OutputError(f"{path} cannot be read: {error.strerror or error}")
