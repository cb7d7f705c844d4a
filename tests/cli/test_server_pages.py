"""`--server` with a page model: every verb that reads pages reads them there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.commands import fails, run, succeeds
from tests.evaluate import made_pages as judged_pages
from tests.serve import made_pages
from tests.serve.in_thread import served

from biencoder.serve.embeddings.names import Served
from biencoder.serve.engine.engine import Engine

DPI = ("--dpi", "30")


@pytest.fixture(scope="module")
def there() -> Iterator[tuple[object, ...]]:
    """The options that lead to the server."""
    with served(Served("vl", Engine(made_pages.model()))) as address:
        yield ("--server", address, "--model", "vl")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    return made_pages.write_sources(tmp_path / "pdfs")


def test_a_folder_of_pdfs_is_indexed_and_searched(
    there: tuple[object, ...], sources: Path, tmp_path: Path
) -> None:
    index = tmp_path / "index"
    told = succeeds("index", sources, "--to", index, *there, "--modality", "image_text", *DPI)
    assert "4 page images" in told
    hits = json.loads(run("search", made_pages.QUESTION, "--in", index, "--json")[1])
    assert {hit["source"] for hit in hits} == {"manual.pdf", "tall.png", "wide.png"}
    local = ("--model", made_pages.checkpoint())
    assert "manual.pdf" in succeeds("search", made_pages.QUESTION, "--in", index, *local)
    fails(
        "settings of a page model on this machine",
        "index", sources, "--to", tmp_path / "new", *there, "--max-tiles", "2",
    )  # fmt: skip


def test_embed_writes_the_vectors_of_pages(
    there: tuple[object, ...], sources: Path, tmp_path: Path
) -> None:
    out, local = tmp_path / "there.npy", tmp_path / "here.npy"
    pages = (sources / "manual.pdf", sources / "tall.png")
    (sources / "broken.png").write_bytes(b"no image")
    code, _, err = run("embed", *pages, sources / "broken.png", "--output", out, *there, *DPI)
    assert (code, "broken.png" in err) == (3, True)
    model = ("--model", made_pages.checkpoint(), "--dtype", "float32")
    succeeds("embed", *pages, "--output", local, *model, *DPI)
    np.testing.assert_allclose(np.load(out), np.load(local), rtol=0, atol=1e-5)
    facts = json.loads(out.with_suffix(".meta.json").read_text())
    assert (facts["modality"], facts["max_tiles"], facts["thumbnail"]) == ("image_text", 6, True)


def test_evaluate_judges_pages_at_the_server(there: tuple[object, ...], tmp_path: Path) -> None:
    files, qrels = {"a.pdf": ["tea", "cake"]}, {"q": {"a.pdf#1": 1}}
    place = judged_pages.pdfs(tmp_path / "set", files)
    folder = judged_pages.folder_of(place, judged_pages.pdf_rows(files), qrels, {"q": "tea?"})
    code, out, err = run(
        "evaluate", "--data", folder, *there, "--modality", "image", *DPI, "--json",
        "--output", tmp_path / "out",
    )  # fmt: skip
    assert code == 0, err
    (record,) = json.loads(out)
    assert record["metrics"]["recall@5"] == 1
    facts = record["model"]
    assert (facts["modality"], facts["max_tiles"], facts["device"]) == ("image", 6, "server")
    assert facts["fingerprint"] == made_pages.model().fingerprint()
