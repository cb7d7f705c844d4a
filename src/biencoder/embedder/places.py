"""Which folders a model's files lie in: its own, or that of an adapter over a base. No torch here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from biencoder.config.adapter import AdapterConfig, parse_adapter
from biencoder.config.dialects import read_json
from biencoder.embedder.hub import Source, locate
from biencoder.errors import ConfigError

_ADAPTER_FILE = "adapter_config.json"


@dataclass(frozen=True, slots=True)
class Places:
    """Where a model's files lie. adapter: the folder of a LoRA over ``base``, None without one."""

    base: Source
    adapter: Path | None

    def holding(self, file: str) -> Path:
        """The folder whose ``file`` counts: the adapter's where it has one, else the base's."""
        if self.adapter is not None and (self.adapter / file).exists():
            return self.adapter
        return self.base.folder


def places(source: Source) -> Places:
    """Find the base of an adapter. Raises ConfigError where that is an adapter itself."""
    if not is_adapter(source.folder):
        return Places(source, None)
    base = locate(read_adapter(source.folder).base_model)
    if is_adapter(base.folder):
        raise ConfigError(f"the base of the adapter {source.folder} is itself an adapter")
    return Places(base, source.folder)


def is_adapter(folder: Path) -> bool:
    """Whether a folder holds a LoRA and not whole weights."""
    return (folder / _ADAPTER_FILE).exists() and not (folder / "config.json").exists()


def read_adapter(folder: Path) -> AdapterConfig:
    """What a LoRA is put upon, and how strongly."""
    return parse_adapter(read_json(folder / _ADAPTER_FILE))
