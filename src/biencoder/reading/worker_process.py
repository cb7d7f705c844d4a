"""The reader's end of a worker process: asked for one file at a time, killed when it takes too long."""

from __future__ import annotations

import json
import math
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from biencoder.reading.file_text import FileText, PageText, ReadFailure
from biencoder.reading.kinds import Kind
from biencoder.reading.limits import MEBIBYTE, Limits

# -P: the folder at hand, which may hold anybody's json.py, is not searched for modules.
_COMMAND = (sys.executable, "-P", "-m", "biencoder.reading.worker")
# One worker is one thread; a pool of threads for each would only fill the address space.
_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
_READ_BYTES = 1 << 16


class WorkerFault(Exception):
    """A worker died or was killed over a file, on ``page`` where that is known.

    ``what`` ends a sentence that begins with the file or the page; ``last`` says that its time is up.
    """

    def __init__(self, what: str, *, page: int | None = None, last: bool = False) -> None:
        super().__init__(what)
        self.what, self.page, self.last = what, page, last


class WorkerProcess:
    """A running worker; after a WorkerFault it is of no more use and must be closed."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._process = subprocess.Popen(
            [*_COMMAND, json.dumps(asdict(limits))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            env=os.environ | _ENVIRONMENT,
            # Ctrl-C is the reader's to handle; it closes its workers.
            start_new_session=True,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._requests, self._answers = self._process.stdin, self._process.stdout
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._answers, selectors.EVENT_READ)
        self._unread = b""

    def read(
        self, path: Path, kind: Kind, leave_out: tuple[int, ...], deadline: float
    ) -> FileText | ReadFailure:
        """The file's text, or its reason; ``deadline`` is in seconds of ``time.monotonic``."""
        page: int | None = None
        pages: list[PageText] = []
        self.ask({"path": str(path), "kind": kind, "leave_out": leave_out})
        while True:
            answer = self.answer(page, deadline)
            if "page" in answer:
                page = answer["page"]
            elif "text" in answer:
                pages.append(PageText(answer["number"], answer["text"]))
            elif "failure" in answer:
                return ReadFailure(answer["failure"])
            else:
                return _file_text(answer, pages)

    def ask(self, request: Mapping[str, object], body: bytes = b"") -> None:
        """Send a request, and bytes that belong to it."""
        rest = memoryview(json.dumps(request).encode("ascii") + b"\n" + body)
        try:
            while rest:
                rest = rest[self._requests.write(rest) :]
        except BrokenPipeError as error:
            raise self._death(None) from error

    def answer(self, page: int | None, deadline: float) -> dict[str, Any]:
        """The next line; whoever waits for a page waits no longer than a page may take."""
        until = self._until(page)
        pieces = [self._unread]
        while b"\n" not in pieces[-1]:
            pieces.append(self._piece(page, until, deadline))
        line, _, self._unread = b"".join(pieces).partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def body(self, size: int, page: int | None, deadline: float) -> bytes:
        """The bytes that belong to the last answer."""
        until = self._until(page)
        data = bytearray(size)
        here = self._unread[:size]
        data[: len(here)], self._unread = here, self._unread[size:]
        view = memoryview(data)[len(here) :]
        while view:
            self._wait(page, until, deadline)
            read = os.readv(self._answers.fileno(), [view])
            if not read:
                raise self._death(page)
            view = view[read:]
        return bytes(data)

    def kill(self) -> None:
        """End the process at once; may be called from any thread."""
        self._process.kill()

    def close(self) -> None:
        """Kill the process, wait for its end and release the pipes."""
        self._process.kill()
        self._process.wait()
        self._selector.close()
        self._answers.close()
        self._requests.close()

    def _until(self, page: int | None) -> float:
        return math.inf if page is None else time.monotonic() + self._limits.page_seconds

    def _piece(self, page: int | None, until: float, deadline: float) -> bytes:
        self._wait(page, until, deadline)
        piece = os.read(self._answers.fileno(), _READ_BYTES)
        if not piece:
            raise self._death(page)
        return piece

    def _wait(self, page: int | None, until: float, deadline: float) -> None:
        rest = min(until, deadline) - time.monotonic()
        if rest <= 0 or not self._selector.select(rest):
            raise self._timeout(page, deadline)

    def _timeout(self, page: int | None, deadline: float) -> WorkerFault:
        if page is None or time.monotonic() >= deadline:
            return WorkerFault(f"took longer than {self._limits.file_seconds:g} s", last=True)
        return WorkerFault(f"took longer than {self._limits.page_seconds:g} s", page=page)

    def _death(self, page: int | None) -> WorkerFault:
        status = self._process.wait()
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        memory = self._limits.memory_bytes // MEBIBYTE
        return WorkerFault(
            f"made its reader stop ({how}: a fault, or too little in {memory:,} MiB of memory)",
            page=page,
        )


def _file_text(answer: dict[str, Any], pages: list[PageText]) -> FileText:
    return FileText(
        answer["title"],
        tuple(pages),
        answer["markdown"],
        tuple(answer["notes"]),
        tuple(answer["remarks"]),
    )
