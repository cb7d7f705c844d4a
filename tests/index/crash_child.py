"""A process that loads the model once, then forks a child for every piece of work that may be killed.

LanceDB must not be used before a fork; it is imported in the children only. A line of JSON on stdin
is a list of tasks for one child; the answer on stdout says how it ended and, for every task that
came to its end, what it gave.
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from tests.index import made_index

from biencoder.errors import BiencoderError, OutputError
from biencoder.index.build import index_folder
from biencoder.index.compaction import compact
from biencoder.index.ledger import Ledger
from biencoder.index.rewrite import reindex
from biencoder.index.store import Store
from biencoder.index.table_files import RecoveryWarning

# What LanceDB imports, but not LanceDB: a child is then quick to begin.
_SLOW_IMPORTS = ("lance_namespace", "pandas", "pydantic")
# Between two calls of these, nothing of the index changes but by LanceDB's and SQLite's own hands.
_SYSTEM_CALLS = ("fsync", "replace", "rename", "unlink", "rmdir", "mkdir", "link", "pwrite")
_STORE_CALLS = ("add", "add_columns", "delete_sources", "build_words")


class CommitPoints:
    """Counts every step that changes the disk, and kills this process at one of them."""

    def __init__(self, stop_at: int | None) -> None:
        self.stop_at = stop_at
        self.names: list[str] = []
        for name in _SYSTEM_CALLS:
            setattr(os, name, self._before(getattr(os, name), name))
        for name in _STORE_CALLS:
            setattr(Store, name, self._around(getattr(Store, name), f"store {name}"))
        create: Any = Store.create
        Store.create = self._around(create, "store create")  # type: ignore[method-assign]
        transaction: Any = Ledger.transaction
        Ledger.transaction = self._in_ledger(transaction)  # type: ignore[method-assign]

    def reach(self, name: str) -> None:
        """One step is about to be taken, or was taken."""
        if len(self.names) == self.stop_at:
            os.kill(os.getpid(), signal.SIGKILL)
        self.names.append(name)

    def _before(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def counted(*values: Any, **more: Any) -> Any:
            self.reach(name)
            return call(*values, **more)

        return counted

    def _around(self, call: Callable[..., Any], name: str) -> Callable[..., Any]:
        def counted(*values: Any, **more: Any) -> Any:
            self.reach(f"before {name}")
            given = call(*values, **more)
            self.reach(f"after {name}")
            return given

        return counted

    def _in_ledger(self, call: Callable[..., Any]) -> Callable[..., Any]:
        @contextmanager
        def counted(ledger: Ledger) -> Iterator[None]:
            self.reach("before a ledger transaction")
            with call(ledger):
                yield
                self.reach("in a ledger transaction")
            self.reach("after a ledger transaction")

        return counted


def work(verb: str, source: str, folder: str) -> dict[str, Any]:
    """One run of a verb to its end."""
    match verb:
        case "index":
            tally = index_folder(source, folder, made_index.OPTIONS, embedder=made_index.mini())
            return {"documents": tally.documents, "unchanged": tally.unchanged}
        case "compact":
            return {"chunks": compact(folder, purge=True).chunks}
        case "reindex":
            options = replace(made_index.OPTIONS, chunk_tokens=100)
            tally = reindex(folder, options, embedder=made_index.mini())
            return {"documents": tally.documents, "unchanged": tally.unchanged}
    raise ValueError(verb)


def look(folder: str) -> dict[str, Any]:
    """What an index holds, or why it cannot be opened."""
    try:
        return asdict(made_index.contents(Path(folder)))
    except BiencoderError as error:
        return {"error": f"{type(error).__name__}: {error.message}"}


def do(task: dict[str, Any], started: int) -> dict[str, Any]:
    """One task; a byte on ``started`` says that the work begins, everything being imported."""
    importlib.import_module("lancedb.expr")
    importlib.import_module("lancedb.index")
    match task.pop("do"):
        case "work":
            stop_at, counted = task.pop("stop_at", None), task.pop("counted", False)
            points = CommitPoints(stop_at) if counted else None
            os.write(started, b"1")
            began = time.monotonic()
            try:
                done = work(**task)
            except OutputError as error:
                return {"refused": error.message}
            taken = time.monotonic() - began
            return {**done, "seconds": taken, "points": points.names if points else []}
        case "look":
            return look(**task)
        case "change":
            made_index.change_sources(Path(task["source"]))
            return {}
        case "copy":
            shutil.copytree(task["folder"], task["to"])
            return {}
        case other:
            raise ValueError(other)


def child(tasks: list[dict[str, Any]], answers: int, started: int) -> None:
    """All tasks of a line, in a process of their own."""
    # A kill damages nothing that was acknowledged, so nothing may be told as damaged.
    warnings.simplefilter("error", RecoveryWarning)
    try:
        for task in tasks:
            os.write(answers, json.dumps(do(task, started)).encode() + b"\n")
    except BaseException:
        os.write(answers, json.dumps({"traceback": traceback.format_exc()}).encode() + b"\n")
        os._exit(1)
    os._exit(0)


def answer(tasks: list[dict[str, Any]], delay: float | None) -> dict[str, Any]:
    """Fork a child for tasks; with a delay it is killed so many seconds after its work began."""
    given, answers = os.pipe()
    began, started = os.pipe()
    pid = os.fork()
    if pid == 0:
        child(tasks, answers, started)
    os.close(answers)
    os.close(started)
    if delay is not None and os.read(began, 1):
        time.sleep(delay)
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(given, "rb") as file:
        results = [json.loads(line) for line in file if line.endswith(b"\n")]
    os.close(began)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return {"code": code, "results": results}


def serve() -> None:
    """Answer lines until stdin ends."""
    for name in _SLOW_IMPORTS:
        importlib.import_module(name)
    torch.set_num_threads(1)
    made_index.mini().encode_documents(["one"])
    for line in sys.stdin:
        assert "lancedb" not in sys.modules
        asked = json.loads(line)
        print(json.dumps(answer(asked["tasks"], asked.get("delay"))), flush=True)


if __name__ == "__main__":
    serve()
