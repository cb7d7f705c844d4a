"""Which result stands already, and where another one of the same name goes.

Two results are of the same thing when system, data and settings are: then the later replaces the
earlier. Anything else under the same name gets a name of its own, so nothing is overwritten.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from biencoder.evaluate.results import Result, load_result, read_summary, result_path

# Other releases of these may give other scores, of a model and of BM25.
_DECISIVE = ("biencoder", "torch", "tokenizers")
_LEXICALLY_DECISIVE = ("biencoder", "bm25s")
# Where a folder lies decides nothing.
_INDECISIVE = ("source", "queries_from")


@dataclass(frozen=True, kw_only=True)
class Thing:
    """What a result is of. model, settings: as in `Result`. digest: of the judged set."""

    dataset: str
    system: str
    model: Mapping[str, Any]
    settings: Mapping[str, Any]
    digest: str

    def key(self) -> str:
        """The same for the same thing, as JSON, so that tuples and lists compare equal."""
        settings = {k: v for k, v in self.settings.items() if k not in _INDECISIVE}
        whole = [self.dataset, self.system, self.model, settings, self.digest]
        return json.dumps(whole, sort_keys=True)


def place_of(folder: Path, thing: Thing) -> Path:
    """``FOLDER/dataset/system.json``; with a short hash where that name is another thing's."""
    plain = result_path(folder, thing.dataset, thing.system)
    short = hashlib.sha256(thing.key().encode()).hexdigest()[:8]
    own = plain.with_name(f"{plain.stem}-{short}.json")
    return plain if not own.exists() and _is_free(plain, thing) else own


def standing(path: Path, thing: Thing, versions: Mapping[str, str]) -> Result | None:
    """The result in ``path`` where it is of this thing and of these releases."""
    if not path.exists():
        return None
    stored = read_summary(path)
    made_by = stored["conditions"].get("versions", {})
    same = _thing(stored).key() == thing.key()
    same = same and decisive(made_by, thing.model) == decisive(versions, thing.model)
    return load_result(path) if same else None


def decisive(versions: Mapping[str, str], model: Mapping[str, Any]) -> list[str | None]:
    """The releases that decide the scores of a model, or of what has no vectors."""
    names = _DECISIVE if "fingerprint" in model else _LEXICALLY_DECISIVE
    return [versions.get(name) for name in names]


def _is_free(path: Path, thing: Thing) -> bool:
    return not path.exists() or _thing(read_summary(path)).key() == thing.key()


def _thing(stored: Mapping[str, Any]) -> Thing:
    return Thing(
        dataset=stored["dataset"],
        system=stored["system"],
        model=stored["model"],
        settings=stored["settings"],
        digest=stored["data"]["digest"],
    )
