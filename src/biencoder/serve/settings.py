"""What the service was told at its start; every default is written here, once."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

WireRole: TypeAlias = Literal["query", "passage"]
DimensionsPolicy: TypeAlias = Literal["strict", "nim1"]
QuantisedBase64: TypeAlias = Literal["arrays", "bytes", "reject"]
LogLevel: TypeAlias = Literal["debug", "info", "warning", "error"]
LogFormat: TypeAlias = Literal["json", "text"]
Warmup: TypeAlias = Literal["none", "short", "full"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Times in seconds, sizes in bytes. Source of names and limits: docs of the NIM, http-api facts."""

    models: tuple[str, ...] = ("mini",)
    aliases: tuple[tuple[str, str], ...] = ()
    # The first answers where a request names none; others stand beside it on the page.
    index: tuple[Path, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    # Never shown, not even in a traceback.
    api_keys: tuple[str, ...] = field(default=(), repr=False)
    default_input_type: WireRole | None = None
    dimensions_policy: DimensionsPolicy = "strict"
    quantised_base64: QuantisedBase64 = "arrays"
    strict_fields: bool = False
    any_model: bool = False
    list_aliases: bool = False
    ranking: bool = False
    max_client_batch: int = 2048
    max_body_bytes: int = 32 * 1024 * 1024
    max_image_bytes: int = 20 * 1024 * 1024
    max_tokens: int | None = None
    token_budget: int | None = None
    max_queued_tokens: int | None = None
    request_timeout: float = 120.0
    body_timeout: float = 30.0
    drain_timeout: float = 30.0
    warmup: Warmup = "full"
    dtype: str = "auto"
    device: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    cors_origin: str | None = None
    tls_cert: Path | None = None
    tls_key: Path | None = None
    feedback: Path | None = None
    log_level: LogLevel = "info"
    log_format: LogFormat = "text"
    otel: bool = False
