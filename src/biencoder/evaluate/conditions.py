"""What a reader must know to judge a figure: machine, versions, date."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from biencoder.diagnosis.machine import read_machine

_PACKAGES = ("biencoder", "torch", "numpy", "tokenizers", "bm25s", "mteb", "sentence-transformers")


def conditions() -> dict[str, Any]:
    """Machine, versions of what is installed, and the time in UTC."""
    return {**_machine(), "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")}


@cache
def _machine() -> dict[str, Any]:
    machine = read_machine()
    return {
        "machine": {
            "processor": machine.processor,
            "cores": machine.logical_cores,
            "threads": machine.threads,
            "memory GB": round(machine.memory / 1e9),
            "devices": [device.name for device in machine.devices],
        },
        "versions": {name: found for name in _PACKAGES if (found := _version(name))},
    }


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
