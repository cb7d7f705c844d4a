"""From the name that people use to a folder on this disk.

Names are tried in this order: ``mini``, a checkpoint folder, a member of the family (``1b``, a
published id), a repository on the Hugging Face hub. From the hub only JSON and safetensors are asked for, never
code and never a pickle; the small files come first, so a checkpoint that would be refused is
refused before its gigabytes are fetched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from biencoder.config.family import MINI, Member, find_member, unknown_model
from biencoder.errors import UnknownModelError

BUNDLED = Path(__file__).with_name("bundled")

_REPOSITORY = re.compile(r"^[\w.-]+/[\w.-]+$")
_SMALL_FILES = [
    "config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "processor_config.json",
    "modules.json",
    "config_sentence_transformers.json",
    "sentence_bert_config.json",
    "hf_quant_config.json",
    "adapter_config.json",
    "[0-9]_*/config.json",
    "model.safetensors.index.json",
]
_WEIGHTS = ["model*.safetensors", "adapter_model.safetensors"]


@dataclass(frozen=True, slots=True)
class Source:
    """A checkpoint folder, and who it is where that is known.

    repository: the hub id it came from, None for a plain folder: only a checkpoint fetched by its
    published name may be taken for the real one.
    """

    folder: Path
    member: Member | None
    repository: str | None
    revision: str | None


def locate(name: str | Path, *, revision: str | None = None, weights: bool = True) -> Source:
    """Find a checkpoint; fetches from the hub where it must.

    Raises UnknownModelError for a name that is nothing of the above, or that is not in the cache
    while the hub is out of reach.
    """
    member = find_member(name) if isinstance(name, str) else None
    if member is MINI:
        return Source(BUNDLED / "mini", MINI, None, None)
    folder = Path(name).expanduser()
    if member is not None and not _is_checkpoint(folder):
        return _from_hub(member.id, member, revision, weights)
    if folder.is_dir():
        if not _is_checkpoint(folder):
            raise UnknownModelError(
                f"the folder {folder} is no checkpoint: it holds no config.json",
                hint="give the folder that holds config.json, tokenizer.json and *.safetensors",
            )
        return Source(folder, None, None, None)
    if _REPOSITORY.match(str(name)) and not str(name).startswith("."):
        return _from_hub(str(name), None, revision, weights)
    raise unknown_model(str(name))


def _is_checkpoint(folder: Path) -> bool:
    return any((folder / file).exists() for file in ("config.json", "adapter_config.json"))


def _from_hub(
    repository: str, member: Member | None, revision: str | None, weights: bool
) -> Source:
    if member is not None and member.weights.startswith("none published"):
        raise UnknownModelError(
            f"{member.name} has no public weights: its maker serves it only behind an API",
            hint="reach it there: --server URL (Embedder.connect), or load it from a folder if you have "
            "one; llama-nemotron-embed-1b-v2 is its public sibling",
        )
    folder = _fetch(repository, revision, _SMALL_FILES)
    if weights:
        folder = _fetch(repository, revision, _SMALL_FILES + _WEIGHTS)
    return Source(folder, member, repository, folder.name)


def _fetch(repository: str, revision: str | None, patterns: list[str]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=patterns))
    except LocalEntryNotFoundError as error:
        raise UnknownModelError(
            f"{repository} is not in the local cache and the hub cannot be reached",
            hint="connect once to fetch it, set HF_HOME to a cache that holds it, or give a folder; "
            "`biencoder models` lists what ships with the package",
        ) from error
    except HfHubHTTPError as error:
        raise UnknownModelError(
            f"the hub does not give {repository}: {str(error).splitlines()[0]}",
            hint="check the name and the revision; a gated model needs `hf auth login`",
        ) from error
    except OSError as error:
        raise UnknownModelError(f"{repository} could not be fetched: {error}") from error
