"""The documents of a plan, read file by file; a file or row that cannot be read is one with a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from biencoder.index.feed import Document, Part
from biencoder.index.filter_check import ColumnType
from biencoder.index.ledger import FileEnd
from biencoder.index.metadata import Brought, bring
from biencoder.index.plan import Job, Plan, row_hash, row_source
from biencoder.reading.file_text import FileText, ReadFailure
from biencoder.reading.pool import ReaderPool
from biencoder.reading.rows import LeftOut, Row, RowReader


def documents(plan: Plan, pool: ReaderPool) -> Iterator[Document]:
    """Whole files first, then files of rows; not those that are read by their looks."""
    files = [job for job in plan.jobs if job.rows is None and not job.by_looks]
    for job, found in zip(files, pool.read(job.path for job in files), strict=True):
        yield _file_document(job, found)
    for job in plan.jobs:
        if job.rows is not None:
            yield from _row_documents(job, plan.columns)
    for file, reason in plan.failures.items():
        yield Document(source=file, file=file, sha256="", reason=reason)


def _file_document(job: Job, found: FileText | ReadFailure) -> Document:
    document = Document(job.file, job.file, job.sha256)
    if isinstance(found, ReadFailure):
        return replace(document, reason=found.reason, ends=FileEnd(job.sha256))
    return replace(
        document,
        title=found.title,
        parts=tuple(Part(page.number, page.text) for page in found.pages),
        markdown=found.markdown,
        remarks=found.remarks,
        ends=FileEnd(job.sha256, found.notes),
    )


def _row_documents(job: Job, columns: Mapping[str, ColumnType]) -> Iterator[Document]:
    """The rows that are to be done, and what cannot be; then the file's end."""
    assert job.rows is not None
    reader = RowReader(job.path, job.file)
    left_out = LeftOut()
    seen: set[str] = set()
    for number, row in enumerate(reader, start=1):
        if isinstance(row, ReadFailure):
            yield Document(f"{job.file}#?{number}", job.file, "", reason=row.reason)
            continue
        source = row_source(job.file, row)
        # Of rows that stand already too: the notes are on the whole file.
        brought = bring(row, columns, left_out)
        if source in seen:
            reason = f"line {row.number}: its id {row.id!r} stands there already"
            yield Document(f"{job.file}#?{number}", job.file, "", reason=reason)
        elif source in job.rows:
            yield _row_document(job, row, source, brought)
        seen.add(source)
    notes = (*reader.notes, *left_out.notes)
    yield Document("", job.file, "", ends=FileEnd(job.sha256, notes))


def _row_document(job: Job, row: Row, source: str, brought: Brought) -> Document:
    if brought.reason:
        # It waits for others before it is told, and may not hold its text meanwhile.
        return Document(source, job.file, row_hash(row), reason=brought.reason)
    text, heading = _sound(row.text), _sound(brought.heading)
    metadata = brought.metadata.items()
    return Document(
        source=source,
        file=job.file,
        sha256=row_hash(row),
        title=_sound(row.title),
        parts=(Part(brought.page, text, headings=(heading,) if heading else ()),),
        markdown="\n#" in text or text.startswith("#"),
        metadata={name: _sound(v) if isinstance(v, str) else v for name, v in metadata},
    )


def _sound(text: str) -> str:
    """Half a surrogate pair, which JSON may hold and no file may, as JSON's own escape."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
