"""`biencoder embed` over pages: a row a page, named; a bad one is told and the others are written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests import tiny_pages
from tests.commands import fails, run, succeeds
from tests.reading import made

from biencoder import Embedder
from biencoder.reading.pdf_pages import pdf_pages

TEXTS = ["green tea", "the river and the lakes"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_pages.write_checkpoint(tmp_path_factory.mktemp("pages") / "model")


@pytest.fixture(scope="module")
def vl(folder: Path) -> Embedder:
    return Embedder.load(folder, dtype="float32", device="cpu")


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Here lie two images and a PDF of two pages."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pages").mkdir()
    for name, size in (("a.png", (160, 200)), ("b.jpg", (60, 60))):
        tiny_pages.picture(*size).save(tmp_path / "pages" / name)
    (tmp_path / "report.pdf").write_bytes(made.pdf(TEXTS))
    return tmp_path


def embed(folder: Path, *arguments: object) -> tuple[int, str, str]:
    return run("embed", *arguments, "--model", folder, "--dtype", "float32", "--dpi", 40)


def meta(path: str = "v.meta.json") -> dict[str, Any]:
    value: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return value


def drawn() -> list[Any]:
    return [page.image() for page in pdf_pages(Path("report.pdf"), notes=[], dpi=40)]


def test_images_and_pdf_pages_are_rows_in_order_with_source_and_page(
    work: Path, folder: Path, vl: Embedder
) -> None:
    code, _, err = embed(
        folder, "pages/a.png", "report.pdf", "pages/b.jpg", "--output", "v.parquet"
    )
    assert code == 0, err
    table = pq.read_table("v.parquet")
    ids = ["pages/a.png", "report.pdf#page=1", "report.pdf#page=2", "pages/b.jpg"]
    assert table["id"].to_pylist() == ids
    expected = vl.encode_documents(
        [None, *TEXTS, None], images=["pages/a.png", *drawn(), "pages/b.jpg"]
    )
    vectors = np.asarray(table["embedding"].to_pylist(), np.float32)
    np.testing.assert_allclose(vectors, expected, atol=1e-6)
    facts = meta()
    assert [(row["source"], row["page"]) for row in facts["pages"]] == [
        ("pages/a.png", None), ("report.pdf", 1), ("report.pdf", 2), ("pages/b.jpg", None),
    ]  # fmt: skip
    assert facts["modality"] == "image_text"
    assert (facts["dpi"], facts["max_tiles"], facts["thumbnail"]) == (40, 6, True)
    assert facts["failed"] == []
    assert "4 pages" in err


def test_the_modality_decides_what_of_a_page_is_read(
    work: Path, folder: Path, vl: Embedder
) -> None:
    for modality, expected in (
        ("image", vl.encode_documents(images=drawn())),
        ("image_text", vl.encode_documents(TEXTS, images=drawn())),
        ("text", vl.encode_documents(TEXTS)),
    ):
        code, _, err = embed(folder, "report.pdf", "--modality", modality, "--output", "v.npy")
        assert code == 0, err
        np.testing.assert_allclose(np.load("v.npy"), expected, atol=1e-6)
        assert meta()["modality"] == modality


def test_tiles_and_thumbnail_are_options(work: Path, folder: Path) -> None:
    settings = ("--max-tiles", 2, "--no-thumbnail")
    code, _, err = embed(folder, "pages/a.png", "--output", "v.npy", *settings)
    assert code == 0, err
    coarse = Embedder.load(folder, dtype="float32", max_tiles=2, thumbnail=False)
    np.testing.assert_allclose(
        np.load("v.npy"), coarse.encode_documents(images=["pages/a.png"]), atol=1e-6
    )
    assert (meta()["max_tiles"], meta()["thumbnail"]) == (2, False)


def test_a_text_model_reads_the_text_of_pdfs(work: Path) -> None:
    succeeds("embed", "report.pdf", "--output", "v.npy")
    expected = Embedder.load("mini").encode_documents(TEXTS)
    np.testing.assert_allclose(np.load("v.npy"), expected, atol=1e-6)
    assert meta()["modality"] == "text"


def test_what_has_no_vector_is_told_at_the_end_and_the_rest_is_written(
    work: Path, folder: Path, vl: Embedder
) -> None:
    Path("pages/bad.png").write_bytes(b"\x89PNG\r\n\x1a\nno more")
    Path("locked.pdf").write_bytes(made.encrypted_pdf())
    Path("empty.webp").write_bytes(b"")
    files = ["pages/bad.png", "locked.pdf", "report.pdf", "empty.webp", "pages/b.jpg"]
    code, _, err = embed(folder, *files, "--output", "v.jsonl")
    assert code == 3
    rows = [json.loads(line) for line in Path("v.jsonl").read_text().splitlines()]
    assert [row["id"] for row in rows] == ["report.pdf#page=1", "report.pdf#page=2", "pages/b.jpg"]
    expected = vl.encode_documents([*TEXTS, None], images=[*drawn(), "pages/b.jpg"])
    np.testing.assert_allclose([row["embedding"] for row in rows], expected, atol=1e-6)
    told = err.partition("Failed:")[2]
    for line in ("pages/bad.png: ", "locked.pdf: is encrypted", "empty.webp: "):
        assert line in told
    assert {row["source"] for row in meta()["failed"]} == {
        "pages/bad.png", "locked.pdf", "empty.webp",
    }  # fmt: skip


def test_a_lost_page_of_a_pdf_has_failed_and_its_neighbours_are_rows(
    work: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from biencoder.reading import pdf_pages as reading
    from biencoder.reading.limits import Limits

    Path("endless.pdf").write_bytes(made.pdf_with_endless_page(2, 3))
    quick = Limits(page_seconds=1.0)
    monkeypatch.setattr(reading.pdf_pages, "__kwdefaults__", {"limits": quick, "dpi": reading.DPI})
    code, _, err = embed(folder, "endless.pdf", "--output", "v.npy")
    assert code == 3, err
    assert [row["page"] for row in meta()["pages"]] == [1, 3]
    assert "endless.pdf: page 2 " in err.partition("Failed:")[2]


def test_a_page_without_text_or_an_image_has_no_text(work: Path, folder: Path) -> None:
    Path("half.pdf").write_bytes(made.pdf(["tea", ""]))
    code, _, err = embed(
        folder, "half.pdf", "pages/a.png", "--modality", "text", "--output", "v.npy"
    )
    assert code == 3
    assert len(np.load("v.npy")) == 1
    assert "half.pdf, page 2: holds no text" in err
    assert "pages/a.png: is an image" in err


def test_a_folder_of_pages_is_read_whole_and_other_files_are_told(work: Path, folder: Path) -> None:
    (work / "pages" / "notes.xyz").write_text("?")
    (work / "pages" / ".hidden.png").write_text("?")
    code, _, err = embed(folder, "pages", "--output", "v.npy")
    assert code == 0, err
    assert [row["source"] for row in meta()["pages"]] == ["pages/a.png", "pages/b.jpg"]
    assert "left out: 1 file, first pages/notes.xyz" in err


def test_texts_that_are_cut_are_counted(work: Path, folder: Path) -> None:
    Path("long.pdf").write_bytes(made.pdf(["word " * 1100]))
    options = ("long.pdf", "--output", "v.npy")
    code, _, err = embed(folder, *options)
    assert code != 0
    assert "no page could be embedded: long.pdf, page 1: image and text have" in err
    assert not Path("v.npy").exists()
    code, _, err = embed(folder, *options, "--truncate", "END")
    assert code == 0, err
    assert "the last tokens cut off: 1 page" in err
    assert meta()["cut"] == 1


@pytest.mark.parametrize(
    ("message", "arguments"),
    [
        ("reads text only.*vl-1b-v2", ["pages/a.png", "--modality", "image"]),
        ("no page could be embedded: pages/a.png: is an image", ["pages/a.png"]),
        ("use one of text, image, image_text", ["pages/a.png", "--modality", "both"]),
        ("texts and pages do not go into one run", ["pages/a.png", "words.txt"]),
        ("neither a PDF nor an image", ["words.txt", "--modality", "image"]),
        ("no file or folder", ["gone.png"]),
        ("no page in", ["nothing", "--modality", "image"]),
        ("--input-type query is for questions", ["pages/a.png", "--input-type", "query"]),
        ("--instruction is for questions", ["report.pdf", "--instruction", "find"]),
        ("max_tiles belong to a page model", ["report.pdf", "--max-tiles", "2"]),
    ],
)
def test_a_fault_is_one_sentence_and_leaves_no_file(
    message: str, arguments: list[str], work: Path
) -> None:
    Path("words.txt").write_text("tea\n", encoding="utf-8")
    Path("nothing").mkdir()
    fails(f"(?s){message}", "embed", *arguments, "--output", "v.npy")
    assert not list(work.glob("*v.*"))


def test_the_beginning_of_a_page_cannot_be_cut(work: Path, folder: Path) -> None:
    code, _, err = embed(folder, "pages/a.png", "--truncate", "START", "--output", "v.npy")
    assert code == 1
    assert "would cut the images" in err
