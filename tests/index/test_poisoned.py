"""One poisoned file never stops the job: each is told with its reason, all others are indexed."""

from __future__ import annotations

from pathlib import Path

from tests.index.made_documents import ROWS, TEXTS, write_documents
from tests.reading import made

from biencoder import Embedder, Index
from biencoder.index.build import Options, index_folder
from biencoder.reading.limits import MEBIBYTE, Limits

WHOLE = made.pdf(["Penguins cannot fly, but they swim very well.", "Their chicks are grey."])
POISONED = {
    "encrypted.pdf": (made.encrypted_pdf(), "is encrypted"),
    "truncated.pdf": (WHOLE[:200], "is a damaged or truncated PDF"),
    "no-pages.pdf": (made.pdf([]), "has no pages"),
    "endless.pdf": (made.pdf(["x"] * 10_000), "has 10,000 pages; at most 5,000 are read"),
    "empty.pdf": (b"", "is empty"),
    "not-a.pdf": (b"This is plain text.", "is not a PDF, whatever its name says"),
    "binary.txt": (bytes(range(256)) * 20, "is not text: it holds NUL bytes"),
    "bomb.docx": (
        made.zipped({"word/document.xml": b"0" * (200 * MEBIBYTE)}),
        "times its size, as a zip bomb does",
    ),
    "chinese.md": ("湖是河流被切断的弯道。".encode() * 40, "is hardly readable for mini"),
}


def test_every_poisoned_file_is_told_and_everything_else_is_indexed(tmp_path: Path) -> None:
    docs = write_documents(tmp_path / "docs")
    made.write(docs / "penguins.pdf", WHOLE)
    for name, (data, _) in POISONED.items():
        made.write(docs / name, data)
    mini = Embedder.load("mini")
    tally = index_folder(docs, tmp_path / "index", Options(limits=Limits()), embedder=mini)
    assert tally.failures.keys() == POISONED.keys()
    for name, (_, reason) in POISONED.items():
        assert reason in tally.failures[name], name
    assert tally.documents == len(TEXTS) + len(ROWS) + 1
    (hit,) = Index.open(tmp_path / "index", embedder=mini).search("grey chicks", top_k=1)
    assert (hit.source, hit.page) == ("penguins.pdf", 2)
