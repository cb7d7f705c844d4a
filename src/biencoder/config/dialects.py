"""config.json in all the spellings that are in use, read into one record and written back.

D1 remote-code style · D2 patched · D3 saved by transformers 5 · D4 deployable export ·
D5 quantised (refused) · D6 adapter folder (see `config/adapter.py`). ``auto_map`` is never followed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, TypeAlias

from biencoder.config.model import LlamaConfig, Pooling, RopeScaling
from biencoder.errors import ConfigError

Dialect: TypeAlias = Literal["D1", "D2", "D3", "D4", "causal base"]

_SCALING_FIELDS = (
    "factor",
    "low_freq_factor",
    "high_freq_factor",
    "original_max_position_embeddings",
)
_POOLING_NAMES: dict[str, Pooling] = {"avg": "avg", "mean": "avg", "cls": "cls", "last": "last"}


def read_json(path: Path) -> dict[str, Any]:
    """One JSON object from a file; anything else is an error that names the file."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path.parent} holds no {path.name}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not readable JSON: {error}") from error
    if not isinstance(value, dict):
        raise ConfigError(f"{path} holds a {type(value).__name__}, not a JSON object")
    return value


def parse_config(raw: Mapping[str, Any], *, allow_causal_base: bool = False) -> LlamaConfig:
    """The record behind a config.json of dialect D1 to D4.

    ``allow_causal_base`` accepts a plain causal Llama as the start of a bidirectional encoder.
    Raises ConfigError where a value is missing, contradictory or of a kind not supported here.
    """
    _refuse_other_models(raw)
    if detect_dialect(raw) == "causal base" and not allow_causal_base:
        raise ConfigError(
            "this is a causal Llama: nothing in config.json says that it is an embedding model",
            hint='an embedding checkpoint has model_type "llama_bidirec" or "is_causal": false; '
            "to read a base model as an encoder, pass allow_causal_base=True",
        )
    hidden, heads = _whole(raw, "hidden_size"), _whole(raw, "num_attention_heads")
    if raw.get("head_dim") is None and hidden % heads:
        raise ConfigError(
            f"hidden_size={hidden} is no multiple of num_attention_heads={heads} and head_dim is not given"
        )
    theta, scaling = _rope(raw)
    return LlamaConfig(
        vocab_size=_whole(raw, "vocab_size"),
        hidden_size=hidden,
        intermediate_size=_whole(raw, "intermediate_size"),
        num_hidden_layers=_whole(raw, "num_hidden_layers"),
        num_attention_heads=heads,
        num_key_value_heads=_whole(raw, "num_key_value_heads", default=heads),
        head_dim=_whole(raw, "head_dim", default=hidden // heads),
        rms_norm_eps=_number(raw, "rms_norm_eps"),
        rope_theta=theta,
        rope_scaling=scaling,
        max_position_embeddings=_whole(raw, "max_position_embeddings"),
        bos_token_id=_token(raw, "bos_token_id"),
        eos_token_id=_token(raw, "eos_token_id"),
        pad_token_id=_token(raw, "pad_token_id"),
        pooling=_pooling(raw),
        dtype=str(raw.get("dtype") or raw.get("torch_dtype") or "bfloat16").removeprefix("torch."),
    )


def detect_dialect(raw: Mapping[str, Any]) -> Dialect:
    """Which spelling a config.json uses."""
    if raw.get("model_type") == "llama_bidirec":
        if "rope_parameters" in raw:
            return "D3"
        return "D2" if raw.get("use_bidirectional_attention") else "D1"
    if raw.get("is_causal") is False or raw.get("use_bidirectional_attention") is True:
        return "D4"
    return "causal base"


def write_d1(config: LlamaConfig) -> dict[str, Any]:
    """config.json as the published checkpoints spell it."""
    raw = _sizes(config) | {
        "model_type": "llama_bidirec",
        "architectures": ["LlamaBidirectionalModel"],
        "rope_theta": config.rope_theta,
        "torch_dtype": config.dtype,
    }
    if config.rope_scaling is not None:
        raw["rope_scaling"] = _scaling_dict(config.rope_scaling)
    return raw


def write_d4(config: LlamaConfig) -> dict[str, Any]:
    """config.json that stock transformers (from 5.2) and sentence-transformers read rightly."""
    rope: dict[str, Any] = {"rope_type": "default"}
    if config.rope_scaling is not None:
        rope = _scaling_dict(config.rope_scaling)
    return _sizes(config) | {
        "model_type": "llama",
        "architectures": ["LlamaModel"],
        "is_causal": False,
        "rope_parameters": {**rope, "rope_theta": config.rope_theta},
        "dtype": config.dtype,
    }


def _sizes(config: LlamaConfig) -> dict[str, Any]:
    names = (
        "vocab_size",
        "hidden_size",
        "intermediate_size",
        "num_hidden_layers",
        "num_attention_heads",
        "num_key_value_heads",
        "head_dim",
        "rms_norm_eps",
        "max_position_embeddings",
        "bos_token_id",
        "eos_token_id",
        "pad_token_id",
        "pooling",
    )
    return {name: getattr(config, name) for name in names} | {
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "attention_dropout": 0.0,
        "tie_word_embeddings": False,
        "use_cache": False,
    }


def _scaling_dict(scaling: RopeScaling) -> dict[str, Any]:
    return {"rope_type": "llama3"} | {name: getattr(scaling, name) for name in _SCALING_FIELDS}


def _refuse_other_models(raw: Mapping[str, Any]) -> None:
    quantised = raw.get("quantization_config")
    if quantised:
        kind = quantised.get("quant_algo") or quantised.get("quant_method") or "unknown"
        raise ConfigError(
            f"the checkpoint is quantised ({kind}); its codes are not weights",
            hint="use the unquantised repository of the same model",
        )
    architectures = raw.get("architectures") or []
    if any("SequenceClassification" in name for name in architectures):
        raise ConfigError(
            f"{architectures[0]} is a reranker: it scores a query and a document together and has no vectors",
            hint="use the embedding model of the family, for example llama-nemotron-embed-1b-v2",
        )
    model_type = raw.get("model_type")
    if model_type not in ("llama_bidirec", "llama"):
        raise ConfigError(
            f"model_type {model_type!r} is not one that biencoder reads",
            hint='it reads "llama_bidirec" and "llama" with "is_causal": false; '
            "`biencoder models` lists the family",
        )
    activation = raw.get("hidden_act", "silu")
    if activation != "silu":
        raise ConfigError(f"hidden_act {activation!r} is not supported, only 'silu'")
    for name in ("attention_bias", "mlp_bias"):
        if raw.get(name):
            raise ConfigError(f"{name} is true; models of this family have no biases")


def _rope(raw: Mapping[str, Any]) -> tuple[float, RopeScaling | None]:
    parameters, scaling = raw.get("rope_parameters"), raw.get("rope_scaling")
    if parameters and scaling and dict(parameters) != dict(scaling):
        raise ConfigError(
            "config.json holds rope_parameters and rope_scaling, and they differ",
            hint="remove the one that is not the model's",
        )
    rope: Mapping[str, Any] = parameters or scaling or {}
    # Both spellings may carry theta; the inner one is the one that transformers uses.
    theta = rope.get("rope_theta", raw.get("rope_theta"))
    if not isinstance(theta, (int, float)) or isinstance(theta, bool):
        raise ConfigError("config.json has no rope_theta; guessing one would give wrong vectors")
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return float(theta), None
    if kind != "llama3":
        raise ConfigError(f"rope_type {kind!r} is not supported, only 'llama3' and 'default'")
    return float(theta), RopeScaling(
        factor=_number(rope, "factor"),
        low_freq_factor=_number(rope, "low_freq_factor"),
        high_freq_factor=_number(rope, "high_freq_factor"),
        original_max_position_embeddings=_whole(rope, "original_max_position_embeddings"),
    )


def _pooling(raw: Mapping[str, Any]) -> Pooling:
    name = raw.get("pooling", "avg")
    if name not in _POOLING_NAMES:
        raise ConfigError(f"pooling {name!r} is not one of {', '.join(_POOLING_NAMES)}")
    return _POOLING_NAMES[name]


def _whole(raw: Mapping[str, Any], name: str, *, default: int | None = None) -> int:
    value = raw.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"config.json needs a whole number {name}, not {value!r}")
    return value


def _number(raw: Mapping[str, Any], name: str) -> float:
    value = raw.get(name)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ConfigError(f"config.json needs a number {name}, not {value!r}")
    return float(value)


def _token(raw: Mapping[str, Any], name: str) -> int | None:
    value = raw.get(name)
    if isinstance(value, list):
        value = value[0] if value else None
    return value if isinstance(value, int) else None
