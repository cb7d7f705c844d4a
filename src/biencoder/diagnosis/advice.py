"""What is slow on a machine, why, and what to do: one rule a function, each from facts alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from biencoder.diagnosis.ceiling import Ceiling
from biencoder.diagnosis.machine import Machine

# What is not set, or one of these, leaves a switch off.
_OFF = {"", "0", "false", "off", "no"}


@dataclass(frozen=True, slots=True)
class Advice:
    """Two sentences: what is the matter, and what to do."""

    problem: str
    remedy: str


Rule = Callable[[Machine], Advice | None]


def advise(machine: Machine, ceilings: Sequence[Ceiling]) -> list[Advice]:
    """What every rule has to say; an empty list where nothing is in the way."""
    found = [rule(machine) for rule in RULES]
    found.append(_bfloat16_is_slow(machine, ceilings))
    return [advice for advice in found if advice is not None]


def _no_bfloat16(machine: Machine) -> Advice | None:
    if machine.devices or machine.fast_bfloat16:
        return None
    return Advice(
        "This processor has no bfloat16 products, so models compute in float32: slower, and with "
        "twice the memory.",
        "Use a processor with AVX-512 BF16, AMX or ARM BF16, or a GPU; here, prefer small models.",
    )


def _bfloat16_is_slow(machine: Machine, ceilings: Sequence[Ceiling]) -> Advice | None:
    speeds = {ceiling.dtype: ceiling.gigaflops for ceiling in ceilings}
    half, full = speeds.get("bfloat16"), speeds.get("float32")
    if not machine.fast_bfloat16 or half is None or full is None or half >= full:
        return None
    return Advice(
        f"The processor names bfloat16, but measured slower in it: {half:,.0f} GFLOP/s against "
        f"{full:,.0f} in float32.",
        "Load models with --dtype float32, and compare other versions of torch.",
    )


def _few_threads(machine: Machine) -> Advice | None:
    cores = min(machine.usable_cores, machine.physical_cores or machine.logical_cores)
    if machine.devices or machine.threads >= cores:
        return None
    name, value = _thread_variable(machine)
    cause = f" ({name} is {value})" if name else ""
    return Advice(
        f"Torch uses {machine.threads} threads{cause}, but {cores:g} cores are there.",
        f"Unset {name}." if name else f"Set OMP_NUM_THREADS={int(cores)}.",
    )


def _many_threads(machine: Machine) -> Advice | None:
    if machine.threads <= machine.usable_cores:
        return None
    return Advice(
        f"Torch uses {machine.threads} threads, but this process may use only "
        f"{machine.usable_cores:g} cores: threads wait for each other.",
        f"Set OMP_NUM_THREADS={max(1, int(machine.usable_cores))}.",
    )


def _busy(machine: Machine) -> Advice | None:
    if machine.load <= machine.logical_cores / 2:
        return None
    return Advice(
        f"Other work keeps the machine busy (load {machine.load:.1f} on {machine.logical_cores} "
        "cores): everything measured now is too low.",
        "Stop the other work, and run `biencoder doctor` again.",
    )


def _no_device(machine: Machine) -> Advice | None:
    if machine.cuda_build is None or machine.devices:
        return None
    return Advice(
        f"Torch is built for CUDA {machine.cuda_build}, but finds no device.",
        "With a GPU: check the driver with `nvidia-smi` and CUDA_VISIBLE_DEVICES. Without one: the "
        "CPU build of torch is much smaller.",
    )


def _unused_gpu(machine: Machine) -> Advice | None:
    if machine.cuda_build is not None or not machine.nvidia_driver:
        return None
    return Advice(
        "This machine has an NVIDIA driver, but torch is a build without CUDA.",
        "Install the CUDA build of torch: https://pytorch.org/get-started/locally/",
    )


def _old_gpu(machine: Machine) -> Advice | None:
    old = [device.name for device in machine.devices if device.capability < (8, 0)]
    if not old:
        return None
    return Advice(
        f"{old[0]} is older than compute capability 8.0: no bfloat16, no variable-length attention.",
        "Use a newer GPU; with this one, models compute in float32.",
    )


def _one_tokenizer_thread(machine: Machine) -> Advice | None:
    value = machine.environment.get("TOKENIZERS_PARALLELISM")
    if value is None or value.lower() not in _OFF:
        return None
    return Advice(
        f"TOKENIZERS_PARALLELISM is {value!r}, so texts are tokenised on one core.",
        "Unset it: with small models and with a GPU, tokenising becomes what one waits for.",
    )


def _offline(machine: Machine) -> Advice | None:
    value = machine.environment.get("HF_HUB_OFFLINE", "")
    if value.lower() in _OFF:
        return None
    return Advice(
        f"HF_HUB_OFFLINE is {value!r}: only models that ship with biencoder, lie in a folder or are "
        "in the local cache can be loaded.",
        "Unset it to fetch a model.",
    )


def _thread_variable(machine: Machine) -> tuple[str, str]:
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        if name in machine.environment:
            return name, machine.environment[name]
    return "", ""


RULES: tuple[Rule, ...] = (
    _no_bfloat16,
    _few_threads,
    _many_threads,
    _busy,
    _no_device,
    _unused_gpu,
    _old_gpu,
    _one_tokenizer_thread,
    _offline,
)
