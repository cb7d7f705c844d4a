"""Timing side by side: contestants take turns, medians are compared, the conditions are kept."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

RESULTS = Path(__file__).with_name("results")


def seconds(work: Callable[[], object]) -> float:
    """Wall seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def interleaved(
    contestants: Mapping[str, Callable[[], object]], *, rounds: int, warm: bool = True
) -> dict[str, list[float]]:
    """Seconds of each contestant, one run each per round, in turn; a first round is not counted."""
    if warm:
        for work in contestants.values():
            work()
    taken: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            taken[name].append(seconds(work))
    return taken


def ratio(slower: list[float], faster: list[float]) -> float:
    """Median over the rounds of ``slower / faster``: above 1, the second one is ahead."""
    return statistics.median(a / b for a, b in zip(slower, faster, strict=True))


def median(values: list[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def machine() -> dict[str, Any]:
    """What a reader must know to judge a figure."""
    import safetensors
    import tokenizers

    return {
        "processor": _processor(),
        "instructions": _instructions(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "tokenizers": tokenizers.__version__,
        "safetensors": safetensors.__version__,
        "commit": commit(),
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    }


def conditions() -> dict[str, Any]:
    """The short form, for a part of a file whose parts are measured on different days."""
    whole = machine()
    return {name: whole[name] for name in ("processor", "instructions", "commit", "date")}


def commit() -> str:
    """The commit under measurement, marked where the tree differs from it."""
    run = ["git", "-C", str(RESULTS.parent)]
    head = subprocess.run([*run, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    dirty = subprocess.run(
        [*run, "status", "--porcelain", "--", "../src"], capture_output=True, text=True
    )
    return head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")


def write_results(name: str, value: Mapping[str, Any]) -> Path:
    """``results/<name>.json`` with the machine beside the figures."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(
        json.dumps({"machine": machine(), **value}, indent=1, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )
    return path


def _processor() -> str:
    capabilities: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return str(capabilities.get("cpu_name") or platform.processor() or platform.machine())


def _instructions() -> list[str]:
    """The wide ones, which tell processors of one name apart: a bf16 figure hangs on them."""
    known: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    told = ("avx2", "avx512_f", "avx512_vnni", "avx512_bf16", "amx_bf16")
    return [name for name in told if known.get(name)]


def run_measured(command: list[str], *, poll: float = 0.02) -> dict[str, Any]:
    """Run a command; its seconds, exit code, output, and peak memory in MB.

    anonymous: the process's own pages (Linux), without files that it maps; total: all resident.
    """
    began = time.perf_counter()
    peaks = {"RssAnon": 0, "VmRSS": 0}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        output: list[str] = []
        assert process.stdout is not None
        reader = threading.Thread(target=output.extend, args=(process.stdout,))
        reader.start()
        while process.poll() is None:
            for name, value in _memory(process.pid).items():
                peaks[name] = max(peaks[name], value)
            time.sleep(poll)
        reader.join()
    return {
        "seconds": time.perf_counter() - began,
        "exit code": process.returncode,
        "peak anonymous MB": peaks["RssAnon"] / 1000,
        "peak resident MB": peaks["VmRSS"] / 1000,
        "output": "".join(output),
    }


def _memory(pid: int) -> dict[str, int]:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except (FileNotFoundError, ProcessLookupError):
        return {}
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    return {
        name: int(fields[name].split()[0]) * 1024 // 1000
        for name in ("RssAnon", "VmRSS")
        if name in fields
    }
