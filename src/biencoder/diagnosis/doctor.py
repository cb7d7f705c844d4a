"""All that `biencoder doctor` tells: the machine, its measured ceiling, what fits, what to do."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from biencoder.config.family import FAMILY, Member
from biencoder.config.page_model import PageLimits
from biencoder.diagnosis.advice import advise
from biencoder.diagnosis.ceiling import Ceiling, layer_config, measure_ceiling
from biencoder.diagnosis.cost import DOCUMENT_TOKENS, rounded, working_bytes
from biencoder.diagnosis.findings import Datum, Finding
from biencoder.diagnosis.machine import Machine, read_machine
from biencoder.diagnosis.memory import gigabytes
from biencoder.diagnosis.pages.cost import usual_bytes
from biencoder.embedder.device import CPU_TOKEN_BUDGET, GPU_TOKEN_BUDGET, Placement, place
from biencoder.models.attention import LONGEST_FOR_PRODUCTS, has_varlen
from biencoder.models.checkpoint import count_parameters
from biencoder.models.page_checkpoint import count_page_parameters


def doctor() -> Iterator[Finding]:
    """Findings about this machine, measured where that takes seconds, then advice."""
    machine, placement = read_machine(), place()
    yield from facts(machine, placement)
    ceilings = []
    for dtype in (torch.bfloat16, torch.float32):
        ceiling = measure_ceiling(placement.device, dtype, tokens=placement.token_budget)
        ceilings.append(ceiling)
        yield speed(ceiling)
    for number, advice in enumerate(advise(machine, ceilings), start=1):
        data: dict[str, Datum] = {"problem": advice.problem, "remedy": advice.remedy}
        yield Finding(f"advice {number}", "warning", advice.problem, advice.remedy, data)


def facts(machine: Machine, placement: Placement) -> Iterator[Finding]:
    """What can be told without measuring."""
    yield Finding("processor", "ok", machine.processor, "", {"processor": machine.processor})
    yield _cores(machine)
    yield _format(machine, placement)
    yield _memory(machine)
    yield _cuda(machine)
    yield _attention(placement)
    yield _versions(machine)
    yield _fitting(machine, placement)


def speed(ceiling: Ceiling) -> Finding:
    """A measured ceiling, and what it means for the 1b."""
    rate = ceiling.documents_per_second(layer_config())
    return Finding(
        f"{ceiling.dtype} products",
        "ok",
        f"{ceiling.gigaflops:,.0f} GFLOP/s",
        f"measured on the 1b's layer, {ceiling.tokens:,} tokens at once, best of {ceiling.passes}; "
        f"at this speed the 1b does at most {rounded(rate)} documents of {DOCUMENT_TOKENS} tokens a second",
        {"gigaflops": ceiling.gigaflops, "passes": ceiling.passes, "tokens": ceiling.tokens},
    )


def _cores(machine: Machine) -> Finding:
    physical = "?" if machine.physical_cores is None else str(machine.physical_cores)
    data: dict[str, Datum] = {
        "physical": machine.physical_cores,
        "logical": machine.logical_cores,
        "usable": machine.usable_cores,
        "threads": machine.threads,
        "load": machine.load,
    }
    value = f"{physical} physical, {machine.logical_cores} logical"
    reason = f"this process may use {machine.usable_cores:g}; torch uses {machine.threads} threads"
    return Finding("cores", "ok", value, reason, data)


def _format(machine: Machine, placement: Placement) -> Finding:
    native = "native" if machine.fast_bfloat16 else "not native"
    dtype = str(placement.dtype).removeprefix("torch.")
    reason = f"models compute in {dtype} on {placement.device}: {placement.reason}"
    data: dict[str, Datum] = {
        "native": machine.fast_bfloat16,
        "dtype": dtype,
        "device": str(placement.device),
    }
    return Finding("bfloat16", "ok", f"{native} on the processor", reason, data)


def _memory(machine: Machine) -> Finding:
    free = "unknown" if machine.available is None else gigabytes(machine.available)
    data: dict[str, Datum] = {"total": machine.memory, "available": machine.available}
    return Finding("memory", "ok", f"{gigabytes(machine.memory)}, {free} free", "", data)


def _cuda(machine: Machine) -> Finding:
    if not machine.devices:
        build = f"built for CUDA {machine.cuda_build}" if machine.cuda_build else "built without it"
        return Finding("cuda", "ok", "no device", f"torch is {build}", {"devices": []})
    shown = [
        f"{device.name}, capability {device.capability[0]}.{device.capability[1]}, "
        f"{gigabytes(device.memory)}, {gigabytes(device.free)} free"
        for device in machine.devices
    ]
    reason = f"torch is built for CUDA {machine.cuda_build}"
    return Finding("cuda", "ok", "; ".join(shown), reason, {"devices": shown})


def _attention(placement: Placement) -> Finding:
    if has_varlen(placement.device, placement.dtype):
        value, reason = "variable length", "one call for a whole batch of texts"
    elif placement.device.type == "cpu":
        value = "by groups of equal length"
        reason = f"two products up to {LONGEST_FOR_PRODUCTS:,} tokens, torch's fused kernel above"
    else:
        value, reason = "by groups of equal length", "torch's fused kernel"
    return Finding("attention", "ok", value, reason, {"variable_length": "variable" in value})


def _versions(machine: Machine) -> Finding:
    shown = [f"{name} {found or 'not installed'}" for name, found in machine.versions.items()]
    return Finding("versions", "ok", ", ".join(shown), "", dict(machine.versions))


def _fitting(machine: Machine, placement: Placement) -> Finding:
    on_gpu = placement.device.type == "cuda"
    free = machine.devices[placement.device.index or 0].free if on_gpu else machine.available
    budget = GPU_TOKEN_BUDGET if on_gpu else CPU_TOKEN_BUDGET
    size = placement.dtype.itemsize
    needs = {
        member.name: _needed(member, budget, size, on_gpu=on_gpu)
        for member in FAMILY
        if member.config is not None
    }
    fitting = [f"{name} ({gigabytes(need)})" for name, need in needs.items() if need <= (free or 0)]
    names: dict[str, Datum] = {name: free is None or need <= free for name, need in needs.items()}
    if free is None:
        return Finding("models that fit", "ok", "unknown", "free memory is not told here", names)
    reason = f"weights and working memory against {gigabytes(free)}, for usual texts"
    value = ", ".join(fitting) or "none"
    return Finding("models that fit", "ok" if fitting else "warning", value, reason, names)


def _needed(member: Member, budget: int, size: int, *, on_gpu: bool) -> int:
    """Bytes of a member's weights, and to work with, ``size`` bytes a number."""
    if member.pages is not None:
        run = count_page_parameters(member.pages).run
        tokens = max(budget, PageLimits().image)
        return run * size + usual_bytes(member.pages, tokens, size, on_gpu=on_gpu)
    assert member.config is not None, member.name
    working = working_bytes(member.config, budget, size, longest=LONGEST_FOR_PRODUCTS)
    return count_parameters(member.config) * size + working
