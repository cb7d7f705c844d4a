"""`check` passes what is right, and names what is wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn import functional as F
from typer.testing import CliRunner

from biencoder.cli.app import app
from biencoder.config.family import NEMOTRON_1B
from biencoder.diagnosis import cost
from biencoder.diagnosis.card import card_scores, compare
from biencoder.diagnosis.check import check, examine
from biencoder.diagnosis.findings import Finding, has_failed
from biencoder.diagnosis.golden import CARD_SAMPLES, CardSample
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.random_checkpoint import write_random_checkpoint
from biencoder.errors import InputError, UnknownModelError
from biencoder.models import attention, llama
from biencoder.models.packed import Group, Packed
from tests import tiny

RUNNER = CliRunner()


@pytest.fixture(autouse=True)
def _short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_SECONDS", 0.05)


def _by_name(findings: Iterator[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def _failed(findings: dict[str, Finding]) -> set[str]:
    return {name for name, finding in findings.items() if finding.state == "failed"}


@pytest.mark.parametrize("shape", tiny.SHAPES)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_right_checkpoint_passes(checkpoints: dict[str, Path], shape: str, dtype: str) -> None:
    findings = _by_name(check(str(checkpoints[shape]), dtype=dtype))
    assert _failed(findings) == set()
    assert findings["dialect"].value == "D1"
    assert findings["tensors"].data["tensors"] == 9 * tiny.SHAPES[shape].num_hidden_layers + 2
    assert "cosine" in findings["transformers"].data


def test_random_weights_are_said_plainly(tmp_path: Path) -> None:
    config = replace(tiny.SHAPES["1b"], vocab_size=300, bos_token_id=256, eos_token_id=257)
    write_random_checkpoint(NEMOTRON_1B, tmp_path / "random", seed=1, config=config)
    findings = _by_name(check(str(tmp_path / "random"), dtype="float32"))
    assert not _failed(findings)
    assert findings["weights"].state == "warning"
    assert findings["weights"].value == "random numbers"
    # The member is known from biencoder.json, but cut down: the table's count must be shown.
    assert findings["stored parameters"].state == "warning"
    assert "1,235,814,400" in findings["stored parameters"].reason


def test_causal_attention_fails(model: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    def causal(q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, packed: Packed) -> Tensor:
        parts = []
        for q, k, v in zip(*map(packed.split, (q_TNH, k_TKH, v_TKH)), strict=True):
            a, b, c = (x.transpose(1, 2) for x in (q, k, v))
            out = F.scaled_dot_product_attention(a, b, c, is_causal=True, enable_gqa=True)
            parts.append(out.transpose(1, 2).flatten(0, 1))
        return torch.cat(parts)

    monkeypatch.setattr(llama, "attend", causal)
    findings = _by_name(examine(model))
    assert _failed(findings) == {"bidirectional", "transformers"}
    assert findings["bidirectional"].data["move"] == 0.0


def test_attention_across_texts_fails(model: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    right = attention.attend

    def leaking(q_TNH: Tensor, k_TKH: Tensor, v_TKH: Tensor, packed: Packed) -> Tensor:
        whole = replace(packed, groups=(Group(1, len(q_TNH)),))
        return right(q_TNH, k_TKH, v_TKH, whole)

    monkeypatch.setattr(llama, "attend", leaking)
    assert "alone, in company" in _failed(_by_name(examine(model)))


def test_wrong_rotary_frequencies_fail(folder: Path) -> None:
    model = Embedder.load(folder, dtype="float32")
    model.trunk.rotary.frequencies = model.trunk.rotary.frequencies * 1.001
    finding = _by_name(examine(model))["transformers"]
    assert finding.state == "failed"
    assert "rotary frequencies" in finding.reason


def test_vectors_that_are_not_finite_fail(folder: Path) -> None:
    model = Embedder.load(folder, dtype="float32")
    model.trunk.norm.weight[3] = float("nan")
    findings = _by_name(examine(model))
    assert {"vectors", "alone, in company", "transformers", "bidirectional"} <= _failed(findings)
    assert "NaN or infinity" in findings["vectors"].reason


def test_vectors_of_length_zero_fail(folder: Path) -> None:
    model = Embedder.load(folder, dtype="float32")
    model.trunk.norm.weight.zero_()
    assert {"vectors", "alone, in company", "bidirectional"} <= _failed(_by_name(examine(model)))


def test_a_tokenizer_that_adds_eos_fails(folder: Path) -> None:
    path = folder / "tokenizer.json"
    tokenizer = json.loads(path.read_text(encoding="utf-8"))
    bos, eos = "<|begin_of_text|>", "<|end_of_text|>"
    single = tokenizer["post_processor"]["single"]
    single.append({"SpecialToken": {"id": eos, "type_id": 0}})
    specials = {bos: tiny.BOS, eos: tiny.EOS}
    tokenizer["post_processor"]["special_tokens"] = {
        name: {"id": name, "ids": [index], "tokens": [name]} for name, index in specials.items()
    }
    path.write_text(json.dumps(tokenizer), encoding="utf-8")
    findings = _by_name(check(str(folder), dtype="float32"))
    assert _failed(findings) == {"tokenizer"}
    assert "EOS" in findings["tokenizer"].reason


def test_a_missing_tensor_ends_in_a_failed_line(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["layers.2.mlp.up_proj.weight"]
    save_file(tensors, folder / "model.safetensors")
    findings = _by_name(check(str(folder)))
    assert findings["tensors"].state == "failed"
    assert "loading" not in findings


def test_a_misshapen_tensor_ends_in_a_failed_line(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    tensors["norm.weight"] = torch.ones(63)
    save_file(tensors, folder / "model.safetensors")
    finding = _by_name(check(str(folder)))["loading"]
    assert finding.state == "failed"
    assert "(63,)" in finding.reason


def test_a_causal_base_ends_in_a_failed_line(folder: Path) -> None:
    tiny.edit_json(folder / "config.json", model_type="llama")
    findings = list(check(str(folder)))
    assert [finding.name for finding in findings] == ["dialect"]
    assert "causal Llama" in findings[0].reason


def test_an_adapter_is_checked_over_its_base(folder: Path, tmp_path: Path) -> None:
    adapter = tmp_path / "adapter"
    raw = {"peft_type": "LORA", "base_model_name_or_path": str(folder), "r": 2, "lora_alpha": 4}
    tiny.write_json(adapter / "adapter_config.json", raw)
    name = "base_model.model.layers.0.self_attn.q_proj.lora_{}.weight"
    halves = {name.format("A"): torch.ones(2, 64), name.format("B"): torch.ones(64, 2) * 0.01}
    save_file(halves, adapter / "adapter_model.safetensors")
    findings = _by_name(check(str(adapter), dtype="float32"))
    assert _failed(findings) == set()
    assert findings["dialect"].value == "D6 over D1"


def test_without_transformers_nothing_is_compared(
    model: Embedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(package: str) -> str:
        raise PackageNotFoundError(package)

    monkeypatch.setattr("biencoder.diagnosis.parity.version", version)
    finding = _by_name(examine(model))["transformers"]
    assert (finding.state, finding.value) == ("ok", "not installed: not compared")


def test_a_busy_machine_is_named(model: Embedder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "_share", lambda worked, seconds: 0.4)
    finding = cost.hours(model, 1000)
    assert finding.state == "warning"
    assert "40% of the cores" in finding.reason


def test_nothing_to_check_is_an_error(folder: Path) -> None:
    with pytest.raises(UnknownModelError):
        list(check("no-such-model"))
    with pytest.raises(InputError):
        list(check(str(folder), documents=0))


def test_hours_grow_with_the_documents(model: Embedder) -> None:
    finding = cost.hours(model, 3_600_000)
    hours, rate = finding.data["hours"], finding.data["documents_per_second"]
    assert isinstance(hours, float)
    assert isinstance(rate, float)
    assert hours == pytest.approx(1000 / rate)


def test_working_memory_is_counted_by_hand() -> None:
    # 10 tokens of 4 bytes: 4 x 64 for the stream, and heads 2 x (4 + 2 x 2) x 16 with scores
    # 2 x 4 x 20, which are wider than the feed-forward's 3 x 128.
    config = tiny.SHAPES["1b"]
    assert cost.working_bytes(config, 10, 4, longest=20) == 10 * 4 * (256 + 256 + 160)
    assert cost.working_bytes(config, 10, 4, longest=8192) == 10 * 4 * (256 + 384)


def test_card_scores_are_only_for_published_weights(model: Embedder) -> None:
    assert card_scores(model).value == "not compared"


def test_card_scores_agree_or_fail(model: Embedder) -> None:
    queries, documents = ("river",), ("the lake", "a bend")
    ours = model.similarity(model.encode_queries(queries), model.encode_documents(documents))
    right = CardSample(queries, documents, (tuple(ours[0].tolist()),), "here")
    wrong = replace(right, scores=((float(ours[0, 0]) + 0.01, float(ours[0, 1])),))
    assert compare(model, right).state == "ok"
    assert compare(model, wrong).state == "failed"


def test_card_samples_have_a_score_for_every_pair() -> None:
    for sample in CARD_SAMPLES.values():
        assert len(sample.scores) == len(sample.queries)
        assert {len(row) for row in sample.scores} == {len(sample.documents)}


def test_json_is_one_document(folder: Path) -> None:
    result = RUNNER.invoke(app, ["check", str(folder), "--json", "--dtype", "float32"])
    assert result.exit_code == 0
    document = json.loads(result.stdout)
    assert document["passed"] is True
    assert {"check", "state", "value", "reason", "data"} == set(document["findings"][0])


def test_the_verb_prints_lines_and_fails_with_1(folder: Path) -> None:
    right = RUNNER.invoke(app, ["check", str(folder), "--dtype", "float32"])
    assert right.exit_code == 0
    assert "transformers" in right.stdout
    tiny.edit_json(folder / "config.json", rope_theta=None)
    wrong = RUNNER.invoke(app, ["check", str(folder)])
    assert wrong.exit_code == 1
    assert wrong.stdout.startswith("failed   dialect")
    assert "rope_theta" in wrong.stdout


def test_a_failure_among_findings_is_seen() -> None:
    fine, bad = Finding("a", "ok", "1"), Finding("b", "failed", "2")
    assert has_failed([fine, bad])
    assert not has_failed([fine, Finding("c", "warning", "3")])
