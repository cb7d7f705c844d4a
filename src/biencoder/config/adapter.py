"""Adapter folders (dialect D6): a LoRA over a base model named in ``adapter_config.json``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from biencoder.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class AdapterConfig:
    """A plain LoRA: ``W += (lora_alpha / r) · B · A``."""

    base_model: str
    r: int
    lora_alpha: float

    @property
    def scale(self) -> float:
        """What B·A is multiplied by."""
        return self.lora_alpha / self.r


def parse_adapter(raw: Mapping[str, Any]) -> AdapterConfig:
    """Read adapter_config.json; every kind whose arithmetic differs from plain LoRA is refused."""
    if raw.get("peft_type", "LORA") != "LORA":
        raise ConfigError(f"the adapter is of type {raw['peft_type']!r}; only LORA is merged here")
    for name, what in (
        ("use_dora", "DoRA"),
        ("use_rslora", "rank-stabilised scaling"),
        ("modules_to_save", "whole saved modules"),
        ("rank_pattern", "ranks per layer"),
        ("alpha_pattern", "scales per layer"),
        ("fan_in_fan_out", "transposed weights"),
    ):
        if raw.get(name):
            raise ConfigError(
                f"the adapter uses {what} ({name}), which is not merged here",
                hint="merge it with the tool that trained it, then load the merged folder",
            )
    if raw.get("bias", "none") != "none":
        raise ConfigError(f"the adapter trains biases (bias={raw['bias']!r}); this family has none")
    base, rank, alpha = raw.get("base_model_name_or_path"), raw.get("r"), raw.get("lora_alpha")
    if not isinstance(base, str) or not base:
        raise ConfigError("adapter_config.json does not name its base_model_name_or_path")
    if not isinstance(rank, int) or rank < 1 or not isinstance(alpha, (int, float)):
        raise ConfigError(f"adapter_config.json needs r and lora_alpha, not {rank!r} and {alpha!r}")
    return AdapterConfig(base_model=base, r=rank, lora_alpha=float(alpha))
