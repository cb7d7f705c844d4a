"""Teacher vectors on disk, found by the hash of the text: a text is encoded once, ever.

A cache folder belongs to one teacher: ``manifest.json`` holds its identity (weights hash, maximum
length, number format) and a different teacher is refused. Vectors are added in shards, each
written under a temporary name and renamed, so a kill loses at most the shard in work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from biencoder.drafts import new_file, write_json
from biencoder.errors import InputError
from biencoder.types import FloatArray

SHARD_ROWS = 8192

Encode = Callable[[Sequence[str]], FloatArray]


def text_key(text: str) -> bytes:
    """SHA-256 of the text in UTF-8: the row's name in the cache."""
    return hashlib.sha256(text.encode()).digest()


class TeacherCache:
    """Vectors by text, float16 on disk, shape (rows, dimension)."""

    def __init__(self, folder: Path, *, teacher: dict[str, str | int]) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        manifest = folder / "manifest.json"
        if manifest.exists():
            known = json.loads(manifest.read_text())
            if known != teacher:
                raise InputError(
                    f"the teacher cache {folder} was filled by {known}, not by {teacher}",
                    hint="give another --cache folder",
                )
        else:
            write_json(manifest, teacher)
        self._place: dict[bytes, tuple[int, int]] = {}
        self._shards: list[npt.NDArray[np.float16]] = []
        for keys in sorted(folder.glob("keys-*.npy")):
            self._index(np.load(keys), np.load(_vectors_beside(keys), mmap_mode="r"))

    def __len__(self) -> int:
        return len(self._place)

    def missing(self, texts: Sequence[str]) -> list[str]:
        """The texts without a vector, each once, in order."""
        return list(dict.fromkeys(text for text in texts if text_key(text) not in self._place))

    def fill(self, texts: Sequence[str], encode: Encode) -> Iterator[int]:
        """Encode what is missing, shard by shard; yields the number of texts done so far."""
        missing = self.missing(texts)
        for start in range(0, len(missing), SHARD_ROWS):
            part = missing[start : start + SHARD_ROWS]
            self._append(part, encode(part))
            yield start + len(part)

    def vectors(self, texts: Sequence[str]) -> FloatArray:
        """The vectors of the texts, shape (len(texts), dimension); a missing text is an error."""
        places = [self._place.get(text_key(text)) for text in texts]
        if None in places:
            raise InputError(f"no teacher vector for the text {texts[places.index(None)][:80]!r}")
        rows = [self._shards[place[0]][place[1]] for place in places if place is not None]
        return np.stack(rows).astype(np.float32)

    def _append(self, texts: Sequence[str], vectors: FloatArray) -> None:
        number = len(self._shards)
        keys = np.frombuffer(b"".join(map(text_key, texts)), np.uint8).reshape(-1, 32)
        keys_path = self.folder / f"keys-{number:05d}.npy"
        half = vectors.astype(np.float16)
        # The keys come last: a shard without keys is not seen, so a kill leaves no wrong row.
        _save_array(_vectors_beside(keys_path), half)
        _save_array(keys_path, keys)
        self._index(keys, half)

    def _index(self, keys: npt.NDArray[np.uint8], vectors: npt.NDArray[np.float16]) -> None:
        shard = len(self._shards)
        self._shards.append(vectors)
        for row, key in enumerate(keys):
            self._place[key.tobytes()] = (shard, row)


def _vectors_beside(keys: Path) -> Path:
    return keys.with_name(keys.name.replace("keys-", "vectors-"))


def _save_array(path: Path, array: npt.NDArray[np.generic]) -> None:
    with new_file(path) as draft, draft.open("wb") as file:
        np.save(file, array)
