"""A PDF's pages as images with their texts, drawn one ahead in a worker process of their own."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

from biencoder.errors import InputError
from biencoder.reading.file_text import PageImage
from biencoder.reading.limits import Limits
from biencoder.reading.refusal import refusal, size_refusal
from biencoder.reading.worker_process import WorkerFault, WorkerProcess

__all__ = ["PageImage", "pdf_pages"]

DPI = 150
_MAX_DPI = 1200
PDF_LIMITS = Limits()
# Of a page's time, so much does not count: thousands of quick pages are no fault of a file.
_FREE_SECONDS = 1.0


def pdf_pages(
    source: Path | bytes, *, notes: list[str], limits: Limits = PDF_LIMITS, dpi: int = DPI
) -> Generator[PageImage, None, None]:
    """Each page of a PDF in order, at ``dpi`` pixels an inch or as many as ``page_pixels`` allow.

    A page that cannot be drawn, kills the worker or takes too long becomes one of ``notes``, and
    the next ones still come. Time counts only while a page is waited for; ``file_seconds`` bounds
    what slow and lost pages take together, and the pages after it become a note. Three pages are
    alive at most: the one given, one on its way, and one being drawn. Leaving early, or closing the
    iterator, ends the worker. Raises InputError, at the first step, with the reason where the file
    gives no page: the end of a sentence that begins with its name.
    """
    check_dpi(dpi)
    if isinstance(source, bytes):
        failure = size_refusal(len(source), limits)
    else:
        failure = refusal(source, limits)
    if failure is not None:
        raise InputError(failure.reason)
    reading = _Reading(source, limits, dpi, notes)
    yield from reading.pages()


def check_dpi(dpi: int) -> None:
    """Raise InputError for a resolution at which no page is drawn."""
    if not 1 <= dpi <= _MAX_DPI:
        raise InputError(f"dpi={dpi}: a page is drawn at 1 to {_MAX_DPI:,} pixels an inch")


class _Reading:
    """One file on its way: which page is next, and how much time slow pages have left."""

    def __init__(self, source: Path | bytes, limits: Limits, dpi: int, notes: list[str]) -> None:
        self._source, self._limits, self._dpi, self._notes = source, limits, dpi, notes
        self._next, self._count, self._given = 1, 0, 0
        self._seconds = limits.file_seconds
        self._stumbled = False

    def pages(self) -> Iterator[PageImage]:
        """All pages; after a fault a new worker goes on behind the page that was at fault."""
        before = len(self._notes)
        while True:
            worker = WorkerProcess(self._limits)
            try:
                yield from self._from_worker(worker)
                break
            except WorkerFault as fault:
                if not self._goes_on(fault):
                    break
            finally:
                worker.close()
        if not self._given:
            raise InputError("; ".join(self._notes[before:]) or "has no page that can be drawn")

    def _from_worker(self, worker: WorkerProcess) -> Iterator[PageImage]:
        worker.ask(*self._request())
        page: int | None = None
        while True:
            answer, rgb = self._wait(worker, page)
            if "page" in answer:
                page = self._next = answer["page"]
                self._count = answer["of"]
                continue
            if "failure" in answer:
                raise InputError(answer["failure"])
            self._notes += answer["notes"]
            if "bytes" not in answer:
                return
            self._next, self._given = answer["number"] + 1, self._given + 1
            page = None
            yield PageImage(
                answer["number"], answer["width"], answer["height"], rgb, answer["text"]
            )

    def _request(self) -> tuple[dict[str, object], bytes]:
        request = {"kind": "pages", "dpi": self._dpi, "first": self._next}
        if isinstance(self._source, bytes):
            return request | {"bytes": len(self._source)}, self._source
        return request | {"path": str(self._source)}, b""

    def _wait(self, worker: WorkerProcess, page: int | None) -> tuple[dict[str, Any], bytes]:
        """The next answer with its bytes; what it took beyond the free time is charged."""
        start = time.monotonic()
        deadline = start + self._seconds
        try:
            answer = worker.answer(page, deadline)
            size = answer.get("bytes", 0)
            return answer, worker.body(size, page, deadline) if size else b""
        finally:
            self._seconds -= max(0.0, time.monotonic() - start - _FREE_SECONDS)

    def _goes_on(self, fault: WorkerFault) -> bool:
        """Note what is lost by a fault; whether the pages after it are still to come."""
        if fault.page is None:
            # Once is forgiven: a worker may be ended by somebody else.
            if not fault.last and not self._stumbled:
                self._stumbled = True
                return True
            if not self._count:
                raise InputError(fault.what) from fault
            self._leave_out_rest(fault.what)
            return False
        self._notes.append(f"page {fault.page} {fault.what} and was left out")
        self._next = fault.page + 1
        # A page that kills its worker at once is charged too, or thousands of them would be tried.
        self._seconds -= _FREE_SECONDS
        if self._next > self._count:
            return False
        if self._seconds <= 0:
            self._leave_out_rest(f"took longer than {self._limits.file_seconds:g} s")
            return False
        return True

    def _leave_out_rest(self, why: str) -> None:
        several = self._next < self._count
        rest = f"pages {self._next} to {self._count} were" if several else f"page {self._next} was"
        self._notes.append(f"{rest} left out: the file {why}")
