"""`biencoder embed`: texts, pages of PDFs and page images to a file of vectors."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from biencoder.cli.embedded import Coder, Counts, make_coder, tell, tell_cut, write_facts
from biencoder.cli.reach import KeyFile, Server
from biencoder.cli.show import progress, say, warnings_as_lines

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from biencoder.embedder.encoder import Encoder

NAME = "embed"
HELP = (
    "Turn texts (JSONL, text files, a BEIR folder) or pages (PDF, PNG, JPEG, WebP) into vectors "
    "(.npy, .jsonl, .parquet)."
)


def run(
    files: Annotated[
        list[Path],
        typer.Argument(
            help="Files or folders: .jsonl[.gz], .txt (a text a line), BEIR folders; or, in a run of "
            "their own, .pdf (a row a page), .png, .jpg, .webp."
        ),
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
    modality: Annotated[
        str | None,
        typer.Option(
            help="What of a page is read: text, image or image_text (the image, and its text where it "
            "has one). Without this: image_text for a page model, else text."
        ),
    ] = None,
    dpi: Annotated[
        int | None, typer.Option(help="At which pages of PDFs are drawn; 150 without this.")
    ] = None,
    max_tiles: Annotated[
        int | None, typer.Option(help="Of a page model: the most tiles of an image.")
    ] = None,
    thumbnail: Annotated[
        bool | None,
        typer.Option(
            "--thumbnail/--no-thumbnail", help="Of a page model: the whole page as one more tile."
        ),
    ] = None,
    dtype: Annotated[str, typer.Option(help="auto, bfloat16, float32 or float16.")] = "auto",
    server: Server = None,
    api_key_file: KeyFile = None,
) -> None:
    """Embed every text or page, in order, in bounded memory."""
    with warnings_as_lines():
        _check_choices(input_type, truncate, precision, output)
        from biencoder.cli.embed_pages import PageRun
        from biencoder.cli.page_sheets import are_pages, page_files
        from biencoder.corpus.reader import Reader
        from biencoder.corpus.vector_files import vector_file
        from biencoder.drafts import check_file
        from biencoder.embedder.pages.settings import PageSettings
        from biencoder.embedder.reach import Reach, open_encoder

        check_file(output, new_parents=False)
        pages = are_pages(files, modality)
        if pages:
            _check_for_pages(input_type, instruction)
            found, left_out = page_files(files)
        else:
            reader = Reader(files, queries=input_type == "query")
            total = reader.count()
        reach = Reach(model=model, server=server or "", api_key_file=api_key_file)
        settings = PageSettings(max_tiles=max_tiles, thumbnail=thumbnail)
        embedder = open_encoder(reach, dtype=dtype, settings=settings)
        coder = make_coder(precision, ranges)
        if pages:
            run_ = PageRun(embedder, coder, found, modality=modality, dpi=dpi)
            run_.write(output, dimensions=dimensions, truncate=truncate, left_out=left_out)
            return
        options = {"role": input_type, "dimensions": dimensions, "truncate": truncate}
        job = _Job(embedder, coder)
        with (
            vector_file(output) as writer,
            progress("embedding", total=total, unit="texts") as tick,
        ):
            for ids, vectors in job.encode(reader, **options, instruction=instruction):
                writer.append(ids, vectors)
                tick(len(ids))
            if job.counts.rows == 0:
                raise _empty(files)
        write_facts(output, embedder, job.counts, coder, options)
        tell(output, embedder, job.counts, coder, unit="text")
        tell_cut(job.counts.cut, truncate, unit="text")
        _tell_skipped(reader.skipped)


@dataclass
class _Job:
    """One run over texts."""

    embedder: Encoder
    coder: Coder
    counts: Counts = field(default_factory=Counts)
    # Filled by the thread that reads ahead, emptied here: a deque is safe at both ends.
    _ids: deque[str] = field(default_factory=deque)

    def encode(
        self, reader: Any, **options: Any
    ) -> Iterator[tuple[list[str], npt.NDArray[np.generic]]]:
        for window in self.embedder.encode_stream(self._texts(reader), **options):
            self.counts.add(window)
            self.counts.unreadable += len(window.unreadable)
            yield [self._ids.popleft() for _ in window.vectors], self.coder(window.vectors)

    def _texts(self, reader: Any) -> Iterator[str]:
        for document in reader:
            self._ids.append(document.id)
            yield document.full_text


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


def _check_for_pages(input_type: str, instruction: str | None) -> None:
    from biencoder.errors import InputError

    if input_type == "query" or instruction is not None:
        given = "--input-type query" if input_type == "query" else "--instruction"
        raise InputError(f"{given} is for questions, and pages are documents", hint="leave it out")


def _empty(files: list[Path]) -> Exception:
    from biencoder.errors import InputError

    return InputError(f"there is no text in {', '.join(map(str, files))}")


def _tell_skipped(skipped: list[Path]) -> None:
    from biencoder.evaluate.report.words import counted

    if skipped:
        say(f"Warning: no text, left out: {counted(len(skipped), 'file')}, first {skipped[0]}")
