"""Files into pages for `biencoder embed`: what cannot be had is remembered, and the rest goes on."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Container, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from biencoder.embedder.pages.page import MODALITIES, Modality, Page
from biencoder.errors import InputError
from biencoder.reading.kinds import IMAGE_SUFFIXES

PAGE_SUFFIXES = (".pdf", *IMAGE_SUFFIXES)
_PAGE_NOTE = re.compile(r"pages? (\d+)")


@dataclass(frozen=True, slots=True)
class Sheet:
    """One page and where it is from. page: its number in a PDF, None for an image."""

    source: str
    page: int | None
    content: Page

    @property
    def id(self) -> str:
        """The source, and the page as a PDF viewer takes it."""
        return self.source if self.page is None else f"{self.source}#page={self.page}"


def are_pages(files: Sequence[Path], modality: str | None) -> bool:
    """Whether a run is over pages: a file is one, images are asked for, or a folder has nothing else.

    Raises InputError for a modality that is none.
    """
    from biencoder.corpus.beir import is_beir_folder
    from biencoder.corpus.reader import TEXT_SUFFIXES

    if modality is not None and modality not in MODALITIES:
        raise InputError(f"--modality is {modality!r}", hint=f"use one of {', '.join(MODALITIES)}")
    if modality in ("image", "image_text"):
        return True
    for path in files:
        if path.is_dir() and not is_beir_folder(path):
            names = [found.name.lower() for found in path.rglob("*")]
            pages = any(name.endswith(PAGE_SUFFIXES) for name in names)
            texts = any(name.endswith((*TEXT_SUFFIXES, ".jsonl", ".jsonl.gz")) for name in names)
            if pages and not texts:
                return True
        elif path.name.lower().endswith(PAGE_SUFFIXES):
            return True
    return False


def page_files(files: Sequence[Path]) -> tuple[list[Path], list[Path]]:
    """The PDFs and images among files and folders, in order, and the files of folders that are neither.

    Raises InputError for a file that is neither, or is not there.
    """
    found: list[Path] = []
    others: list[Path] = []
    for path in files:
        if not path.exists():
            raise InputError(f"there is no file or folder {path}")
        if path.is_dir():
            inside = sorted(file for file in path.rglob("*") if _is_open(file, path))
            for file in inside:
                (found if file.suffix.lower() in PAGE_SUFFIXES else others).append(file)
        elif path.suffix.lower() in PAGE_SUFFIXES:
            found.append(path)
        else:
            raise InputError(
                f"{path} is neither a PDF nor an image that is read here, and texts and pages do not go "
                "into one run",
                hint=f"pages are {', '.join(PAGE_SUFFIXES)}",
            )
    if not found:
        raise InputError(f"there is no page in {', '.join(map(str, files))}")
    return found, others


def _is_open(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return file.is_file() and not hidden


@dataclass
class Sheets:
    """The pages of files, read once. dpi: at which those of PDFs are drawn.

    waiting: what was given and not yet taken. It is filled by the thread that reads ahead and emptied by
    whoever embeds: a deque is safe at both ends. failed: source, page (None: the source says it, or is
    one) and reason; notes: what else to know of a source.
    """

    files: Sequence[Path]
    modality: Modality
    dpi: int
    waiting: deque[Sheet] = field(default_factory=deque)
    failed: list[tuple[str, int | None, str]] = field(default_factory=list)
    notes: list[tuple[str, str]] = field(default_factory=list)

    def pages(self) -> Iterator[Page]:
        """Every page that can be had, as the model takes it."""
        for path in self.files:
            sheets = self._drawn(path) if path.suffix.lower() == ".pdf" else self._image(path)
            for sheet in sheets:
                self.waiting.append(sheet)
                yield sheet.content

    def _image(self, path: Path) -> Iterator[Sheet]:
        yield Sheet(path.as_posix(), None, Page(image=path))

    def _drawn(self, path: Path) -> Iterator[Sheet]:
        """The pages of a PDF with their text layer, where that is wanted and there is one."""
        from biencoder.reading.pdf_pages import pdf_pages

        source, notes, given = path.as_posix(), list[str](), set[int]()
        try:
            with closing(pdf_pages(path, dpi=self.dpi, notes=notes)) as drawing:
                for drawn in drawing:
                    text = drawn.text if self.modality == "image_text" else ""
                    content = Page(image=drawn.image(), text=text if text.strip() else None)
                    given.add(drawn.number)
                    yield Sheet(source, drawn.number, content)
        except InputError as error:
            # Its notes are its reason.
            self.failed.append((source, None, error.message))
            return
        self._noted(source, notes, given)

    def texts(self) -> Iterator[str]:
        """The text layers of PDFs, without drawing them."""
        from biencoder.reading.file_text import ReadFailure
        from biencoder.reading.pool import ReaderPool

        pdfs = [path for path in self.files if path.suffix.lower() == ".pdf"]
        self.failed += [
            (path.as_posix(), None, "is an image: it has no text, and --modality is text")
            for path in self.files
            if path not in pdfs
        ]
        with ReaderPool(1) as pool:
            for path, read in zip(pdfs, pool.read(pdfs), strict=True):
                source = path.as_posix()
                if isinstance(read, ReadFailure):
                    self.failed.append((source, None, read.reason))
                    continue
                self._noted(source, read.notes, {page.number or 0 for page in read.pages})
                for page in read.pages:
                    if not page.text.strip():
                        self.failed.append((source, page.number, "holds no text"))
                        continue
                    self.waiting.append(Sheet(source, page.number, Page(text=page.text)))
                    yield page.text

    def _noted(self, source: str, notes: Sequence[str], given: Container[int]) -> None:
        """What was said of a PDF: a page that was not given has failed, the rest is good to know."""
        for note in notes:
            page = _PAGE_NOTE.match(note)
            if page is not None and int(page[1]) not in given:
                self.failed.append((source, None, note))
            else:
                self.notes.append((source, note))

    def take(self, count: int) -> list[Sheet]:
        """The next ``count`` pages that were given."""
        return [self.waiting.popleft() for _ in range(count)]

    def failures(self) -> list[str]:
        """Each failure on a line."""
        return [
            f"{source}{'' if page is None else f', page {page}'}: {reason}"
            for source, page, reason in self.failed
        ]
