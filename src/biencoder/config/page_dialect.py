"""config.json and processor_config.json of a page model, read into one record and written back.

Where the two disagree, the processor's file is what the reference really uses, so it wins. Where a key
is missing, its class's default is taken only if the published model has that value too: pooling
``last`` and no thumbnail are never filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from biencoder.config.dialects import parse_config, write_d1
from biencoder.config.model import LlamaConfig
from biencoder.config.page_model import PageConfig, VisionConfig
from biencoder.errors import ConfigError

MODEL_TYPE = "llama_nemotron_vl"
TOWER_TYPE = "siglip_vision_model"
# What the published classes take where a config is silent.
_CONTEXT_TOKEN, _RATIO = 128258, 0.5
_PATCH_SIZE, _EPS = 16, 1e-6
# The trunk's own bound where llm_config leaves it out; limits in use are far below it.
_POSITIONS = 131072


def is_page_model(raw: Mapping[str, Any]) -> bool:
    """Whether a config.json is of this family's page model, a reranker of its kind included."""
    return str(raw.get("model_type", "")).startswith(MODEL_TYPE)


def parse_page_config(
    raw: Mapping[str, Any], processor: Mapping[str, Any] | None = None
) -> PageConfig:
    """The record behind the two files; ``processor`` is None where the second is missing.

    Raises ConfigError where a value is missing, contradictory or of a kind not supported here.
    """
    _refuse_other_models(raw)
    _refuse_other_arithmetic(raw)
    stated: dict[str, Any] = {**raw, **(processor or {})}
    vision = _vision(_object(raw, "vision_config"), raw.get("force_image_size"))
    config = PageConfig(
        text=_text(raw),
        vision=vision,
        image_context_token_id=_whole(raw, "img_context_token_id", default=_CONTEXT_TOKEN),
        downsample_ratio=_number(raw, "downsample_ratio", default=_RATIO),
        max_tiles=_whole(stated, "max_input_tiles", default=6),
        thumbnail=_flag(stated, "use_thumbnail", default=True),
        query_tokens=_whole(stated, "q_max_length", default=512),
        query_prefix=_prefix(stated, "query_prefix", "query:"),
        passage_prefix=_prefix(stated, "passage_prefix", "passage:"),
    )
    _agree("image_size", (processor or {}).get("image_size"), vision.image_size)
    for source in (raw, processor or {}):
        _agree("num_image_token", source.get("num_image_token"), config.tokens_per_tile)
    norm = stated.get("norm_type", "siglip")
    if norm != "siglip":
        raise ConfigError(f"norm_type {norm!r} is not supported, only 'siglip'")
    return config


def write_page_config(config: PageConfig, *, head: bool = False) -> dict[str, Any]:
    """config.json as the published checkpoint spells it; ``head``: the pooling head is stored too."""
    vision = config.vision
    tower: dict[str, Any] = {
        "model_type": TOWER_TYPE,
        "hidden_size": vision.hidden_size,
        "intermediate_size": vision.intermediate_size,
        "num_hidden_layers": vision.num_hidden_layers,
        "num_attention_heads": vision.num_attention_heads,
        "num_channels": 3,
        "image_size": vision.image_size,
        "patch_size": vision.patch_size,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": vision.layer_norm_eps,
    }
    return {
        "model_type": MODEL_TYPE,
        "architectures": ["LlamaNemotronVLModel"],
        "llm_config": write_d1(config.text),
        "vision_config": tower if head else tower | {"vision_use_head": False},
        "force_image_size": vision.image_size,
        "downsample_ratio": config.downsample_ratio,
        "select_layer": -1,
        "ps_version": "v2",
        "img_context_token_id": config.image_context_token_id,
        "pooling": config.text.pooling,
        "bidirectional_attention": True,
        "dynamic_image_size": True,
        **_said_by_both(config),
        "torch_dtype": config.text.dtype,
    }


def write_processor_config(config: PageConfig) -> dict[str, Any]:
    """processor_config.json as the published checkpoint spells it."""
    return {
        "image_size": config.tile_size,
        "num_image_token": config.tokens_per_tile,
        "norm_type": "siglip",
        **_said_by_both(config),
    }


def _said_by_both(config: PageConfig) -> dict[str, Any]:
    return {
        "max_input_tiles": config.max_tiles,
        "use_thumbnail": config.thumbnail,
        "q_max_length": config.query_tokens,
        "query_prefix": config.query_prefix,
        "passage_prefix": config.passage_prefix,
    }


def _refuse_other_models(raw: Mapping[str, Any]) -> None:
    quantised = raw.get("quantization_config")
    if quantised:
        kind = quantised.get("quant_algo") or quantised.get("quant_method") or "unknown"
        raise ConfigError(
            f"the checkpoint is quantised ({kind}); its codes are not weights",
            hint="use the unquantised repository: nvidia/llama-nemotron-embed-vl-1b-v2",
        )
    kind = str(raw.get("model_type"))
    names = [kind, *map(str, raw.get("architectures") or [])]
    if any("rerank" in name.lower() or "SequenceClassification" in name for name in names):
        raise ConfigError(
            f"{names[-1]} is a reranker: it scores a query and a page together and has no vectors",
            hint="use the embedding model: nvidia/llama-nemotron-embed-vl-1b-v2",
        )
    if kind != MODEL_TYPE:
        raise ConfigError(f"model_type {kind!r} is no page model; {MODEL_TYPE!r} is one")


def _refuse_other_arithmetic(raw: Mapping[str, Any]) -> None:
    """Every switch that would give other vectors from the same weights."""
    for name, value in (
        ("ps_version", "v2"),
        ("select_layer", -1),
        ("bidirectional_attention", True),
        ("dynamic_image_size", True),
    ):
        if raw.get(name, value) != value:
            raise ConfigError(f"{name}={raw[name]!r} is not supported, only {value!r}")
    language = _object(raw, "llm_config")
    poolings = {str(part["pooling"]) for part in (raw, language) if part.get("pooling")}
    if not poolings or not poolings <= {"avg", "mean"}:
        told = " and ".join(sorted(poolings)) or "not stated"
        raise ConfigError(f"pooling is {told}; the page model's is 'avg', and it must be stated")


def _text(raw: Mapping[str, Any]) -> LlamaConfig:
    language = _object(raw, "llm_config")
    above = {"torch_dtype": raw.get("torch_dtype") or raw.get("dtype"), "pooling": "avg"}
    merged = {"max_position_embeddings": _POSITIONS, **above, **language, "pooling": "avg"}
    # The switch at the top makes a causal description of the trunk bidirectional.
    return parse_config(merged, allow_causal_base=raw.get("bidirectional_attention") is True)


def _vision(raw: Mapping[str, Any], forced: object) -> VisionConfig:
    kind = raw.get("model_type")
    if kind != TOWER_TYPE:
        raise ConfigError(
            f"vision_config.model_type {kind!r} is not supported, only {TOWER_TYPE!r}",
            hint="SigLIP 2 towers with patches of varying size are another network",
        )
    for name, value in (("hidden_act", "gelu_pytorch_tanh"), ("num_channels", 3)):
        if raw.get(name, value) != value:
            raise ConfigError(
                f"vision_config.{name}={raw[name]!r} is not supported, only {value!r}"
            )
    size = _whole(raw, "image_size", of="vision_config")
    _agree("force_image_size", forced, size)
    sizes = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
    return VisionConfig(
        **{name: _whole(raw, name, of="vision_config") for name in sizes},
        image_size=size,
        patch_size=_whole(raw, "patch_size", default=_PATCH_SIZE, of="vision_config"),
        layer_norm_eps=_number(raw, "layer_norm_eps", default=_EPS, of="vision_config"),
    )


def _agree(name: str, stated: object, expected: int) -> None:
    if stated is not None and stated != expected:
        raise ConfigError(
            f"{name} is {stated!r}, and the sizes of the tower give {expected}",
            hint="config.json and processor_config.json do not belong together",
        )


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = raw.get(name)
    if not isinstance(value, Mapping):
        raise ConfigError(f"config.json of a page model needs an object {name}, not {value!r}")
    return value


def _whole(
    raw: Mapping[str, Any], name: str, *, default: int | None = None, of: str = "config.json"
) -> int:
    value = raw.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError(f"{of} needs a whole number {name}, not {value!r}")
    return value


def _number(raw: Mapping[str, Any], name: str, *, default: float, of: str = "config.json") -> float:
    value = raw.get(name, default)
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise ConfigError(f"{of} needs a number {name}, not {value!r}")
    return float(value)


def _flag(raw: Mapping[str, Any], name: str, *, default: bool) -> bool:
    value = raw.get(name, default)
    if not isinstance(value, bool):
        raise ConfigError(f"{name} is {value!r}; it must be true or false")
    return value


def _prefix(raw: Mapping[str, Any], name: str, default: str) -> str:
    value = raw.get(name, default)
    if not isinstance(value, str):
        raise ConfigError(f"{name} is {value!r}, not a text")
    return value.strip()
