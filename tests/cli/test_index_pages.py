"""`biencoder index` and its neighbours over page images: what is told, what is refused, which exit code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.commands import fails, run, succeeds
from tests.index import made_index, made_pages


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_pages.write_sources(tmp_path_factory.mktemp("pages") / "source")


@pytest.fixture(scope="module")
def folder(source: Path) -> Path:
    to = source.parent / "index"
    told = succeeds("index", source, "--to", to, *MODEL, "--dpi", 36)
    assert "5 documents and 6 page images and 1 passage indexed" in told
    return to


MODEL = ("--model", made_pages.checkpoint())


def test_images_are_read_by_a_page_model_unless_it_is_told_otherwise(
    source: Path, tmp_path: Path
) -> None:
    code, out, err = run(
        "index", source, "--to", tmp_path / "text", *MODEL, "--modality", "text", "--json"
    )
    assert code == 0, err
    found = json.loads(out)
    assert (found["documents"], found["chunks"], found["pages"]) == (2, 3, 0)
    assert found["not_read"] == [f"photo-{number}.png" for number in range(3)]


def test_what_failed_is_told_at_the_end(source: Path, tmp_path: Path) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    (docs / "photo.png").write_bytes((source / "photo-0.png").read_bytes())
    (docs / "torn.jpg").write_bytes(b"\xff\xd8\xff\xe0")
    code, _, err = run("index", docs, "--to", tmp_path / "index", *MODEL)
    assert code == 3
    lines = err.splitlines()
    assert lines[0].startswith("1 document and 1 page image indexed, 0 unchanged")
    assert lines[-1] == "  torn.jpg: the image is a damaged or truncated JPEG image"
    status = json.loads(run("status", tmp_path / "index", "--json")[1])
    assert [failure["source"] for failure in status["failures"]] == ["torn.jpg"]


def test_status_says_how_pages_are_read_and_how_large_their_pictures_are(folder: Path) -> None:
    told = " ".join(succeeds("status", folder).split())
    assert (
        "page images 6, embedded by image and text; tiles up to 6 and a thumbnail, PDFs drawn at 36 dpi"
        in told
    )
    found: dict[str, Any] = json.loads(run("status", folder, "--json")[1])
    assert (found["pages"], found["modality"], found["settings"]["dpi"]) == (6, "image_text", 36)
    pictures = sum(path.stat().st_size for path in made_pages.page_files(folder))
    assert found["bytes"]["page images"] == pictures > 0


def test_verify_tells_of_the_pictures(folder: Path) -> None:
    told = succeeds("verify", folder)
    lines = {" ".join(line.split()) for line in told.splitlines()}
    assert "ok each page has its picture and its parts 6 pages" in lines
    assert "ok no picture is left of a page that went 12 files" in lines


def test_a_found_page_shows_its_file_its_number_and_its_text_or_that_it_has_none(
    folder: Path,
) -> None:
    told = succeeds("search", "loud pump", "--in", folder, "--mode", "lexical")
    assert "report.pdf  page 2  page image" in told
    assert "A loud pump." in told
    told = succeeds("search", "loud pump", "--in", folder, "--mode", "dense", "--top-k", 9)
    assert told.count("page image, without a text layer") == 4
    found = json.loads(run("search", "pump", "--in", folder, "--top-k", 9, "--json")[1])
    photos = [("photo-0.png", None), ("photo-1.png", None), ("photo-2.png", None)]
    pages = {*photos, *(("report.pdf", number) for number in (1, 2, 3))}
    assert {(hit["source"], hit["page"]) for hit in found if hit["page_image"]} == pages
    assert [hit["source"] for hit in found if not hit["page_image"]] == ["note.md"]


def test_other_settings_are_refused_with_the_command_that_makes_the_index_anew(
    folder: Path, source: Path
) -> None:
    told = fails("tiles of a page", "index", source, "--to", folder, "--max-tiles", 2)
    assert f"biencoder reindex {folder}" in told
    assert "--max-tiles 2" in told


def test_reindexing_by_the_image_alone_reads_the_sources_again(
    source: Path, tmp_path: Path
) -> None:
    to = tmp_path / "index"
    succeeds("index", source / "photo-1.png", "--to", to, *MODEL)
    told = succeeds("reindex", to, "--modality", "image", "--no-thumbnail")
    assert "1 document and 1 page image indexed" in told
    settings = json.loads(run("status", to, "--json")[1])["settings"]
    assert (settings["modality"], settings["thumbnail"]) == ("image", False)
    assert made_index.live(to).name == "g2"


def test_images_for_a_text_model_and_a_modality_that_is_none_are_refused(
    source: Path, tmp_path: Path
) -> None:
    to = tmp_path / "index"
    fails("mini reads text only", "index", source, "--to", to, "--modality", "image_text")
    fails("'pixels' is unknown", "index", source, "--to", to, "--modality", "pixels")
    fails("dpi is for page images", "index", source, "--to", to, "--dpi", 100)
    fails("dpi=5000", "index", source, "--to", to, *MODEL, "--dpi", 5000)
    assert not to.exists()
