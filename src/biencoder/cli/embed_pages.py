"""`biencoder embed` over pages: each page of a PDF and each image a row, whatever is wrong with the others."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from biencoder.cli.embedded import Coder, Counts, tell, tell_cut, write_facts
from biencoder.cli.page_sheets import Sheet, Sheets
from biencoder.cli.show import progress, say
from biencoder.cli.show_index import FAULTS
from biencoder.embedder.pages.page import PAGE_MODEL
from biencoder.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from biencoder.embedder.encoder import Encoder


class PageRun:
    """One run over pages.

    Raises InputError where the model does not read what is asked.
    """

    def __init__(
        self,
        embedder: Encoder,
        coder: Coder,
        files: Sequence[Path],
        *,
        modality: str | None,
        dpi: int | None,
    ) -> None:
        from biencoder.reading.pdf_pages import DPI

        self.modality = modality or ("text" if embedder.pages is None else "image_text")
        if self.modality not in embedder.modalities:
            raise InputError(
                f"{embedder.profile.name} reads text only, and --modality {self.modality} wants images",
                hint=f"images need a page model: --model {PAGE_MODEL}",
            )
        self.embedder, self.coder = embedder, coder
        self.sheets = Sheets(files, self.modality, dpi or DPI)
        self.counts = Counts()
        self._done: list[dict[str, object]] = []

    def write(
        self,
        output: Path,
        *,
        dimensions: int | None,
        truncate: str,
        left_out: Sequence[Path],
    ) -> None:
        """Write vectors and facts, tell what happened; exit code 3 where a page has no vector."""
        from biencoder.corpus.vector_files import vector_file

        if truncate == "START" and self.modality != "text":
            raise InputError(
                "--truncate START would cut the images, which stand before their texts",
                hint="use END or NONE",
            )
        known = all(path.suffix.lower() != ".pdf" for path in self.sheets.files)
        with (
            vector_file(output) as writer,
            progress(
                "embedding", total=len(self.sheets.files) if known else None, unit="pages"
            ) as tick,
        ):
            for ids, vectors, pages in self._encode(dimensions=dimensions, truncate=truncate):
                if ids:
                    writer.append(ids, vectors)
                tick(pages)
            if self.counts.rows == 0:
                raise InputError("no page could be embedded" + self._first_reason())
        write_facts(output, self.embedder, self.counts, self.coder, self._facts(truncate))
        self._tell(output, truncate, left_out)
        if self.sheets.failed:
            raise typer.Exit(FAULTS)

    def _encode(self, **options: Any) -> Iterator[tuple[list[str], npt.NDArray[np.generic], int]]:
        """Ids and vectors of the pages that have one, and how many pages that took."""
        if self.modality == "text":
            for window in self.embedder.encode_stream(
                self.sheets.texts(), role="document", **options
            ):
                self.counts.add(window)
                self.counts.unreadable += len(window.unreadable)
                sheets = self.sheets.take(len(window.vectors))
                yield self._ids(sheets), self.coder(window.vectors), len(sheets)
            return
        for seen in self.embedder.encode_pages(self.sheets.pages(), **options):
            self.counts.add(seen)
            sheets = self.sheets.take(seen.pages)
            for failure in seen.failed:
                sheet = sheets[failure.row - seen.first_row]
                self.sheets.failed.append((sheet.source, sheet.page, failure.reason))
            kept = [sheets[row - seen.first_row] for row in seen.rows]
            vectors = self.coder(seen.vectors) if kept else seen.vectors
            yield self._ids(kept), vectors, seen.pages

    def _ids(self, sheets: Sequence[Sheet]) -> list[str]:
        ids = [sheet.id for sheet in sheets]
        self._done += [
            {"id": id_, "source": sheet.source, "page": sheet.page}
            for id_, sheet in zip(ids, sheets, strict=True)
        ]
        return ids

    def _first_reason(self) -> str:
        return ": " + self.sheets.failures()[0] if self.sheets.failed else ""

    def _facts(self, truncate: str) -> dict[str, Any]:
        pages = self.embedder.pages
        seen: dict[str, Any] = {}
        if pages is not None and self.modality != "text":
            seen = {
                "dpi": self.sheets.dpi,
                "max_tiles": pages.max_tiles,
                "thumbnail": pages.thumbnail,
                "limits": asdict(pages.limits),
            }
        return {
            "role": "document",
            "modality": self.modality,
            **seen,
            "truncate": truncate,
            "pages": self._done,
            "failed": [
                {"source": source, "page": page, "reason": reason}
                for source, page, reason in self.sheets.failed
            ],
        }

    def _tell(self, output: Path, truncate: str, left_out: Sequence[Path]) -> None:
        from biencoder.evaluate.report.words import counted, one_line

        tell(output, self.embedder, self.counts, self.coder, unit="page")
        tell_cut(self.counts.cut, truncate, unit="page")
        if left_out:
            files = counted(len(left_out), "file")
            say(f"Warning: no page, left out: {files}, first {left_out[0]}")
        for source, note in self.sheets.notes:
            say(f"Warning: {one_line(source)}: {one_line(note)}")
        if self.sheets.failed:
            say("Failed:")
        for line in self.sheets.failures():
            say(f"  {one_line(line)}")
