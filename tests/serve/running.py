"""``biencoder serve`` as a process of its own, for tests: what it says, and where it listens."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

PATIENCE = 60.0
_MAIN = "from biencoder.cli.app import main; main()"


@dataclass
class Process:
    """A running ``biencoder serve`` and what it has said."""

    popen: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    said: threading.Condition = field(default_factory=threading.Condition)

    def listen(self) -> None:
        assert self.popen.stderr is not None
        for line in self.popen.stderr:
            with self.said:
                self.lines.append(line.rstrip("\n"))
                self.said.notify_all()
        with self.said:
            self.lines.append("(end)")
            self.said.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """The first line that matches."""

        def found() -> re.Match[str] | None:
            matches = (re.search(pattern, line) for line in self.lines)
            return next((match for match in matches if match), None)

        with self.said:
            assert self.said.wait_for(lambda: found() or "(end)" in self.lines, PATIENCE)
        match = found()
        assert match is not None, self.lines
        return match

    @property
    def base(self) -> str:
        return self.wait_for(r"https?://[\d.:]+")[0]


@contextmanager
def process(*arguments: str, **environ: str) -> Iterator[Process]:
    """``biencoder serve ARGUMENTS`` on a free port; killed if it is still there."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("BIENCODER_", "NIM_"))}
    popen = subprocess.Popen(
        [sys.executable, "-c", _MAIN, "serve", "--port", "0", *arguments],
        env={**clean, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", **environ},
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    )
    running = Process(popen)
    listening = threading.Thread(target=running.listen, daemon=True)
    listening.start()
    try:
        yield running
    finally:
        if popen.poll() is None:
            popen.kill()
        popen.wait()
        listening.join()
        assert popen.stderr is not None
        popen.stderr.close()
