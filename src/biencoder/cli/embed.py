"""`biencoder embed`: texts in files to a file of vectors."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biencoder.cli.reach import KeyFile, Server
from biencoder.cli.show import progress, say, warnings_as_lines

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from biencoder.embedder.encoder import Encoder
    from biencoder.types import FloatArray, Precision

NAME = "embed"
HELP = "Turn texts (JSONL, text files, a BEIR folder) into vectors (.npy, .jsonl, .parquet)."


def run(
    files: Annotated[
        list[Path],
        typer.Argument(help="Files or folders: .jsonl[.gz], .txt (a text a line), BEIR folders."),
    ],
    output: Annotated[Path, typer.Option(help="File to write: .npy, .jsonl or .parquet.")],
    model: Annotated[str, typer.Option(help="Family name, folder or hub id.")] = "mini",
    input_type: Annotated[str, typer.Option(help="query or document.")] = "document",
    dimensions: Annotated[int | None, typer.Option(help="A size the model offers.")] = None,
    truncate: Annotated[str, typer.Option(help="NONE, START or END.")] = "NONE",
    precision: Annotated[str, typer.Option(help="float32, int8 or binary.")] = "float32",
    ranges: Annotated[
        Path | None, typer.Option(help="int8: take the ranges of an earlier run's .meta.json.")
    ] = None,
    instruction: Annotated[
        str | None, typer.Option(help="A task, for models that take one.")
    ] = None,
    dtype: Annotated[str, typer.Option(help="auto, bfloat16, float32 or float16.")] = "auto",
    server: Server = None,
    api_key_file: KeyFile = None,
) -> None:
    """Embed every text, in order, in bounded memory."""
    with warnings_as_lines():
        _check_choices(input_type, truncate, precision, output)
        from biencoder.corpus.reader import Reader
        from biencoder.corpus.vector_files import vector_file
        from biencoder.drafts import check_file
        from biencoder.embedder.reach import Reach, open_encoder

        check_file(output, new_parents=False)
        reader = Reader(files, queries=input_type == "query")
        total = reader.count()
        reach = Reach(model=model, server=server or "", api_key_file=api_key_file)
        embedder = open_encoder(reach, dtype=dtype)
        job = _Job(embedder, _coder(precision, ranges))
        options = {"role": input_type, "dimensions": dimensions, "truncate": truncate}
        with (
            vector_file(output) as writer,
            progress("embedding", total=total, unit="texts") as tick,
        ):
            for ids, vectors in job.encode(reader, **options, instruction=instruction):
                writer.append(ids, vectors)
                tick(len(ids))
            if job.rows == 0:
                raise _empty(files)
        _write_facts(output, job, options | {"precision": precision})
        _tell(job, reader.skipped, output, truncate)


@dataclass
class _Coder:
    """float32 vectors to the stored form; int8 ranges come from the first window unless given."""

    precision: Precision
    ranges: FloatArray | None = None
    clipped: int = 0

    def __call__(self, vectors: FloatArray) -> npt.NDArray[np.generic]:
        from biencoder.embedder.precision import int8_ranges, to_binary, to_int8

        if self.precision == "binary":
            return to_binary(vectors)
        if self.precision == "float32":
            return vectors
        if self.ranges is None:
            self.ranges = int8_ranges(vectors)
        codes, clipped = to_int8(vectors, self.ranges)
        self.clipped += clipped
        return codes


@dataclass
class _Job:
    """One run: the counts that a person must be told."""

    embedder: Encoder
    coder: _Coder
    rows: int = 0
    tokens: int = 0
    cut: int = 0
    unreadable: int = 0
    width: int = 0
    # Filled by the thread that reads ahead, emptied here: a deque is safe at both ends.
    _ids: deque[str] = field(default_factory=deque)

    def encode(
        self, reader: Any, **options: Any
    ) -> Iterator[tuple[list[str], npt.NDArray[np.generic]]]:
        for window in self.embedder.encode_stream(self._texts(reader), **options):
            count = len(window.vectors)
            ids = [self._ids.popleft() for _ in range(count)]
            self.rows += count
            self.tokens += window.tokens
            self.cut += window.cut
            self.unreadable += len(window.unreadable)
            self.width = window.vectors.shape[1]
            yield ids, self.coder(window.vectors)

    def _texts(self, reader: Any) -> Iterator[str]:
        for document in reader:
            self._ids.append(document.id)
            yield document.full_text


def _coder(precision: str, ranges: Path | None) -> _Coder:
    import numpy as np

    from biencoder.config.dialects import read_json
    from biencoder.errors import InputError

    if ranges is None:
        return _Coder(precision)  # type: ignore[arg-type]
    stored = read_json(ranges).get("int8_ranges")
    if precision != "int8" or stored is None:
        raise InputError(
            f"{ranges} gives no int8 ranges, or --precision is not int8",
            hint="--ranges takes the .meta.json that an int8 run wrote beside its vectors",
        )
    return _Coder("int8", np.asarray(stored, dtype=np.float32))


def _check_choices(input_type: str, truncate: str, precision: str, output: Path) -> None:
    from biencoder.errors import InputError
    from biencoder.types import PRECISIONS, ROLES, TRUNCATE

    for name, value, known in (
        ("--input-type", input_type, ROLES),
        ("--truncate", truncate, TRUNCATE),
        ("--precision", precision, PRECISIONS),
        ("the ending of --output", output.suffix, (".npy", ".jsonl", ".parquet")),
    ):
        if value not in known:
            raise InputError(f"{name} is {value!r}", hint=f"use one of {', '.join(known)}")


def _empty(files: list[Path]) -> Exception:
    from biencoder.errors import InputError

    return InputError(f"there is no text in {', '.join(map(str, files))}")


def _write_facts(output: Path, job: _Job, options: dict[str, Any]) -> None:
    profile = job.embedder.profile
    facts = {
        "model": profile.name,
        "server": job.embedder.origin.server,
        "license": profile.license,
        "rows": job.rows,
        "tokens": job.tokens,
        **options,
        "dimensions": job.width,
        "cut": job.cut,
        "unreadable": job.unreadable,
        "clipped": job.coder.clipped,
        "int8_ranges": None if job.coder.ranges is None else job.coder.ranges.tolist(),
    }
    path = output.with_suffix(".meta.json")
    path.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")


def _tell(job: _Job, skipped: list[Path], output: Path, truncate: str) -> None:
    from biencoder.evaluate.report.words import counted

    tokens = counted(job.tokens, "token")
    say(f"{counted(job.rows, 'text')}, {tokens}, {job.width} dimensions -> {output}")
    if job.cut:
        which = "last" if truncate == "END" else "first"
        say(f"Warning: too long, the {which} tokens cut off: {counted(job.cut, 'text')}")
    if job.unreadable:
        say(
            f"Warning: hardly readable for {job.embedder.profile.name} (another language or script): "
            f"{counted(job.unreadable, 'text')}"
        )
    if job.coder.clipped:
        say(f"Warning: outside the int8 ranges, clipped: {counted(job.coder.clipped, 'number')}")
    if skipped:
        say(f"Warning: no text, left out: {counted(len(skipped), 'file')}, first {skipped[0]}")
