"""What searching maps into memory: vectors and columns of one acknowledged version, as plain arrays.

Made from the table, never the other way round, so it may be thrown away at any time; readers make it
too, several at once perhaps, so nobody waits for another and nobody's mapping breaks. A flat scan of
100,000 rows by LanceDB took 124 ms where a product over mapped float32 took 8.

Shapes: N rows, D numbers of a vector, E numbers of its short form.
"""

from __future__ import annotations

import errno
import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from biencoder.drafts import write_json
from biencoder.errors import IndexDamagedError, OutputError
from biencoder.index.dense import binary_codes, unit_prefix
from biencoder.index.durable import files_below, sync_new, writing_hint
from biencoder.index.facts import Facts
from biencoder.index.lance import give_back_memory
from biencoder.index.layout import TABLE
from biencoder.index.rights import rights_told
from biencoder.index.rows import INNER, vectors_of
from biencoder.index.store import Store
from biencoder.index.table_files import is_whole, manifest_name
from biencoder.types import FloatArray, IntArray

_BATCH = 8192
_DRAFT_SECONDS = 3600.0
_ACCOUNT = "mirror.json"


@dataclass(frozen=True)
class Mirror:
    """An open mirror.

    vectors_ND: float32. short: the first numbers of each vector (float32, of length 1) or its signs
    (uint64), where the index narrows down first; else None. batches: the columns, equally long
    batches but for the last.
    """

    vectors_ND: FloatArray
    short_NE: npt.NDArray[Any] | None
    batches: Sequence[pa.RecordBatch]

    @cached_property
    def columns(self) -> pa.Table:
        """Everything but vectors and passages, to be filtered."""
        table = pa.Table.from_batches(self.batches)
        return table.drop_columns([name for name in INNER if name in table.column_names])

    @cached_property
    def places(self) -> dict[str, int]:
        """Row by id."""
        ids: list[Any] = self.columns["id"].to_pylist()
        return {id_: row for row, id_ in enumerate(ids)}

    def ids(self, rows: IntArray) -> list[str]:
        """The ids of some rows."""
        return [self.row(int(row), "id")["id"] for row in rows]

    def row(self, row: int, *names: str) -> dict[str, Any]:
        """One row's columns by name; all of them if none is named."""
        batch = self.batches[row // _BATCH]
        wanted = names or batch.schema.names
        return {name: batch.column(name)[row % _BATCH].as_py() for name in wanted}


def open_mirror(folder: Path, facts: Facts, version: int) -> Mirror | None:
    """The mirror of a version, or None where there is none that is whole."""
    place = folder / mirror_name(facts, version)
    try:
        account = json.loads((place / _ACCOUNT).read_text(encoding="utf-8"))
        whole = account["manifest"] == manifest_of(folder, version) and all(
            is_whole(place / name, size) for name, size in account["sizes"].items()
        )
        return _map(place) if whole else None
    except (IndexDamagedError, OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def has_mirror(folder: Path, facts: Facts, version: int) -> bool:
    """Whether a version has a mirror, whole or not."""
    return (folder / mirror_name(facts, version)).exists()


def make_mirror(folder: Path, store: Store, facts: Facts) -> Mirror:
    """Write the mirror of the store's version; older ones are removed.

    Raises OutputError where it cannot be written, IndexDamagedError where the table cannot be read.
    """
    give_back_memory()
    place = folder / mirror_name(facts, store.version)
    draft = folder / f".{place.name}.draft-{uuid.uuid4().hex}"
    try:
        folder.mkdir(exist_ok=True)
        draft.mkdir()
        mirror = write_mirror(draft, store, facts, manifest_of(folder, store.version))
        sync_new(list(files_below(draft)), draft)
        _put_in_place(draft, place)
    except FileNotFoundError as error:
        raise IndexDamagedError(f"{folder.parent} is not there any more") from error
    except OSError as error:
        raise OutputError(
            f"{place} could not be written: {error.strerror or error}",
            hint=writing_hint(error, "is the disk full?"),
        ) from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    _remove_old(place, store.version)
    return mirror


def write_mirror(draft: Path, store: Store, facts: Facts, manifest: str) -> Mirror:
    """The files of a mirror in an empty folder, mapped, not yet on the disk. Raises OSError."""
    _write(draft, store, facts, manifest)
    return _map(draft)


def _write(draft: Path, store: Store, facts: Facts, manifest: str) -> None:
    names = [name for name in store.schema.names if name not in ("words", "sha256")]
    columns = [name for name in names if name != "vector"]
    shape = pa.schema([store.schema.field(name) for name in columns])
    rows, done = store.rows(), 0
    with (
        pa.ipc.new_file(str(draft / "columns.arrow"), shape) as file,
        _new_array(draft / "vectors.npy", np.float32, (rows, facts.dimensions)) as vectors,
    ):

        def texts() -> Iterator[pa.RecordBatch]:
            for batch in store.scan(names):
                # Vectors as they come: joined to long batches they would be copied once more.
                vectors.write(vectors_of(batch).tobytes())
                yield batch.select(columns)

        for batch in _equal(texts()):
            file.write(batch)
            done += len(batch)
    if done != rows:
        raise IndexDamagedError(f"the table gave {done:,} rows of {rows:,}")
    _write_short(draft, _load(draft / "vectors.npy"), facts.candidates)
    sizes = {path.name: path.stat().st_size for path in files_below(draft)}
    write_json(draft / _ACCOUNT, {"rows": rows, "manifest": manifest, "sizes": sizes})


def _put_in_place(draft: Path, place: Path) -> None:
    """Give a draft its name in place of a damaged one; another reader may do the same meanwhile."""
    aside = draft.with_name(f"{draft.name}-old")
    with suppress(FileNotFoundError):
        place.replace(aside)
    try:
        draft.replace(place)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
    shutil.rmtree(aside, ignore_errors=True)


def _remove_old(place: Path, version: int) -> None:
    """Mirrors of older versions go, and drafts that a kill left."""
    for other in place.parent.iterdir():
        number = other.name.split("-")[0]
        older = number.isdigit() and int(number) <= version and other != place
        if older or (other.name.startswith(".") and _age(other) > _DRAFT_SECONDS):
            shutil.rmtree(other, ignore_errors=True)


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:
        return 0.0  # it has its name now


def _write_short(draft: Path, vectors_ND: FloatArray, candidates: str) -> None:
    kind, _, size = candidates.partition(" ")
    if kind == "exact":
        return
    width = int(size) if kind == "prefix" else -(-vectors_ND.shape[1] // 64)
    dtype = np.float32 if kind == "prefix" else np.uint64
    with _new_array(draft / "short.npy", dtype, (len(vectors_ND), width)) as short:
        for start in range(0, len(vectors_ND), _BATCH):
            block = np.asarray(vectors_ND[start : start + _BATCH])
            made = unit_prefix(block, width) if kind == "prefix" else binary_codes(block)
            short.write(np.ascontiguousarray(made, dtype=dtype).tobytes())


@contextmanager
def _new_array(path: Path, dtype: Any, shape: tuple[int, int]) -> Iterator[BinaryIO]:
    """A .npy file to be filled row by row; not mapped, for a full disk would kill the process."""
    descr = np.lib.format.dtype_to_descr(np.dtype(dtype))
    with path.open("wb") as file:
        header = {"descr": descr, "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        yield file


def _equal(batches: Iterable[pa.RecordBatch]) -> Iterable[pa.RecordBatch]:
    """The same rows in batches of one length, so that a row's batch is found by dividing."""
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        while sum(map(len, waiting)) >= _BATCH:
            joined = _joined(waiting)
            yield joined.slice(0, _BATCH)
            waiting = [joined.slice(_BATCH)]
    if sum(map(len, waiting)):
        yield _joined(waiting)


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    whole: pa.RecordBatch = pa.Table.from_batches(batches).combine_chunks().to_batches()[0]
    return whole


def _map(place: Path) -> Mirror:
    with pa.memory_map(str(place / "columns.arrow")) as source:
        reader = pa.ipc.open_file(source)
        batches = [reader.get_batch(number) for number in range(reader.num_record_batches)]
        batches = batches or [pa.RecordBatch.from_pylist([], schema=reader.schema)]
    short = place / "short.npy"
    return Mirror(_load(place / "vectors.npy"), _load(short) if short.exists() else None, batches)


def _load(path: Path) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError:
        array = np.load(path, allow_pickle=False)  # no rows: nothing to map
    return array


def mirror_name(facts: Facts, version: int) -> str:
    """What the mirror of a version is called."""
    return f"{version}-{facts.fingerprint}-{facts.candidates.replace(' ', '')}"


def manifest_of(folder: Path, version: int) -> str:
    """What the version is made of, in one hash: after damage a number may be given again.

    folder: the mirror's. Raises IndexDamagedError, of these RightsError.
    """
    path = folder.parent / f"{TABLE}.lance" / manifest_name(version)
    try:
        with rights_told(path):
            return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise IndexDamagedError(f"{path} cannot be read: {error.strerror or error}") from error
