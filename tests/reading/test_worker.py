"""The worker: what libraries print stays out of its answers, and no network is reached."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from tests.reading import made

from biencoder.reading.limits import Limits


def _run(code: str, requests: str = "") -> subprocess.CompletedProcess[str]:
    limits = json.dumps(asdict(Limits()))
    return subprocess.run(
        [sys.executable, "-c", code, limits],
        input=requests,
        capture_output=True,
        text=True,
        check=False,
    )


def _request(path: Path, kind: str) -> str:
    return json.dumps({"path": str(path), "kind": kind, "leave_out": []}) + "\n"


def test_answers_are_pages_begun_then_texts_then_the_rest(tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.pdf", made.pdf(["one", "two"]))
    ended = _run("from biencoder.reading.worker import main; main()", _request(path, "pdf"))
    assert ended.returncode == 0
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [
        {"page": 1},
        {"page": 2},
        {"number": 1, "text": "one"},
        {"number": 2, "text": "two"},
        {"title": "", "markdown": False, "notes": [], "remarks": []},
    ]


def test_what_a_library_prints_is_no_answer_and_what_it_reads_no_request(tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.html", "<p>tea")
    code = """
import os, sys
from biencoder.reading import worker
from biencoder.reading.file_text import FileText
def noisy(data, limits):
    print("noise", flush=True)
    os.write(1, b"noise")
    return FileText(sys.stdin.read(), (), False)
worker.OFFICE_READERS["html"] = noisy
worker.main()
"""
    ended = _run(code, _request(path, "html") * 2)
    answer = {"title": "", "markdown": False, "notes": [], "remarks": []}
    assert [json.loads(line) for line in ended.stdout.splitlines()] == [answer] * 2


def test_an_unknown_fault_of_a_library_is_the_file_s_reason(tmp_path: Path) -> None:
    path = made.write(tmp_path / "a.html", "<p>tea")
    code = """
from biencoder.reading import worker
def broken(data, limits):
    return {}["gone"]
worker.OFFICE_READERS["html"] = broken
worker.main()
"""
    ended = _run(code, _request(path, "html"))
    assert json.loads(ended.stdout) == {"failure": "could not be read: KeyError: 'gone'"}


def test_a_file_that_cannot_be_opened_has_its_reason(tmp_path: Path) -> None:
    code = "from biencoder.reading.worker import main; main()"
    ended = _run(code, _request(tmp_path / "gone.pdf", "pdf"))
    assert json.loads(ended.stdout) == {"failure": "cannot be opened: No such file or directory"}


def test_no_network_is_reached() -> None:
    code = """
import socket
from biencoder.reading.worker import refuse_network
refuse_network()
for reach in (
    lambda: socket.create_connection(("127.0.0.1", 9)),
    lambda: socket.getaddrinfo("localhost", 80),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)),
):
    try:
        reach()
    except PermissionError as error:
        print(error)
"""
    lines = _run(code).stdout.splitlines()
    assert len(lines) == 3
    assert all("uses no network" in line for line in lines)
