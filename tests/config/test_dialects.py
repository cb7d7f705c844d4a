"""config.json in its four spellings is one record; what must not be guessed is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests import tiny

from biencoder.config.dialects import detect_dialect, parse_config, read_json, write_d1, write_d4
from biencoder.embedder.embedder import Embedder
from biencoder.errors import ConfigError

CONFIG = tiny.SHAPES["1b"]
ROPE = {
    "factor": 32.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
SIZES: dict[str, Any] = {
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "max_position_embeddings": 4096,
    "bos_token_id": 298,
    "eos_token_id": 299,
    "hidden_act": "silu",
}
# As the project's notes print them; written here by hand, not by our writer.
DIALECTS: dict[str, dict[str, Any]] = {
    "D1": SIZES
    | {
        "model_type": "llama_bidirec",
        "architectures": ["LlamaBidirectionalModel"],
        "auto_map": {"AutoModel": "llama_bidirectional_model.LlamaBidirectionalModel"},
        "pooling": "avg",
        "temperature": 1.0,
        "rope_theta": 500000.0,
        "rope_scaling": {"rope_type": "llama3", **ROPE},
        "torch_dtype": "float32",
    },
    "D2": SIZES
    | {
        "model_type": "llama_bidirec",
        "use_bidirectional_attention": True,
        "pooling": "avg",
        "rope_theta": 500000.0,
        "rope_scaling": {"rope_type": "llama3", "rope_theta": 500000.0, **ROPE},
        "torch_dtype": "float32",
    },
    "D3": SIZES
    | {
        "model_type": "llama_bidirec",
        "pooling": "avg",
        "rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, **ROPE},
        "dtype": "float32",
    },
    "D4": SIZES
    | {
        "model_type": "llama",
        "architectures": ["LlamaModel"],
        "is_causal": False,
        "pooling": "avg",
        "rope_parameters": {"rope_type": "llama3", "rope_theta": 500000.0, **ROPE},
        "dtype": "float32",
    },
}


def without(raw: dict[str, Any], *names: str) -> dict[str, Any]:
    return {key: value for key, value in raw.items() if key not in names}


@pytest.mark.parametrize("dialect", DIALECTS)
def test_all_dialects_say_the_same_model(dialect: str) -> None:
    assert parse_config(DIALECTS[dialect]) == CONFIG
    assert detect_dialect(DIALECTS[dialect]) == dialect


def test_the_same_weights_under_all_dialects_give_bit_identical_vectors(tmp_path: Path) -> None:
    vectors = []
    for dialect, raw in DIALECTS.items():
        folder = tiny.write_checkpoint(tmp_path / dialect, raw=raw)
        model = Embedder.load(folder, dtype="float32", device="cpu")
        vectors.append(model.encode_documents(tiny.TEXTS).tobytes())
    assert len(set(vectors)) == 1


@pytest.mark.parametrize("shape", tiny.SHAPES)
def test_what_is_written_is_read_back(shape: str) -> None:
    config = tiny.SHAPES[shape]
    assert parse_config(write_d1(config)) == config
    assert parse_config(write_d4(config)) == config
    plain = replace(config, rope_scaling=None, pooling="last")
    assert parse_config(write_d1(plain)) == plain
    assert parse_config(write_d4(plain)) == plain


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_config_without_theta_fails(dialect: str) -> None:
    raw = without(DIALECTS[dialect], "rope_theta")
    for key in ("rope_scaling", "rope_parameters"):
        if key in raw:
            raw[key] = without(raw[key], "rope_theta")
    with pytest.raises(ConfigError, match="no rope_theta"):
        parse_config(raw)


@pytest.mark.parametrize("number", ROPE)
def test_a_llama3_rope_without_one_of_its_four_numbers_fails_and_names_it(number: str) -> None:
    raw = DIALECTS["D1"] | {"rope_scaling": without({"rope_type": "llama3", **ROPE}, number)}
    with pytest.raises(ConfigError, match=number):
        parse_config(raw)


def test_theta_inside_the_rope_dict_beats_the_top_level() -> None:
    inner = {"rope_type": "llama3", "rope_theta": 500000.0, **ROPE}
    assert parse_config(DIALECTS["D1"] | {"rope_theta": 1e4, "rope_scaling": inner}) == CONFIG


def test_the_old_word_type_is_read_as_rope_type() -> None:
    assert parse_config(DIALECTS["D1"] | {"rope_scaling": {"type": "llama3", **ROPE}}) == CONFIG


@pytest.mark.parametrize("kind", ["yarn", "dynamic", "linear", "longrope"])
def test_another_rope_type_is_refused_not_ignored(kind: str) -> None:
    with pytest.raises(ConfigError, match=kind):
        parse_config(DIALECTS["D1"] | {"rope_scaling": {"rope_type": kind, **ROPE}})


def test_two_rope_dicts_that_differ_are_refused() -> None:
    raw = DIALECTS["D3"] | {"rope_scaling": {"rope_type": "llama3", **ROPE, "factor": 8.0}}
    with pytest.raises(ConfigError, match="they differ"):
        parse_config(raw)


def test_missing_head_sizes_take_their_meaning_from_the_rest() -> None:
    config = parse_config(without(DIALECTS["D1"], "head_dim", "num_key_value_heads"))
    assert (config.head_dim, config.num_key_value_heads) == (16, 4)
    with pytest.raises(ConfigError, match="head_dim"):
        parse_config(without(DIALECTS["D1"], "head_dim") | {"num_attention_heads": 6})


def test_an_eos_list_gives_its_first_and_a_null_pad_none() -> None:
    config = parse_config(DIALECTS["D1"] | {"eos_token_id": [299, 298], "pad_token_id": None})
    assert (config.eos_token_id, config.pad_token_id) == (299, None)


@pytest.mark.parametrize(("name", "pooling"), [("avg", "avg"), ("mean", "avg"), ("cls", "cls")])
def test_pooling_names_are_read(name: str, pooling: str) -> None:
    assert parse_config(DIALECTS["D1"] | {"pooling": name}).pooling == pooling


@pytest.mark.parametrize("name", ["weighted_avg", "colbert", None])
def test_an_unknown_pooling_is_refused(name: str | None) -> None:
    with pytest.raises(ConfigError, match="pooling"):
        parse_config(DIALECTS["D1"] | {"pooling": name})


def test_a_causal_llama_is_an_encoder_only_on_request() -> None:
    raw = without(DIALECTS["D4"], "is_causal")
    with pytest.raises(ConfigError, match="causal"):
        parse_config(raw)
    assert parse_config(raw, allow_causal_base=True) == CONFIG


@pytest.mark.parametrize("value", [True, None, 0])
def test_only_a_plain_false_makes_a_llama_bidirectional(value: object) -> None:
    with pytest.raises(ConfigError, match="causal"):
        parse_config(DIALECTS["D4"] | {"is_causal": value})


def test_a_reranker_is_refused_as_one() -> None:
    raw = DIALECTS["D1"] | {"architectures": ["LlamaBidirectionalForSequenceClassification"]}
    with pytest.raises(ConfigError, match="reranker"):
        parse_config(raw)


@pytest.mark.parametrize(
    "quantisation",
    [
        {"quant_method": "modelopt", "quant_algo": "FP8"},
        {"quant_method": "modelopt", "quant_algo": "NVFP4"},
        {"quant_method": "bitsandbytes"},
    ],
)
def test_a_quantised_checkpoint_is_refused_and_its_format_named(
    quantisation: dict[str, str],
) -> None:
    named = quantisation.get("quant_algo", quantisation["quant_method"])
    with pytest.raises(ConfigError, match=named):
        parse_config(DIALECTS["D1"] | {"quantization_config": quantisation})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model_type": "mistral"}, "mistral"),
        ({"model_type": None}, "None"),
        ({"hidden_act": "gelu"}, "gelu"),
        ({"attention_bias": True}, "attention_bias"),
        ({"mlp_bias": True}, "mlp_bias"),
        ({"hidden_size": "64"}, "hidden_size"),
        ({"num_hidden_layers": True}, "num_hidden_layers"),
        ({"vocab_size": 0}, "vocab_size=0"),
        ({"num_key_value_heads": 3}, "num_key_value_heads=3"),
        ({"head_dim": 15}, "head_dim=15"),
        ({"rms_norm_eps": 0}, "rms_norm_eps"),
        ({"rope_theta": -1.0}, "rope_theta"),
        ({"rope_scaling": {"rope_type": "llama3", **ROPE, "factor": 0.5}}, "factor=0.5"),
        ({"rope_scaling": {"rope_type": "llama3", **ROPE, "low_freq_factor": 9.0}}, "low_freq"),
    ],
)
def test_an_impossible_value_is_refused_and_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(DIALECTS["D1"] | change)


def test_a_file_that_is_no_json_object_is_an_error_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    with pytest.raises(ConfigError, match=r"holds no config\.json"):
        read_json(path)
    path.write_text("{not json")
    with pytest.raises(ConfigError, match=r"config\.json is not readable"):
        read_json(path)
    path.write_text("[1]")
    with pytest.raises(ConfigError, match="a list, not a JSON object"):
        read_json(path)
    path.write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ConfigError, match="not readable"):
        read_json(path)
