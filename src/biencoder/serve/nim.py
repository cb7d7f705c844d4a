"""The environment of a NIM's container, both generations, in this service's settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

# Variable to setting, weaker first: where both generations are set, the newer name wins.
_PLAIN = {
    "NIM_HTTP_API_PORT": "port",
    "NIM_TRITON_MAX_SEQ_LENGTH": "max_tokens",
    "NIM_PIPELINE_MAX_SEQ_LEN": "max_tokens",
    "NIM_HTTP_BODY_LIMIT_BYTES": "max_body_bytes",
    "NIM_SERVER_HTTP_BODY_LIMIT_BYTES": "max_body_bytes",
    "NIM_MAX_IMAGE_BYTES": "max_image_bytes",
    "NIM_SERVER_MAX_IMAGE_BYTES": "max_image_bytes",
    "NIM_ENGINE_MODEL_NAME": "models",
    "NIM_ENGINE_MODEL_PATH": "models",
    "NIM_ENABLE_OTEL": "otel",
}

# Known, and without meaning here: variable to the reason that a person is told.
_WITHOUT_MEANING = {
    "NIM_HTTP_MAX_WORKERS": "one process serves a model",
    "NIM_NUM_TOKENIZERS": "tokenising has one thread for each model",
    "NIM_NUM_MODEL_INSTANCES": "there is one instance of each model",
    "NIM_ENGINE_COUNT": "there is one instance of each model",
    "NIM_TRITON_MAX_BATCH_SIZE": "a batch is bounded in tokens: BIENCODER_TOKEN_BUDGET",
    "NIM_PIPELINE_MAX_BATCH_SIZE": "a batch is bounded in tokens: BIENCODER_TOKEN_BUDGET",
    "NIM_TRITON_PERFORMANCE_MODE": "an idle engine never waits, a busy one packs what has come",
    "NIM_PERFORMANCE_MODE": "an idle engine never waits, a busy one packs what has come",
    "NIM_SERVER_MAX_WAIT_MS": "an idle engine never waits",
    "NIM_MAX_WAIT_MS": "an idle engine never waits",
    "NIM_SERVER_GRPC_BIND_ADDR": "there is no gRPC here",
    "NIM_GRPC_BIND_ADDR": "there is no gRPC here",
    "NIM_MODEL_PROFILE": "a matter of NIM's container",
    "NIM_ENGINE_MODEL_DOWNLOAD_PROVIDER": "a matter of NIM's container",
}

_LEVELS = {"trace": "debug", "warn": "warning", "critical": "error", "fatal": "error"}
_FORMATS = {"json": "json", "pretty": "text", "compact": "text"}
_PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16", "auto": "auto"}


@dataclass(kw_only=True, slots=True)
class NimValues:
    """What was found. served_name: one more name for the first model; cache: of the hub's files."""

    settings: dict[str, Any] = field(default_factory=dict)
    origins: dict[str, str] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    served_name: str | None = None

    def take(self, setting: str, value: Any, origin: str) -> None:
        """Note a setting and its variable."""
        self.settings[setting] = value
        self.origins[setting] = origin


def read(environ: Mapping[str, str]) -> NimValues:
    """Settings that a NIM's environment gives; an empty variable counts as not set."""
    found = NimValues(served_name=environ.get("NIM_SERVED_MODEL_NAME") or None)
    for name, setting in _PLAIN.items():
        if environ.get(name):
            found.take(setting, environ[name], name)
    for name, translate in _TRANSLATED.items():
        if environ.get(name):
            translate(found, name, environ[name])
    for name, reason in _WITHOUT_MEANING.items():
        if environ.get(name):
            found.notices.append(f"{name} is ignored: {reason}")
    return found


def cache_folder(environ: Mapping[str, str]) -> str | None:
    """NIM_CACHE_PATH, unless the hub's own variables say where files are kept."""
    if environ.get("HF_HOME") or environ.get("HF_HUB_CACHE"):
        return None
    return environ.get("NIM_CACHE_PATH") or None


def _address(found: NimValues, name: str, value: str) -> None:
    host, colon, port = value.rpartition(":")
    found.take("host", (host if colon else value).strip("[]"), name)
    if colon:
        found.take("port", port, name)


def _level(found: NimValues, name: str, value: str) -> None:
    # RUST_LOG may name modules: info,tower=warn. The bare word is the level of all.
    bare = [part.strip().lower() for part in value.split(",") if "=" not in part]
    if bare:
        found.take("log_level", _LEVELS.get(bare[0], bare[0]), name)


def _format(found: NimValues, name: str, value: str) -> None:
    found.take("log_format", _FORMATS.get(value.lower(), value), name)


def _jsonl(found: NimValues, name: str, value: str) -> None:
    found.take("log_format", "json" if value.lower() in ("1", "true") else "text", name)


def _precision(found: NimValues, name: str, value: str) -> None:
    dtype = _PRECISIONS.get(value.lower())
    if dtype is None:
        found.notices.append(f"{name}={value} is ignored: offered are {', '.join(_PRECISIONS)}")
    else:
        found.take("dtype", dtype, name)


_TRANSLATED: dict[str, Callable[[NimValues, str, str], None]] = {
    "NIM_BIND_ADDR": _address,
    "NIM_SERVER_BIND_ADDR": _address,
    "RUST_LOG": _level,
    "NIM_LOG_LEVEL": _level,
    "NIM_JSONL_LOGGING": _jsonl,
    "LOG_FORMAT": _format,
    "NIM_ENGINE_PRECISION": _precision,
}

KNOWN = frozenset(
    {*_PLAIN, *_TRANSLATED, *_WITHOUT_MEANING, "NIM_SERVED_MODEL_NAME", "NIM_CACHE_PATH"}
)
