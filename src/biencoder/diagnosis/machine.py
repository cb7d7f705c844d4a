"""The facts about this machine that decide how fast a model runs. Read, not judged: see `advice`."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from biencoder.diagnosis.memory import available_bytes, total_bytes
from biencoder.embedder.device import cpu_has_fast_bfloat16

PACKAGES = ("biencoder", "torch", "tokenizers", "safetensors", "transformers")
# Variables that change speed or what can be fetched.
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM", "HF_HUB_OFFLINE")


@dataclass(frozen=True, slots=True)
class CudaDevice:
    """One GPU that torch can use; memory in bytes."""

    name: str
    capability: tuple[int, int]
    memory: int
    free: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """Memory in bytes; None where the system does not tell.

    usable_cores: what this process may use, after affinity and a container's quota.
    cuda_build: the CUDA version torch was built for. nvidia_driver: whether the system has one.
    """

    processor: str
    physical_cores: int | None
    logical_cores: int
    usable_cores: float
    threads: int
    load: float
    fast_bfloat16: bool
    memory: int
    available: int | None
    cuda_build: str | None
    nvidia_driver: bool
    devices: tuple[CudaDevice, ...]
    versions: Mapping[str, str | None]
    environment: Mapping[str, str]


def read_machine() -> Machine:
    """Look at the machine as torch and the system describe it."""
    logical = os.cpu_count() or 1
    return Machine(
        processor=_processor(),
        physical_cores=_physical_cores(),
        logical_cores=logical,
        usable_cores=_usable_cores(logical),
        threads=torch.get_num_threads(),
        load=os.getloadavg()[0],
        fast_bfloat16=cpu_has_fast_bfloat16(),
        memory=total_bytes(),
        available=available_bytes(torch.device("cpu")),
        cuda_build=torch.version.cuda,
        nvidia_driver=Path("/proc/driver/nvidia/version").exists(),
        devices=_devices(),
        versions={name: _version(name) for name in PACKAGES},
        environment={name: os.environ[name] for name in VARIABLES if name in os.environ},
    )


def _devices() -> tuple[CudaDevice, ...]:
    if not torch.cuda.is_available():
        return ()
    devices = []
    for index in range(torch.cuda.device_count()):
        free, memory = torch.cuda.mem_get_info(index)
        name = torch.cuda.get_device_name(index)
        devices.append(CudaDevice(name, torch.cuda.get_device_capability(index), memory, free))
    return tuple(devices)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    if platform.system() == "Darwin":
        return _sysctl("machdep.cpu.brand_string")
    names = [block["model name"] for block in _cpuinfo() if "model name" in block]
    return names[0] if names else platform.processor() or platform.machine()


def _physical_cores() -> int | None:
    if platform.system() == "Darwin":
        return int(_sysctl("hw.physicalcpu"))
    cores = {
        (block["physical id"], block["core id"])
        for block in _cpuinfo()
        if "physical id" in block and "core id" in block
    }
    return len(cores) or None


def _usable_cores(logical: int) -> float:
    # Not on macOS, which has no affinity.
    affinity = getattr(os, "sched_getaffinity", None)
    allowed = float(len(affinity(0)) if affinity is not None else logical)
    quota = Path("/sys/fs/cgroup/cpu.max")
    if not quota.exists():
        return allowed
    limit, period = quota.read_text().split()
    return allowed if limit == "max" else min(allowed, int(limit) / int(period))


def _cpuinfo() -> list[dict[str, str]]:
    """/proc/cpuinfo, one mapping a logical core; empty where the system has no such file."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return []
    blocks = path.read_text().strip().split("\n\n")
    pairs = [[line.partition(":") for line in block.splitlines()] for block in blocks]
    return [{key.strip(): value.strip() for key, _, value in block} for block in pairs]


def _sysctl(name: str) -> str:
    return subprocess.run(
        ["/usr/sbin/sysctl", "-n", name], capture_output=True, text=True, check=True
    ).stdout.strip()
