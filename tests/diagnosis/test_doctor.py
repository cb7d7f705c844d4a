"""`doctor` gives advice where there is something to say, and none where there is not."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch
from typer.testing import CliRunner

from biencoder.cli.app import app
from biencoder.diagnosis import doctor as doctor_module
from biencoder.diagnosis.advice import advise
from biencoder.diagnosis.ceiling import Ceiling, measure_ceiling
from biencoder.diagnosis.machine import CudaDevice, Machine, read_machine
from tests import tiny

GOOD = Machine(
    processor="a processor",
    physical_cores=4,
    logical_cores=8,
    usable_cores=8.0,
    threads=4,
    load=0.1,
    fast_bfloat16=True,
    memory=32 * 10**9,
    available=30 * 10**9,
    cuda_build=None,
    nvidia_driver=False,
    devices=(),
    versions={"torch": "2.13.0"},
    environment={},
)
T4 = CudaDevice("Tesla T4", (7, 5), 16 * 10**9, 15 * 10**9)


def _ceilings(half: float, full: float) -> list[Ceiling]:
    return [Ceiling("bfloat16", half, 3, 1024), Ceiling("float32", full, 3, 1024)]


def test_a_good_machine_needs_no_advice() -> None:
    assert advise(GOOD, _ceilings(700, 60)) == []


@pytest.mark.parametrize(
    ("machine", "problem", "remedy"),
    [
        (replace(GOOD, fast_bfloat16=False), "no bfloat16", "AVX-512 BF16"),
        (
            replace(GOOD, threads=1, environment={"OMP_NUM_THREADS": "1"}),
            "OMP_NUM_THREADS is 1",
            "Unset OMP_NUM_THREADS",
        ),
        (replace(GOOD, threads=2), "2 threads, but 4 cores", "OMP_NUM_THREADS=4"),
        (replace(GOOD, usable_cores=2.0), "only 2 cores", "OMP_NUM_THREADS=2"),
        (replace(GOOD, load=6.0), "load 6.0 on 8", "again"),
        (replace(GOOD, cuda_build="13.0"), "finds no device", "nvidia-smi"),
        (replace(GOOD, nvidia_driver=True), "without CUDA", "pytorch.org"),
        (replace(GOOD, devices=(T4,), cuda_build="13.0"), "older than compute", "newer GPU"),
        (
            replace(GOOD, environment={"TOKENIZERS_PARALLELISM": "false"}),
            "tokenised on one core",
            "Unset it",
        ),
        (replace(GOOD, environment={"HF_HUB_OFFLINE": "1"}), "local cache", "Unset it"),
    ],
)
def test_each_fault_has_its_advice(machine: Machine, problem: str, remedy: str) -> None:
    advice = advise(machine, _ceilings(700, 60))
    assert len(advice) == 1
    assert problem in advice[0].problem
    assert remedy in advice[0].remedy


def test_a_bfloat16_that_is_slower_than_float32_is_named() -> None:
    (advice,) = advise(GOOD, _ceilings(40, 60))
    assert "40 GFLOP/s against 60" in advice.problem


def test_switches_that_are_off_are_no_fault() -> None:
    off = replace(GOOD, environment={"HF_HUB_OFFLINE": "0", "TOKENIZERS_PARALLELISM": "true"})
    assert advise(off, []) == []


def test_this_machine_can_be_read() -> None:
    machine = read_machine()
    assert 0 < machine.usable_cores <= machine.logical_cores
    assert machine.memory > 0
    assert machine.versions["torch"] is not None
    assert machine.environment["HF_HUB_OFFLINE"] == "1"


def test_a_ceiling_is_measured() -> None:
    config = tiny.SHAPES["1b"]
    ceiling = measure_ceiling(
        torch.device("cpu"), torch.float32, tokens=16, config=config, seconds=0.01
    )
    assert ceiling.gigaflops > 0
    assert ceiling.passes > 0
    # 73,728 products a token, three layers: 130 tokens cost 0.0383 GFLOP.
    expected = ceiling.gigaflops / (2 * 3 * 36_864 * 130 / 1e9)
    assert ceiling.documents_per_second(config) == pytest.approx(expected)


def test_json_is_one_document(monkeypatch: pytest.MonkeyPatch) -> None:
    def quick(device: torch.device, dtype: torch.dtype, *, tokens: int) -> Ceiling:
        return Ceiling(str(dtype).removeprefix("torch."), 100.0, 1, tokens)

    monkeypatch.setattr(doctor_module, "measure_ceiling", quick)
    result = CliRunner().invoke(app, ["doctor", "--json"])
    assert result.exit_code == 0
    checks = {finding["check"]: finding for finding in json.loads(result.stdout)["findings"]}
    assert checks["bfloat16 products"]["data"]["gigaflops"] == 100.0
    # tests/conftest.py sets HF_HUB_OFFLINE, so there is advice.
    assert "advice 1" in checks
    assert "processor" in CliRunner().invoke(app, ["doctor"]).stdout
