"""The safetensors files of a checkpoint folder, opened one tensor at a time.

Only safetensors are read: a ``pytorch_model.bin`` is a pickle, and a pickle can run code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from biencoder.config.dialects import read_json
from biencoder.errors import CheckpointError, OutputError

SINGLE = "model.safetensors"
INDEX = "model.safetensors.index.json"
ADAPTER = "adapter_model.safetensors"
MAX_SHARD_BYTES = 4 * 10**9


def weight_files(folder: Path) -> list[Path]:
    """The files that hold the weights, in order; every one of them exists."""
    if (folder / SINGLE).exists():
        return [folder / SINGLE]
    if (folder / INDEX).exists():
        return _indexed_files(folder)
    if (folder / "pytorch_model.bin").exists() or list(folder.glob("*.bin")):
        raise CheckpointError(
            f"{folder} holds its weights only as .bin, which is a pickle and can run code",
            hint="convert it to safetensors, or use a revision that has them",
        )
    raise CheckpointError(f"{folder} holds neither {SINGLE} nor {INDEX}")


def read_tensors(files: Iterable[Path]) -> Iterator[tuple[str, Tensor]]:
    """Each tensor with its stored name, backed by the file: nothing is copied yet."""
    for path in files:
        try:
            with safe_open(path, framework="pt", device="cpu") as tensors:
                for name in tensors.keys():  # noqa: SIM118 - safe_open is no mapping
                    yield name, tensors.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise CheckpointError(
                f"{path.name} cannot be read: {error}",
                hint="the file is cut short or damaged; fetch it again",
            ) from error


def write_shards(
    folder: Path,
    tensors: Iterable[tuple[str, Tensor]],
    *,
    total_bytes: int,
    metadata: Mapping[str, str],
    max_shard_bytes: int = MAX_SHARD_BYTES,
) -> None:
    """Write tensors as they come, one shard in memory at a time, and the index where it is needed."""
    count = max(1, -(-total_bytes // max_shard_bytes))
    weight_map: dict[str, str] = {}
    pending: dict[str, Tensor] = {}
    written: list[Path] = []
    size = 0

    def flush() -> None:
        nonlocal size
        path = folder / f"part-{len(written)}.safetensors"
        _save(pending, path, metadata)
        weight_map.update(dict.fromkeys(pending, str(len(written))))
        written.append(path)
        pending.clear()
        size = 0

    for name, tensor in tensors:
        if pending and size + tensor.nbytes > max_shard_bytes and count > 1:
            flush()
        pending[name] = tensor.detach().contiguous().cpu()
        size += tensor.nbytes
    flush()
    _name_shards(folder, written, weight_map, total_bytes)


def _name_shards(
    folder: Path, written: list[Path], weight_map: dict[str, str], total_bytes: int
) -> None:
    if len(written) == 1:
        written[0].replace(folder / SINGLE)
        return
    names = [
        f"model-{number:05d}-of-{len(written):05d}.safetensors"
        for number in range(1, len(written) + 1)
    ]
    for path, name in zip(written, names, strict=True):
        path.replace(folder / name)
    index: dict[str, Any] = {
        "metadata": {"total_size": total_bytes},
        "weight_map": {tensor: names[int(number)] for tensor, number in weight_map.items()},
    }
    (folder / INDEX).write_text(json.dumps(index, indent=1), encoding="utf-8")


def _save(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    try:
        save_file(dict(tensors), path, metadata={"format": "pt", **metadata})
        _settle_metadata(path)
    except (SafetensorError, OSError) as error:
        path.unlink(missing_ok=True)
        raise OutputError(
            f"{path.name} could not be written: {error}", hint="is the disk full or read-only?"
        ) from error


def _settle_metadata(path: Path) -> None:
    """Metadata in the order of their keys.

    The library writes them in another order each time, and a model is told by its files' bytes.
    """
    with path.open("r+b") as file:
        length = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(length))
        header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
        settled = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
        assert len(settled) <= length, "the header has grown"
        file.seek(8)
        file.write(settled.ljust(length))


def _indexed_files(folder: Path) -> list[Path]:
    weight_map = read_json(folder / INDEX).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError(f"{INDEX} has no weight_map")
    files = []
    for name in sorted(set(map(str, weight_map.values()))):
        # A name with a folder in it could point outside the checkpoint.
        if Path(name).name != name:
            raise CheckpointError(f"{INDEX} points outside its folder: {name!r}")
        if not (folder / name).exists():
            raise CheckpointError(
                f"{INDEX} names {name}, which is not there", hint="fetch the missing shard"
            )
        files.append(folder / name)
    return files
