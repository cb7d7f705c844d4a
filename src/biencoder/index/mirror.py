"""What searching maps into memory: vectors and columns of one acknowledged version, as plain arrays.

Made from the table, never the other way round, so it may be thrown away at any time. A flat scan of
100,000 rows by LanceDB took 124 ms where a product over mapped float32 took 8.

Shapes: N rows, D numbers of a vector, E numbers of its short form.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from biencoder.drafts import new_folder, write_json
from biencoder.errors import OutputError
from biencoder.index.dense import binary_codes, unit_prefix
from biencoder.index.durable import files_below, sync_new
from biencoder.index.facts import Facts
from biencoder.index.rows import INNER, vectors_of
from biencoder.index.store import Store
from biencoder.types import FloatArray, IntArray

_BATCH = 8192
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
    place = folder / _name(facts, version)
    try:
        account = json.loads((place / _ACCOUNT).read_text(encoding="utf-8"))
        sizes = {path.name: path.stat().st_size for path in files_below(place)}
    except (OSError, ValueError):
        return None
    if any(sizes.get(name) != size for name, size in account["sizes"].items()):
        return None
    return _map(place)


def make_mirror(folder: Path, store: Store, facts: Facts) -> Mirror:
    """Write the mirror of the store's version; older ones are removed.

    Raises OutputError where it cannot be written.
    """
    place = folder / _name(facts, store.version)
    _write(place, store, facts)
    for other in folder.iterdir():
        if other.name != place.name and not other.name.startswith("."):
            shutil.rmtree(other, ignore_errors=True)
    return _map(place)


def _write(place: Path, store: Store, facts: Facts) -> None:
    place.parent.mkdir(exist_ok=True)
    shutil.rmtree(place, ignore_errors=True)
    with new_folder(place) as draft:
        rows = store.rows()
        vectors_ND = _new_array(draft / "vectors.npy", np.float32, (rows, facts.dimensions))
        names = [name for name in store.schema.names if name not in ("words", "sha256")]
        columns = [name for name in names if name != "vector"]
        shape = pa.schema([store.schema.field(name) for name in columns])
        done = 0
        with pa.ipc.new_file(str(draft / "columns.arrow"), shape) as file:
            for batch in _equal(store.scan(names)):
                vectors_ND[done : done + len(batch)] = vectors_of(batch)
                file.write(batch.select(columns))
                done += len(batch)
        if done != rows:
            raise OutputError(f"the table gave {done:,} rows of {rows:,}", hint="run again")
        _write_short(draft, vectors_ND, facts.candidates)
        sizes = {path.name: path.stat().st_size for path in files_below(draft)}
        write_json(draft / _ACCOUNT, {"rows": rows, "sizes": sizes})
        sync_new(list(files_below(draft)), draft)


def _write_short(draft: Path, vectors_ND: FloatArray, candidates: str) -> None:
    kind, _, size = candidates.partition(" ")
    if kind == "exact":
        return
    width = int(size) if kind == "prefix" else -(-vectors_ND.shape[1] // 64)
    dtype = np.float32 if kind == "prefix" else np.uint64
    short_NE = _new_array(draft / "short.npy", dtype, (len(vectors_ND), width))
    for start in range(0, len(vectors_ND), _BATCH):
        block = np.asarray(vectors_ND[start : start + _BATCH])
        made = unit_prefix(block, width) if kind == "prefix" else binary_codes(block)
        short_NE[start : start + _BATCH] = made


def _new_array(path: Path, dtype: Any, shape: tuple[int, int]) -> npt.NDArray[Any]:
    # An empty file cannot be mapped.
    if shape[0] == 0:
        np.save(path, np.empty(shape, dtype=dtype))
        return np.empty(shape, dtype=dtype)
    array: npt.NDArray[Any] = np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    return array


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


def _name(facts: Facts, version: int) -> str:
    return f"{version}-{facts.fingerprint}-{facts.candidates.replace(' ', '')}"
