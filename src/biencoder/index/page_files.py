"""What is kept beside the table for every page: its picture for people, and how the model saw it.

    pages/ab/ab12….webp    the page as people see it
    pages/ab/ab12….npz     its id, its vector, its parts, its grid, and the picture's hash

Named by the row's id, which stands for the file's content, the model and the settings: the same name is
the same page. So a run that goes on after a kill takes the pages that are there, and what is whole is
never written again. A row is acknowledged only once both files are on the disk (`writer.py`).
"""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import zipfile
import zlib
from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from biencoder.drafts import new_file
from biencoder.index.durable import disk_errors, files_below, size_of, sync_new
from biencoder.pages.tiles import Grid
from biencoder.types import FloatArray

_ID = re.compile(r"[0-9a-f]{32}")
_SUFFIXES = (".webp", ".npz")
_UNREADABLE = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    RuntimeError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, slots=True)
class SeenPage:
    """A page as the model saw it. vector_D: float32, of length 1.

    parts_PD: float16, shape (tiles [+ thumbnail] + 1, dimensions): what each tile, the thumbnail where
    there is one, and all other tokens together add to the vector; None where a server made it, which
    does not tell. tokens: as computed; cut: its text lost some.
    """

    vector_D: FloatArray
    parts_PD: npt.NDArray[np.float16] | None
    grid: Grid
    thumbnail: bool
    tokens: int
    cut: bool


class PageFiles:
    """The pages of one generation; the folder need not be there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def picture(self, id_: str) -> bytes | None:
        """The page as a WebP file, or None where the row is no page or its picture is gone."""
        if not self._is_id(id_):
            return None
        try:
            return self._path(id_, ".webp").read_bytes() or None
        except OSError:
            return None

    def has(self, id_: str) -> bool:
        """Whether a row is a page whose picture is there."""
        return self._is_id(id_) and size_of(self._path(id_, ".webp")) > 0

    def seen(self, id_: str) -> SeenPage | None:
        """How the model saw a page, or None where that cannot be read whole."""
        read = self._read(id_)
        return None if read is None else read[0]

    def whole(self, id_: str) -> SeenPage | None:
        """As `seen`, where the picture is the very one that was written with it."""
        read = self._read(id_)
        if read is None:
            return None
        seen, sha256 = read
        picture = self.picture(id_)
        return seen if picture is not None and _sha256(picture) == sha256 else None

    def write(self, id_: str, picture: bytes, seen: SeenPage) -> None:
        """Both files under their names, not yet on the disk: `sync` brings them there.

        Raises OutputError where they cannot be written.
        """
        place = self._path(id_, ".webp")
        with disk_errors(self.folder):
            place.parent.mkdir(parents=True, exist_ok=True)
        facts = [seen.grid.columns, seen.grid.rows, seen.thumbnail, seen.tokens, seen.cut]
        file = io.BytesIO()
        np.savez(
            file,
            vector=seen.vector_D,
            parts=np.empty((0, 0), np.float16) if seen.parts_PD is None else seen.parts_PD,
            facts=np.array(facts, dtype=np.int64),
            picture=np.frombuffer(_sha256(picture), dtype=np.uint8),
            id=np.frombuffer(bytes.fromhex(id_), dtype=np.uint8),
        )
        for path, data in ((place, picture), (place.with_suffix(".npz"), file.getvalue())):
            with new_file(path) as draft:
                draft.write_bytes(data)

    def sync(self, ids: Iterable[str], root: Path) -> None:
        """Bring the files of pages, and the folders above them up to ``root``, to the disk.

        Raises OutputError where one is missing or the disk refuses.
        """
        paths = [self._path(id_, suffix) for id_ in ids for suffix in _SUFFIXES]
        if paths:
            sync_new(paths, root)

    def lacking(self, ids: Iterable[str]) -> Iterator[str]:
        """Those of some pages that lack a file, or have an empty one."""
        for id_ in ids:
            if any(size_of(self._path(id_, suffix)) == 0 for suffix in _SUFFIXES):
                yield id_

    def orphans(self, standing: Container[str]) -> Iterator[Path]:
        """Files of pages that stand nowhere, and drafts that a kill left."""
        for path in files_below(self.folder):
            if path.suffix not in _SUFFIXES or path.stem not in standing:
                yield path

    def sweep(self, standing: Container[str]) -> None:
        """Remove what `orphans` finds; raises OutputError where the system refuses."""
        with disk_errors(self.folder):
            for path in list(self.orphans(standing)):
                path.unlink(missing_ok=True)

    def carry(self, ids: Iterable[str], to: PageFiles) -> None:
        """The files of pages under the same names in another generation; what is missing stays so.

        They share their bytes where the file system can, for they are never written again.
        """
        with disk_errors(to.folder):
            for id_ in ids:
                for suffix in _SUFFIXES:
                    old, new = self._path(id_, suffix), to._path(id_, suffix)
                    if old.exists() and not new.exists():
                        new.parent.mkdir(parents=True, exist_ok=True)
                        _link(old, new)

    def ids(self) -> set[str]:
        """Every page of which there is a picture, wherever it stands."""
        return {path.stem for path in files_below(self.folder) if path.suffix == ".webp"}

    @staticmethod
    def _is_id(id_: str) -> bool:
        # An id may come from a request: nothing else ever becomes part of a path.
        return _ID.fullmatch(id_) is not None

    def _path(self, id_: str, suffix: str) -> Path:
        assert self._is_id(id_), id_
        return self.folder / id_[:2] / f"{id_}{suffix}"

    def _read(self, id_: str) -> tuple[SeenPage, bytes] | None:
        if not self._is_id(id_):
            return None
        try:
            with np.load(self._path(id_, ".npz"), allow_pickle=False) as arrays:
                if arrays["id"].tobytes() != bytes.fromhex(id_):
                    return None
                return _parse(*(arrays[name] for name in ("vector", "parts", "facts", "picture")))
        except _UNREADABLE:
            return None


def _parse(vector: Any, parts: Any, facts: Any, picture: Any) -> tuple[SeenPage, bytes]:
    """Raises ValueError for arrays that are none of a page."""
    columns, rows, thumbnail, tokens, cut = (int(value) for value in facts)
    known = parts if parts.size else None
    seen = SeenPage(vector, known, Grid(columns, rows), bool(thumbnail), tokens, bool(cut))
    if (vector.dtype, parts.dtype) != (np.float32, np.float16) or vector.ndim != 1:
        raise ValueError("numbers of another kind")
    if known is not None and parts.shape != (columns * rows + thumbnail + 1, len(vector)):
        raise ValueError("parts of another grid")
    return seen, picture.astype(np.uint8).tobytes()


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:
        # Not every file system has second names.
        shutil.copyfile(old, new)


def _sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
