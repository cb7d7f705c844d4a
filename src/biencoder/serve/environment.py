"""Settings from the command line, the environment, and their defaults, each with where it came from.

Precedence: command line, ``BIENCODER_*``, ``NIM_*`` and what else a NIM's container reads, default.
A NIM name that has no meaning here is told, never silently dropped.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, get_args

from biencoder.errors import InputError
from biencoder.serve import nim
from biencoder.serve.settings import (
    DimensionsPolicy,
    LogFormat,
    LogLevel,
    QuantisedBase64,
    Settings,
    Warmup,
)

PREFIX = "BIENCODER_"
MASK = "********"

# A variable is a field's name in capitals; these say it better in the singular.
_OWN_NAMES = {
    "models": "MODEL",
    "aliases": "ALIAS",
    "api_keys": "API_KEY",
    "allowed_hosts": "ALLOWED_HOST",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Resolved:
    """The settings; ``origins``: where each that was given comes from; ``notices``: for a person."""

    settings: Settings
    origins: Mapping[str, str]
    notices: tuple[str, ...]

    def shown(self, *, all_: bool = False) -> list[str]:
        """One line for each setting that was given (or for every one), secrets masked."""
        values = asdict(self.settings)
        lines = []
        for name, value in values.items():
            origin = self.origins.get(name)
            if origin is None and not all_:
                continue
            value = MASK if name == "api_keys" and value else value
            lines.append(f"{name} = {_readable(value)}  ({origin or 'default'})")
        return lines


def resolve(given: Mapping[str, Any], environ: Mapping[str, str]) -> Resolved:
    """Settings from options (None: not given) and an environment.

    Raises InputError for a value that its setting cannot take.
    """
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    nim_values = nim.read(environ)
    notices = [*nim_values.notices, *_unknown(environ)]
    layers: tuple[tuple[Mapping[str, Any], Mapping[str, str]], ...] = (
        (nim_values.settings, nim_values.origins),
        _own(environ),
        ({name: value for name, value in given.items() if value is not None}, {}),
    )
    for layer, names in layers:
        for name, raw in layer.items():
            origin = names.get(name, "command line")
            values[name] = READERS[name](raw, origin)
            origins[name] = origin
    settings = Settings(**values)
    _check(settings)
    served = nim_values.served_name
    if served and served not in dict(settings.aliases):
        # Beside the others: who adds a name does not take this one away.
        more = (*settings.aliases, (served, settings.models[0]))
        settings = replace(settings, aliases=more)
        given_by = [origins["aliases"]] if "aliases" in origins else []
        origins["aliases"] = ", ".join([*given_by, "NIM_SERVED_MODEL_NAME"])
    return Resolved(settings=settings, origins=origins, notices=tuple(notices))


def read_keys(path: Path) -> tuple[str, ...]:
    """Keys of a file, one a line; empty lines and lines that begin with # are left out."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"the API key file {path} cannot be read: {error}") from error
    keys = tuple(line.strip() for line in lines if line.strip() and not line.startswith("#"))
    if not keys:
        raise InputError(f"the API key file {path} holds no key", hint="write one key a line")
    return _keys(keys, str(path))


def _own(environ: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, str]]:
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    for field in fields(Settings):
        variable = _variable(field.name)
        raw = environ.get(variable)
        if raw or (raw is not None and field.name == "api_keys"):
            values[field.name] = raw
            origins[field.name] = variable
    key_file = environ.get(f"{PREFIX}API_KEY_FILE")
    if key_file:
        values["api_keys"] = read_keys(Path(key_file))
        origins["api_keys"] = f"{PREFIX}API_KEY_FILE"
    return values, origins


def _variable(field: str) -> str:
    return PREFIX + _OWN_NAMES.get(field, field.upper())


def _unknown(environ: Mapping[str, str]) -> list[str]:
    own = {_variable(field.name) for field in fields(Settings)} | {f"{PREFIX}API_KEY_FILE"}
    found = []
    for name in sorted(environ):
        known = own if name.startswith(PREFIX) else nim.KNOWN if name.startswith("NIM_") else None
        if known is None or name in known:
            continue
        near = difflib.get_close_matches(name, known, n=1)
        found.append(f"{name} is not known here" + (f"; did you mean {near[0]}?" if near else ""))
    return found


def _check(settings: Settings) -> None:
    if not settings.models:
        raise InputError("there is no model to serve", hint="--model mini")
    if (settings.tls_cert is None) != (settings.tls_key is None):
        raise InputError("TLS needs both", hint="give --tls-cert and --tls-key")


def _whole(low: int, high: int | None = None) -> Callable[[Any, str], int]:
    def read(raw: Any, origin: str) -> int:
        try:
            value = int(raw)
        except ValueError:
            raise InputError(f"{origin}: {raw!r} is not a whole number") from None
        if value < low or (high is not None and value > high):
            bounds = f"at least {low}" if high is None else f"from {low} to {high}"
            raise InputError(f"{origin}: {value} must be {bounds}")
        return value

    return read


def _seconds(raw: Any, origin: str) -> float:
    try:
        value = float(raw)
    except ValueError:
        raise InputError(f"{origin}: {raw!r} is not a number of seconds") from None
    if not 0 < value < float("inf"):
        raise InputError(f"{origin}: {value:g} must be more than 0 seconds")
    return value


def _flag(raw: Any, origin: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
    value = known.get(str(raw).lower())
    if value is None:
        raise InputError(f"{origin}: {raw!r} is neither true nor false")
    return value


def _one_of(*choices: str) -> Callable[[Any, str], str]:
    def read(raw: Any, origin: str) -> str:
        value = str(raw).lower()
        if value not in choices:
            raise InputError(f"{origin}: {raw!r} is not one of {', '.join(choices)}")
        return value

    return read


def _role(raw: Any, origin: str) -> str | None:
    value = _one_of("none", "query", "passage")(raw, origin)
    return None if value == "none" else value


def _names(raw: Any, origin: str) -> tuple[str, ...]:
    names = raw.split(",") if isinstance(raw, str) else raw
    return tuple(dict.fromkeys(name.strip() for name in names if name.strip()))


def _aliases(raw: Any, origin: str) -> tuple[tuple[str, str], ...]:
    pairs = []
    for item in _names(raw, origin):
        name, equals, model = item.partition("=")
        if not (name and equals and model):
            raise InputError(f"{origin}: {item!r} is no alias", hint="write NAME=MODEL")
        pairs.append((name, model))
    return tuple(pairs)


def _keys(raw: Any, origin: str) -> tuple[str, ...]:
    keys = (raw,) if isinstance(raw, str) else tuple(raw)
    for key in keys:
        # An empty variable is a forgotten secret, and must not open the door.
        if not key or not key.isascii() or not key.isprintable() or " " in key:
            raise InputError(
                f"{origin} holds an API key that is empty or not of printable ASCII",
                hint="unset the variable, or give a key without spaces",
            )
    return keys


def _path(raw: Any, origin: str) -> Path:
    return Path(raw).expanduser()


def _paths(raw: Any, origin: str) -> tuple[Path, ...]:
    paths = raw.split(os.pathsep) if isinstance(raw, str) else raw
    return tuple(_path(path, origin) for path in paths)


def _origin(raw: Any, origin: str) -> str:
    if not re.fullmatch(r"\*|https?://[^/\s]+", raw):
        raise InputError(f"{origin}: {raw!r} is no origin", hint="write https://host[:port]")
    return str(raw)


def _text(raw: Any, origin: str) -> str:
    return str(raw)


def _readable(value: Any) -> str:
    if isinstance(value, tuple):
        items = ("=".join(item) if isinstance(item, tuple) else str(item) for item in value)
        return ", ".join(items) or "none"
    return "none" if value is None else str(value)


READERS: dict[str, Callable[[Any, str], Any]] = {
    "models": _names,
    "aliases": _aliases,
    "index": _paths,
    "host": _text,
    "port": _whole(0, 65535),
    "api_keys": _keys,
    "default_input_type": _role,
    "dimensions_policy": _one_of(*get_args(DimensionsPolicy)),
    "quantised_base64": _one_of(*get_args(QuantisedBase64)),
    "strict_fields": _flag,
    "any_model": _flag,
    "list_aliases": _flag,
    "ranking": _flag,
    "max_client_batch": _whole(1),
    "max_body_bytes": _whole(1024),
    "max_image_bytes": _whole(1024),
    "max_tokens": _whole(8),
    "token_budget": _whole(1),
    "max_queued_tokens": _whole(1),
    "request_timeout": _seconds,
    "body_timeout": _seconds,
    "drain_timeout": _seconds,
    "warmup": _one_of(*get_args(Warmup)),
    "dtype": _text,
    "device": _text,
    "allowed_hosts": _names,
    "cors_origin": _origin,
    "tls_cert": _path,
    "tls_key": _path,
    "feedback": _path,
    "log_level": _one_of(*get_args(LogLevel)),
    "log_format": _one_of(*get_args(LogFormat)),
    "otel": _flag,
}
