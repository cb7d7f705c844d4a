"""The sentence-transformers files of a checkpoint: prompts, pooling, maximum length, read and written.

What these files say wins over the family's table. A module that would change the vectors and that
this library does not apply (a Dense layer, say) is refused, never left out.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biencoder.config.dialects import read_json
from biencoder.config.model import LlamaConfig, Pooling
from biencoder.errors import ConfigError

_POOLING_MODES: dict[str, Pooling] = {"mean": "avg", "cls": "cls", "lasttoken": "last"}
_OLD_POOLING_KEYS: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "avg",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
_WRITTEN_MODES = {pooling: mode for mode, pooling in _POOLING_MODES.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class SentenceFiles:
    """What the files say; None where they are silent."""

    query_prompt: str | None = None
    document_prompt: str | None = None
    pooling: Pooling | None = None
    max_tokens: int | None = None
    tokenizer_max_tokens: int | None = None
    normalizes: bool | None = None


def read_sentence_files(folder: Path) -> SentenceFiles:
    """Read modules.json and its neighbours; a folder without them gives all None."""
    normalizes: bool | None = None
    pooling: Pooling | None = None
    if (folder / "modules.json").exists():
        normalizes, pooling = _read_modules(folder)
    prompts: Mapping[str, Any] = {}
    if (folder / "config_sentence_transformers.json").exists():
        prompts = read_json(folder / "config_sentence_transformers.json").get("prompts") or {}
    return SentenceFiles(
        query_prompt=_prompt(prompts, "query"),
        document_prompt=_prompt(prompts, "document"),
        pooling=pooling,
        max_tokens=_length(folder / "sentence_bert_config.json", "max_seq_length"),
        tokenizer_max_tokens=_length(folder / "tokenizer_config.json", "model_max_length"),
        normalizes=normalizes,
    )


def write_sentence_files(
    config: LlamaConfig, *, query_prompt: str, document_prompt: str, max_tokens: int
) -> dict[str, Any]:
    """The files as relative path -> JSON value; cosine similarity, Normalize included."""
    base = "sentence_transformers.models."
    modules = [("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")]
    return {
        "modules.json": [
            {"idx": index, "name": str(index), "path": path, "type": base + kind}
            for index, (path, kind) in enumerate(modules)
        ],
        "1_Pooling/config.json": {
            "embedding_dimension": config.hidden_size,
            "pooling_mode": _WRITTEN_MODES[config.pooling],
            "include_prompt": True,
        },
        "2_Normalize/config.json": {},
        "sentence_bert_config.json": {"max_seq_length": max_tokens, "do_lower_case": False},
        "config_sentence_transformers.json": {
            "prompts": {"query": query_prompt, "document": document_prompt},
            "default_prompt_name": None,
            "similarity_fn_name": "cosine",
        },
    }


def _read_modules(folder: Path) -> tuple[bool, Pooling | None]:
    modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
    # Three import paths for the same class are in use, so only the last name counts.
    kinds = [module["type"].rsplit(".", 1)[-1] for module in modules]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        raise ConfigError(
            f"modules.json lists {', '.join(kinds)}; only Transformer, Pooling and Normalize are applied here",
            hint="a module that is left out would give plausible wrong vectors",
        )
    pooling_file = folder / modules[1]["path"] / "config.json"
    transformer_file = folder / "sentence_bert_config.json"
    if transformer_file.exists() and read_json(transformer_file).get("do_lower_case"):
        raise ConfigError(
            "sentence_bert_config.json asks for do_lower_case, which is not supported"
        )
    return kinds[-1] == "Normalize", _read_pooling(pooling_file)


def _read_pooling(path: Path) -> Pooling:
    raw = read_json(path)
    if raw.get("include_prompt") is False:
        raise ConfigError(f"{path} leaves the prompt out of pooling, which is not supported")
    if "pooling_mode" in raw:
        active = [_POOLING_MODES.get(str(raw["pooling_mode"]))]
    else:
        on = [key for key, value in raw.items() if key.startswith("pooling_mode_") and value]
        active = [_OLD_POOLING_KEYS.get(key) for key in on]
    if len(active) != 1 or active[0] is None:
        raise ConfigError(f"{path} asks for a pooling other than one of mean, cls and lasttoken")
    return active[0]


def _prompt(prompts: Mapping[str, Any], role: str) -> str | None:
    # "passage" is what some repositories call the document prompt.
    value = prompts.get(role, prompts.get("passage") if role == "document" else None)
    return value if isinstance(value, str) else None


def _length(path: Path, key: str) -> int | None:
    value = read_json(path).get(key) if path.exists() else None
    # transformers writes 10^30 where no length is known.
    return value if isinstance(value, int) and 0 < value < 10**9 else None
