"""DigitalCorpora-10k: the public questions joined with the PDFs that you have.

    from biencoder.recipes.digital_corpora import build
    print(build("digital_corpora_10k_annotations.csv", "pdfs", to="dc10k"))

    biencoder evaluate --data dc10k --model nvidia/llama-nemotron-embed-vl-1b-v2 --output results

The labels are ``data/digital_corpora_10k_annotations.csv`` of NVIDIA/nv-ingest on GitHub (Apache-2.0):
by its card 1,347 questions about pages of PDFs from the corpus CC-MAIN-2021-31-PDF-UNTRUNCATED, which it
does not contain. The columns are ``modality`` (text, table, chart, infographic: where on the page the
answer is), ``query``, ``answer``, ``pdf`` (a file's name without its ending, such as 1003421) and
``page``, **counted from 0**. Pages here count from 1, and a page's id is PDF_PAGE, as in the tools of
those who made the labels.

Every PDF below the folder becomes part of the corpus, whether a question is about it or not. The
published figures were taken over 10,000 PDFs: over fewer, the same model finds more.
"""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from biencoder.drafts import new_folder, write_json
from biencoder.errors import InputError
from biencoder.evaluate.pages.build import (
    Advance,
    ReadPdf,
    read_pdfs,
    write_corpus,
    write_questions,
)

COLUMNS = ("modality", "query", "answer", "pdf", "page")
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Label:
    """One question. pdf: the file's name without its ending. page: from 1. kind: where the answer is."""

    query: str
    pdf: str
    page: int
    kind: str
    answer: str

    @property
    def page_id(self) -> str:
        """The id of the page that answers it."""
        return f"{self.pdf}_{self.page}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Built:
    """What a build gave, and all that it lacks.

    missing: PDFs that questions are about and that are not there. unreadable: PDFs and what was lost
    of them. absent: questions whose page the PDF there does not have. kinds: judged questions by
    where the answer is. annotations: questions that are an annotation tool's JSON; they are kept as
    they stand, since others judge them so.
    """

    folder: str
    labels: str
    pdfs: int
    pages: int
    without_text: int
    questions: int
    judged: int
    kinds: Mapping[str, int]
    annotations: int
    missing: tuple[str, ...]
    unreadable: Mapping[str, tuple[str, ...]]
    absent: tuple[str, ...]

    def __str__(self) -> str:
        lines = [
            f"{self.folder}: {self.judged:,} of {self.questions:,} questions on {self.pages:,} pages "
            f"({self.without_text:,} without text) of {self.pdfs:,} PDFs",
            *_told("PDFs with questions that are not there, left out", self.missing),
            *_told("questions whose page their PDF does not have, left out", self.absent),
            *_told(
                "PDFs that were not read whole",
                [f"{name}: {'; '.join(notes)}" for name, notes in self.unreadable.items()],
            ),
        ]
        return "\n".join(lines)


def build(
    labels: str | Path, pdfs: str | Path, *, to: str | Path, advance: Advance | None = None
) -> Built:
    """Write a folder that ``biencoder evaluate --data`` judges; ``build.json`` in it lists what lacks.

    pdfs: a folder with PDFs, at any depth. to: a new folder; it points at the PDFs, so both stay
    where they are. advance: gets 1 for every PDF read.

    Raises InputError for labels of another shape, two PDFs of one name, or no PDF with a question.
    """
    source, place = Path(labels), Path(to)
    questions = read_labels(source)
    files = _files(Path(pdfs))
    if not any(label.pdf in files for label in questions):
        raise InputError(
            f"no question is about one of the {len(files):,} PDFs below {pdfs}",
            hint="names decide, such as 1003421.pdf; archives are not opened",
        )
    tally = _Tally()
    with new_folder(place) as draft:
        read = tally.watch(read_pdfs(list(files.values()), advance=advance))
        write_corpus(draft, read, seen_from=place, name=_page_id)
        judged = {
            str(row): label for row, label in enumerate(questions) if label.page_id in tally.pages
        }
        write_questions(
            draft,
            (
                {"_id": id_, "text": label.query, "kind": label.kind, "answer": label.answer}
                for id_, label in judged.items()
            ),
            {id_: {label.page_id: 1} for id_, label in judged.items()},
        )
        built = _account(place, source, questions, files, tally)
        write_json(draft / "build.json", asdict(built))
    return built


def read_labels(path: Path) -> list[Label]:
    """The questions, in the file's order. Raises InputError that names what is wrong where."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True)
            lacking = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if lacking:
                raise InputError(
                    f"{path} lacks the columns {', '.join(lacking)}",
                    hint="it is digital_corpora_10k_annotations.csv that is read here",
                )
            return [_label(path, reader.line_num, row) for row in reader]
    except OSError as error:
        raise InputError(f"{path} cannot be opened: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError(f"{path} is not CSV in UTF-8: {error}") from error


def _label(path: Path, line: int, row: Mapping[str, str | None]) -> Label:
    page, pdf, query = (row.get(name) or "" for name in ("page", "pdf", "query"))
    if not (page.strip().isdecimal() and pdf.strip() and query.strip()):
        raise InputError(
            f"{path}, line {line} has no query, no pdf, or a page that is no whole number from 0",
            hint=f"each line needs {', '.join(COLUMNS)}",
        )
    return Label(
        query=query,
        pdf=_name(pdf.strip()),
        page=int(page) + 1,
        kind=row["modality"] or "",
        answer=row["answer"] or "",
    )


def _name(pdf: str) -> str:
    """A PDF's name as both sides can be compared by it: the labels are numbers, files may begin with 0.

    >>> _name("0003421.pdf"), _name("1003421")
    ('3421', '1003421')
    """
    stem = pdf[:-4] if pdf.lower().endswith(".pdf") else pdf
    return stem.lstrip("0") or "0"


def _page_id(path: Path, number: int) -> str:
    return f"{_name(path.name)}_{number}"


def _files(folder: Path) -> dict[str, Path]:
    """Every PDF below a folder, by its name."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder}", hint="give the folder with the PDFs")
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() != ".pdf" or not path.is_file():
            continue
        if _name(path.name) in files:
            raise InputError(
                f"{path} and {files[_name(path.name)]} have one name",
                hint="a question's PDF is known by its name alone: keep one of the two",
            )
        files[_name(path.name)] = path
    return files


class _Tally:
    """What was seen of the PDFs while they passed."""

    def __init__(self) -> None:
        self.pages: set[str] = set()
        self.without_text = 0
        self.notes: dict[str, tuple[str, ...]] = {}

    def watch(self, pdfs: Iterable[ReadPdf]) -> Iterator[ReadPdf]:
        for pdf in pdfs:
            self.pages.update(_page_id(pdf.path, number) for number in pdf.texts)
            self.without_text += sum(not text for text in pdf.texts.values())
            if pdf.notes:
                self.notes[pdf.path.name] = pdf.notes
            yield pdf


def _account(
    place: Path,
    source: Path,
    questions: Sequence[Label],
    files: Mapping[str, Path],
    tally: _Tally,
) -> Built:
    judged = [label for label in questions if label.page_id in tally.pages]
    lost = [label for label in questions if label.page_id not in tally.pages]
    return Built(
        folder=place.name,
        labels=hashlib.sha256(source.read_bytes()).hexdigest(),
        pdfs=len(files),
        pages=len(tally.pages),
        without_text=tally.without_text,
        questions=len(questions),
        judged=len(judged),
        kinds=dict(Counter(label.kind for label in judged)),
        annotations=sum(label.query.startswith('{"') for label in judged),
        missing=tuple(sorted({label.pdf for label in lost if label.pdf not in files})),
        unreadable=tally.notes,
        absent=tuple(label.page_id for label in lost if label.pdf in files),
    )


def _told(what: str, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return [f"{what}: {len(names):,} ({', '.join(names[:_SHOWN])}{more})"]
