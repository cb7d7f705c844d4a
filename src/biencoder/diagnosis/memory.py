"""How much memory is there, and how much of it is free, containers' limits included."""

from __future__ import annotations

import os
from pathlib import Path

import torch

_MEMINFO = Path("/proc/meminfo")
_CGROUP = Path("/sys/fs/cgroup")


def total_bytes() -> int:
    """The machine's memory, or the container's limit where that is smaller."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = _cgroup_number("memory.max")
    return machine if limit is None else min(machine, limit)


def available_bytes(device: torch.device) -> int | None:
    """What a new model may take on this device; None where the system does not tell (macOS)."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    free = _meminfo_available()
    limit, used = _cgroup_number("memory.max"), _cgroup_number("memory.current")
    if limit is None or used is None:
        return free
    # What the page cache holds counts as used, but makes room when asked.
    left = limit - used + _cgroup_cache()
    return left if free is None else min(free, left)


def gigabytes(count: int) -> str:
    """Bytes for people, in powers of 1000.

    >>> gigabytes(2_471_628_800), gigabytes(41_000_000)
    ('2.5 GB', '41 MB')
    """
    if count >= 1e9:
        return f"{count / 1e9:.1f} GB"
    return f"{count / 1e6:.0f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


def _meminfo_available() -> int | None:
    if not _MEMINFO.exists():
        return None
    fields = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
    return int(fields["MemAvailable"].split()[0]) * 1024


def _cgroup_number(name: str) -> int | None:
    path = _CGROUP / name
    text = path.read_text().strip() if path.exists() else "max"
    return None if text == "max" else int(text)


def _cgroup_cache() -> int:
    path = _CGROUP / "memory.stat"
    if not path.exists():
        return 0
    fields = dict(line.split() for line in path.read_text().splitlines())
    return int(fields.get("inactive_file", 0))
