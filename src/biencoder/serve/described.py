"""What is known about a served model: its licence, its files, everything that decides its vectors."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from biencoder.config.family import MINI
from biencoder.embedder.embedder import Embedder
from biencoder.embedder.fingerprint import digest, hash_file, identity
from biencoder.embedder.profile import Profile
from biencoder.serve.embeddings.names import Served
from biencoder.serve.embeddings.wire import EMBEDDING_TYPES, MODALITIES, Modality
from biencoder.serve.engine.engine import Engine
from biencoder.serve.engine.pages import PageRoom
from biencoder.serve.settings import Settings

_APACHE = "https://www.apache.org/licenses/LICENSE-2.0"
_LICENCE_PATTERNS = ("LICENSE*", "LICENCE*")
# What belongs to a checkpoint; whatever else lies in its folder is nobody's business.
_FILES = ("*.json", "*.safetensors", "*/config.json", "README.md", "NOTICE*", *_LICENCE_PATTERNS)


@dataclass(frozen=True, kw_only=True, slots=True)
class FileFacts:
    """One file of a checkpoint. name: relative to its folder, with forward slashes."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelFacts:
    """What only reading a whole checkpoint tells."""

    fingerprint: str
    files: tuple[FileFacts, ...]


@dataclass
class Described:
    """Facts of checkpoints, each read once: seconds for every few gigabytes. Safe in threads."""

    _known: dict[str, ModelFacts] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def facts(self, served: Served) -> ModelFacts:
        """The facts of one model; the second call costs nothing."""
        with self._lock:
            if served.id not in self._known:
                self._known[served.id] = _read(_as_served(served.engine))
            return self._known[served.id]


def model_url(embedder: Embedder) -> str:
    """Where its model card is; empty for a folder of one's own."""
    member = embedder.profile.member
    repository = embedder.source.repository
    if repository is None and member is not None and member.weights == "Hugging Face":
        repository = member.id
    return f"https://huggingface.co/{repository}" if repository else ""


def licence(embedder: Embedder) -> dict[str, Any]:
    """The licence in NIM's shape: the text as it lies beside the weights, or what is known of it."""
    profile = embedder.profile
    path = _licence_file(embedder.source.folder)
    content = _stated(profile, model_url(embedder)) if path is None else _text(path)
    return {
        "name": profile.license,
        "path": "" if path is None else path.name,
        "sha": hashlib.sha1(content.encode(), usedforsecurity=False).hexdigest(),
        "size": len(content),
        "url": _APACHE if profile.member is MINI else model_url(embedder),
        "type": "summary" if path is None else "file",
        "content": content,
        "model": profile.name,
        "commercial": profile.commercial_use,
        "notice": notice(profile),
    }


def notice(profile: Profile) -> str:
    """What its terms want shown, and what a user must know beside them."""
    said = ["Built with Llama."] if "Llama" in profile.license else []
    if profile.commercial_use is False:
        said.append("Not for commercial use.")
    if profile.member is MINI:
        said.append(MINI.note)
    return " ".join(said)


def metadata(
    served: Served, names: Sequence[str], facts: ModelFacts, settings: Settings
) -> dict[str, Any]:
    """One entry of ``modelInfo``. names: every name beside the id that a request may use."""
    embedder, engine = served.engine.embedder, served.engine
    profile = embedder.profile
    weights = {file.name: file.sha256 for file in facts.files if file.name.endswith(".safetensors")}
    return {
        "shortName": profile.name,
        "modelUrl": model_url(embedder),
        "id": served.id,
        "aliases": list(names),
        "maxSeqLength": engine.max_tokens,
        "dimensions": list(embedder.dimensions),
        "nativeDimension": embedder.dimensions[-1],
        "embeddingTypes": list(EMBEDDING_TYPES),
        "modalities": list(modalities(served)),
        "pages": None if engine.pages is None else _pages(engine.pages, settings),
        "prefixes": {"query": profile.prompts.query, "passage": profile.prompts.document},
        "pooling": embedder.config.pooling,
        "normalized": True,
        "dtype": str(embedder.placement.dtype).removeprefix("torch."),
        "weightsSha256": weights,
        "revision": embedder.source.revision,
        "fingerprint": facts.fingerprint,
        "license": profile.license,
        "commercial": profile.commercial_use,
    }


def modalities(served: Served) -> tuple[Modality, ...]:
    """What an input to a model may be, as the wire calls it."""
    return MODALITIES if served.engine.embedder.pages is not None else MODALITIES[:1]


def _pages(room: PageRoom, settings: Settings) -> dict[str, Any]:
    """How a page model reads pages here, and how large they may be sent."""
    config, limits = room.side.config, room.side.limits
    return {
        "maxTiles": config.max_tiles,
        "thumbnail": config.thumbnail,
        "tileSize": config.tile_size,
        "maxTokens": {
            "query": min(config.query_tokens, limits.text),
            "text": limits.text,
            "image": limits.image,
            "text_image": limits.image_text,
        },
        "maxImageBytes": room.pictures.max_bytes,
        "maxImagePixels": room.pictures.max_pixels,
        "maxBodyBytes": settings.max_body_bytes,
    }


def _as_served(engine: Engine) -> Embedder:
    """The model with the limits of pages in force: where a text is cut, they decide the vector."""
    if engine.pages is None:
        return engine.embedder
    served = engine.embedder.limited(engine.max_tokens)
    served.pages = engine.pages.side
    return served


def manifest(models: Mapping[str, tuple[str | None, ModelFacts]]) -> str:
    """YAML: every file of every model (by id) with size and SHA-256. A JSON string is a YAML one."""
    lines = ["models:"]
    for name, (revision, facts) in models.items():
        lines += [
            f"  - id: {json.dumps(name)}",
            f"    revision: {json.dumps(revision)}",
            f"    fingerprint: {json.dumps(facts.fingerprint)}",
            "    files:",
        ]
        for file in facts.files:
            lines += [
                f"      - name: {json.dumps(file.name)}",
                f"        size: {file.size}",
                f"        sha256: {json.dumps(file.sha256)}",
            ]
    return "\n".join(lines) + "\n"


def _read(embedder: Embedder) -> ModelFacts:
    folder = embedder.source.folder
    facts = identity(embedder)
    # `identity` has read the weights, in order of their names; gigabytes are not read twice.
    known = dict(zip(sorted(folder.glob("*.safetensors")), facts["weights"], strict=True))
    found = {path for pattern in _FILES for path in folder.glob(pattern)}
    files = tuple(
        FileFacts(
            name=path.relative_to(folder).as_posix(),
            size=path.stat().st_size,
            sha256=known.get(path) or hash_file(path),
        )
        for path in sorted(found)
        if path.is_file()
    )
    return ModelFacts(fingerprint=digest(facts), files=files)


def _licence_file(folder: Path) -> Path | None:
    found = [path for pattern in _LICENCE_PATTERNS for path in sorted(folder.glob(pattern))]
    return next((path for path in found if path.is_file()), None)


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _stated(profile: Profile, url: str) -> str:
    lines = [
        f"The folder of {profile.name} holds no licence text.",
        f"What is known: {profile.license}.",
    ]
    if profile.commercial_use is not None:
        allowed = "allowed" if profile.commercial_use else "not allowed"
        lines.append(f"Commercial use: {allowed}.")
    if url:
        lines.append(f"The terms themselves are at {url}")
    return "\n".join([*lines, notice(profile)]).strip() + "\n"
