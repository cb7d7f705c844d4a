"""A worker process: one request a line on its input, answers in lines of JSON on its output.

Request     {"path": ..., "kind": ..., "leave_out": [page, ...]}
Answers     {"page": number}                            before each page of a PDF
            {"number": ..., "text": ...}                each page, once the whole file is read
            {"title": ..., "markdown": ..., "notes": [...], "remarks": [...]}    last, or instead:
            {"failure": reason}

Request     {"kind": "pages", "path": ..., "dpi": ..., "first": page}; instead of a path {"bytes": count},
            and that many bytes of PDF after the line
Answers     {"page": number, "of": count}               before each page
            {"number": ..., "width": ..., "height": ..., "text": ..., "notes": [...], "bytes": count}
                                                        each page, and that many bytes of RGB
            {"notes": [...]}                            last, or a failure

Started by ``biencoder.reading.worker_process`` with the limits as JSON in its only argument.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
from pathlib import Path
from typing import Any, BinaryIO

from biencoder.errors import BiencoderError
from biencoder.reading.drawing import draw_pages
from biencoder.reading.file_text import FileText, ReadFailure
from biencoder.reading.limits import MEBIBYTE, Limits
from biencoder.reading.office import OFFICE_READERS
from biencoder.reading.pdf import read_pdf

# Past the reader's own time, so that a worker whose reader was killed does not hang for ever.
_ALARM_MARGIN = 30.0
_REFUSED_EVENTS = frozenset(
    {"socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"}
)


def main() -> None:
    """Answer requests until the input ends."""
    limits = Limits(**json.loads(sys.argv[1]))
    requests, answers = _private_pipes()
    _limit_resources(limits)
    refuse_network()
    for line in requests:
        _alarm_in(limits.file_seconds + _ALARM_MARGIN)
        _answer(json.loads(line), limits, requests, answers)
        _alarm_in(0)


def refuse_network() -> None:
    """From now on no code in this process reaches a network by Python's sockets."""

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _REFUSED_EVENTS:
            raise PermissionError(f"a reading worker uses no network: {event} refused")

    sys.addaudithook(audit)


def _private_pipes() -> tuple[BinaryIO, BinaryIO]:
    """The pipes to the reader, out of reach of whatever a library reads, prints or complains."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    os.close(nowhere)
    return requests, answers


def _limit_resources(limits: Limits) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":  # macOS takes the limit and does not hold to it
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        ceiling = limits.memory_bytes
        if hard != resource.RLIM_INFINITY:
            ceiling = min(ceiling, hard)
        resource.setrlimit(resource.RLIMIT_AS, (ceiling, ceiling))


def _answer(request: dict[str, Any], limits: Limits, requests: BinaryIO, answers: BinaryIO) -> None:
    try:
        if request["kind"] == "pages":
            _send_pages(request, limits, requests, answers)
        else:
            _send_text(_read(request, limits, answers), answers)
    except Exception as error:
        # The libraries below raise whatever they like; each is this file's reason, not the job's end.
        _send(answers, {"failure": _reason(error, limits)})


def _reason(error: Exception, limits: Limits) -> str:
    if isinstance(error, BiencoderError):
        return ReadFailure.from_error(error).reason
    if isinstance(error, OSError):
        return ReadFailure.from_system(error).reason
    if isinstance(error, MemoryError):
        size = limits.memory_bytes // MEBIBYTE
        return f"needs more memory than the {size:,} MiB that a file may have"
    detail = " ".join(str(error).split())[:200]
    return f"could not be read: {type(error).__name__}: {detail}"


def _read(request: dict[str, Any], limits: Limits, answers: BinaryIO) -> FileText:
    data = Path(request["path"]).read_bytes()
    if request["kind"] != "pdf":
        return OFFICE_READERS[request["kind"]](data, limits)
    return read_pdf(
        data,
        limits,
        leave_out=request["leave_out"],
        begin_page=lambda number: _send(answers, {"page": number}),
    )


def _send_text(text: FileText, answers: BinaryIO) -> None:
    for page in text.pages:
        _send(answers, {"number": page.number, "text": page.text})
    last = {"title": text.title, "markdown": text.markdown}
    _send(answers, last | {"notes": text.notes, "remarks": text.remarks})


def _send_pages(
    request: dict[str, Any], limits: Limits, requests: BinaryIO, answers: BinaryIO
) -> None:
    """Pages as they are drawn; the clock runs while one is drawn, not while the reader takes it."""

    def begin_page(number: int, count: int) -> None:
        _alarm_in(0)
        _send(answers, {"page": number, "of": count})
        _alarm_in(limits.page_seconds + _ALARM_MARGIN)

    size = request.get("bytes")
    data = Path(request["path"]).read_bytes() if size is None else requests.read(size)
    notes: list[str] = []
    dpi, first = request["dpi"], request["first"]
    for page in draw_pages(data, limits, dpi=dpi, first=first, notes=notes, begin_page=begin_page):
        _alarm_in(0)
        facts = {"number": page.number, "width": page.width, "height": page.height}
        _send(answers, facts | {"text": page.text, "notes": notes, "bytes": len(page.rgb)})
        answers.write(page.rgb)
        answers.flush()
        notes.clear()
    _alarm_in(0)
    _send(answers, {"notes": notes})


def _alarm_in(seconds: float) -> None:
    """Let the system end this process after so long; 0 calls that off."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _send(answers: BinaryIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer).encode("ascii") + b"\n")
    answers.flush()


if __name__ == "__main__":
    main()
