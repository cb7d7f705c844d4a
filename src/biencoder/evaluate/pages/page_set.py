"""A judged set whose documents are pages: a picture each, and the page's text.

The folder is in BEIR's layout, as ViDoRe's sets are: a row of ``corpus.jsonl`` has ``_id``, ``text``
(the page's text layer; may be missing) and either ``image``, a file, or ``pdf`` and ``page``, counted
from 1. Paths are relative to the folder.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from biencoder.corpus.beir import (
    Document,
    read_exclusions,
    read_jsonl,
    read_qrels,
    read_query_rows,
)
from biencoder.errors import InputError
from biencoder.evaluate.judged_set import JudgedSet, SameId, judge, name_of, read_judged_set

_CORPUS = ("corpus.jsonl", "corpus.jsonl.gz")


@dataclass(frozen=True, slots=True, order=True)
class PageSource:
    """Where a page's picture is: a page of a PDF, counted from 1, or, with 0, an image file."""

    path: Path
    page: int = 0


@dataclass(frozen=True, slots=True)
class JudgedPage:
    """One document as a page model gets it. ``text``: "" for pixels alone."""

    id: str
    source: PageSource
    text: str


@dataclass(frozen=True, kw_only=True)
class PageSet(JudgedSet):
    """A judged set of pages. ``sources``: by document, in the documents' order.

    The pages of one file stand together, so that a PDF is opened once. The digest is that of the
    texts and judgements, so text and pictures of one set can be compared query by query; what the
    pictures are is told by `pictures`.
    """

    sources: Mapping[str, PageSource]

    def pages(self, *, with_text: bool) -> tuple[JudgedPage, ...]:
        """Every document as a page, in the set's order."""
        return tuple(
            JudgedPage(
                document.id,
                self.sources[document.id],
                document.full_text if with_text else "",
            )
            for document in self.documents
        )

    @property
    def has_text(self) -> bool:
        """Whether any page has words to search."""
        return any(document.full_text for document in self.documents)

    @property
    def files(self) -> tuple[Path, ...]:
        """The images and PDFs, each once."""
        return tuple(dict.fromkeys(source.path for source in self.sources.values()))

    @cached_property
    def pictures(self) -> str:
        """SHA-256 of what the pictures are made from: every file, and which page is which document."""
        whole = hashlib.sha256()
        hashes = {path: _file_hash(path) for path in self.files}
        for id_, source in self.sources.items():
            whole.update(f"{id_}\n{hashes[source.path]}\n{source.page}\n".encode())
        return whole.hexdigest()

    def check_files(self) -> None:
        """Raise InputError that counts the files which are not there."""
        missing = [path for path in self.files if not path.is_file()]
        if missing:
            raise InputError(
                f"{self.name} lacks {len(missing):,} of {len(self.files):,} image and PDF files, "
                f"first {missing[0]}",
                hint="paths in corpus.jsonl are relative to its folder; --modality text needs none",
            )


def with_pictures(judged: JudgedSet) -> PageSet:
    """The set, if its documents are pages. Raises InputError where they are not, or lack files."""
    if not isinstance(judged, PageSet):
        raise InputError(
            f"the documents of {judged.name} have no pictures",
            hint="rows of corpus.jsonl need image, or pdf and page; or take --modality text",
        )
    judged.check_files()
    return judged


def is_page_folder(folder: Path) -> bool:
    """Whether the documents of a folder in BEIR's layout are pages; its first row tells."""
    for _, row in itertools.islice(_rows(folder), 1):
        return "image" in row or "pdf" in row
    return False


def read_set(
    folder: Path,
    *,
    split: str = "test",
    queries_from: Path | None = None,
    same_id: SameId = "auto",
) -> JudgedSet:
    """A folder in BEIR's layout; a `PageSet` where its documents are pages. As `read_judged_set`."""
    if not is_page_folder(folder):
        return read_judged_set(folder, split=split, queries_from=queries_from, same_id=same_id)
    documents: dict[str, Document] = {}
    sources: dict[str, PageSource] = {}
    for number, row in _rows(folder):
        id_ = str(row.get("_id") or "")
        if not id_ or id_ in documents:
            raise _row_error(folder, number, f"has the _id {id_!r}", "each page needs its own")
        sources[id_] = _source(folder, number, row)
        documents[id_] = Document(id_, str(row.get("title") or ""), str(row.get("text") or ""))
    ordered = sorted(documents, key=sources.__getitem__)
    judged = judge(
        [documents[id_] for id_ in ordered],
        read_query_rows(queries_from or folder),
        read_qrels(folder, split),
        name=name_of(folder, queries_from),
        excluded=read_exclusions(folder, split),
        same_id=same_id,
    )
    parts: dict[str, Any] = {part.name: getattr(judged, part.name) for part in fields(judged)}
    return PageSet(**parts, sources={id_: sources[id_] for id_ in ordered})


def _rows(folder: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    path = next((folder / name for name in _CORPUS if (folder / name).exists()), None)
    return iter(()) if path is None else read_jsonl(path)


def _source(folder: Path, number: int, row: Mapping[str, Any]) -> PageSource:
    image, pdf, page = (row.get(name) for name in ("image", "pdf", "page"))
    if isinstance(image, str) and image and pdf is None:
        return PageSource(folder / image)
    if isinstance(pdf, str) and pdf and image is None:
        if isinstance(page, int) and not isinstance(page, bool) and page >= 1:
            return PageSource(folder / pdf, page)
        raise _row_error(folder, number, f"has the page {page!r}", "a PDF's pages count from 1")
    raise _row_error(
        folder, number, "says nowhere what the page looks like", "give image, or pdf and page"
    )


def _row_error(folder: Path, number: int, what: str, hint: str) -> InputError:
    return InputError(f"{folder}, line {number} of the corpus {what}", hint=hint)


def _file_hash(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error
